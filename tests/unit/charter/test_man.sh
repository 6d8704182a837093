#!/bin/sh
# restante-charter(5) explains every parameter and strategy as the program does.
# test_man.sh --print writes these parts of the page.
. "${srcdir:-.}/tests/scripts/tap.sh"

tool=./common/charter/tool/restante-charter
page=$srcdir/docs/man/restante-charter.5
[ -x "$tool" ] || tap_skip_all 'restante-charter is not built'

# Three lines for each parameter: name, meaning, "range; default value".
make_parameters()
{
	"$tool" parameters | sed '/^$/,$d;s/^ *//' | awk '
	NR % 3 == 1 { print ".It Ic " $0 }
	NR % 3 == 2 { print toupper(substr($0, 1, 1)) substr($0, 2) ":" }
	NR % 3 == 0 { sub(/; default /, ";\ndefault\n.Li "); print $0 " ." }'
}

# Three lines for each strategy: form, meaning, ranges.
make_strategies()
{
	"$tool" parameters | sed '1,/^Strategies:/d;s/^ *//' | awk '
	NR % 3 == 1 { print ".It Li " $0 }
	NR % 3 == 2 { print toupper(substr($0, 1, 1)) substr($0, 2) ":" }
	NR % 3 == 0 { print $0 "." }'
}

# The lines of the page between the marks of a part.
part_of_page()
{
	sed '1,/^\.\\" '"$1"':/d;/^\.\\" end of '"$1"'/,$d' "$page"
}

if [ "${1:-}" = --print ]; then
	make_parameters
	make_strategies
	exit 0
fi
made=$(mktemp) || exit 1
trap 'rm -f "$made"' EXIT

tap_plan 4
make_parameters >"$made"
tap_report 'the program explains its parameters' "$([ "$(wc -l <"$made")" -ge 60 ] || cat "$made")"
tap_report 'the page has the same part' "$(part_of_page parameters | diff - "$made")"
make_strategies >"$made"
tap_report 'and the strategies' "$([ "$(wc -l <"$made")" -ge 27 ] || cat "$made"
    part_of_page strategies | diff - "$made")"
tap_report 'the other page names every command' "$("$tool" --help |
    sed '1,/^Commands/d;s/^ *//;s/ .*//' | while read -r command; do
	grep -q "^\.It Cm $command\( \|\$\)" "$srcdir/docs/man/restante-charter.1" || echo "$command"
done)"
