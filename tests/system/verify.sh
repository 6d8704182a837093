#!/bin/sh
# The references of restante-evaluate verify, all of them, twice: some 40 seconds.
. "${srcdir:-.}/tests/scripts/tap.sh"

evaluate=${top_builddir:-.}/evaluation/restante-evaluate
[ -x "$evaluate" ] || tap_skip_all 'restante-evaluate is not built'
out=$(mktemp) || exit 1
trap 'rm -f "$out" "$out.again"' EXIT

# code wanted command...: what it printed, if the exit code is another one
code()
{
	wanted=$1
	shift
	"$@" >"$out" 2>&1
	got=$?
	[ "$got" = "$wanted" ] || { echo "exit code $got, not $wanted"; cat "$out"; }
}

tap_plan 11
tap_report 'every value is as its reference' "$(code 0 "$evaluate" verify)"
tap_report 'the last line counts them' "$(tail -n 1 "$out" | grep -vE '^[0-9]{3} ok, 0 failed, seed 1$')"
cp "$out" "$out.again"
tap_report 'one at a time' "$(code 0 "$evaluate" verify --jobs 1)"
tap_report 'gives the same' "$(cmp "$out" "$out.again" 2>&1)"
tap_report 'and so do three' "$(code 0 "$evaluate" verify --quick --jobs 3 2.2 2.10
	cp "$out" "$out.again"; code 0 "$evaluate" verify --quick --jobs 1 2.2 2.10; cmp "$out" "$out.again" 2>&1)"
tap_report 'some of them with another seed' "$(code 0 "$evaluate" verify --seed 7 --quick 2.2 2.3 2.10)"
cp "$out" "$out.again"
tap_report 'the same seed again' "$(code 0 "$evaluate" verify --seed 7 --quick 2.2 2.3 2.10)"
tap_report 'gives the same' "$(cmp "$out" "$out.again" 2>&1)"
tap_report 'JSON' "$(code 0 "$evaluate" verify --json 2.10; grep -vE '^\{"seed":1,.*"ok":6,"failed":0\}$' "$out")"
tap_report 'a list, and 2.1 is not 2.10' "$(code 0 "$evaluate" verify --list 2.1; grep -v '^2\.1 ' "$out")"
tap_report 'a name that nothing has' "$(code 64 "$evaluate" verify no-such-case)"
