#!/bin/sh
# restante-charter(5) explains every parameter as the program does.
# test_man.sh --print writes that part of the page.
. "${srcdir:-.}/tests/scripts/tap.sh"

tool=./common/charter/tool/restante-charter
page=$srcdir/docs/man/restante-charter.5
[ -x "$tool" ] || tap_skip_all 'restante-charter is not built'

# Three lines for each parameter: name, meaning, "range; default value".
make_part()
{
	"$tool" parameters | sed 's/^ *//' | awk '
	NR % 3 == 1 { print ".It Ic " $0 }
	NR % 3 == 2 { print toupper(substr($0, 1, 1)) substr($0, 2) ":" }
	NR % 3 == 0 { sub(/; default /, ";\ndefault\n.Li "); print $0 " ." }'
}

if [ "${1:-}" = --print ]; then
	make_part
	exit 0
fi
made=$(mktemp) || exit 1
trap 'rm -f "$made"' EXIT
make_part >"$made"

tap_plan 3
tap_report 'the program explains its parameters' "$([ "$(wc -l <"$made")" -ge 60 ] || cat "$made")"
tap_report 'the page has the same part' "$(sed '1,/^\.\\" parameters:/d;/^\.\\" end of parameters/,$d' "$page" |
    diff - "$made")"
tap_report 'the other page names every command' "$("$tool" --help |
    sed '1,/^Commands/d;s/^ *//;s/ .*//' | while read -r command; do
	grep -q "^\.It Cm $command\( \|\$\)" "$srcdir/docs/man/restante-charter.1" || echo "$command"
done)"
