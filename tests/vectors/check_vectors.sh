#!/bin/sh
# Two implementations, one protocol: what each makes the other checks, and each
# still makes what the files here say.
. "${srcdir:-.}/tests/scripts/tap.sh"

here=$srcdir/tests/vectors
tool=$PWD/tests/vectors/known_answers
made=$(mktemp) || exit 1
trap 'rm -f "$made"' EXIT
PYTHONDONTWRITEBYTECODE=1
export PYTHONDONTWRITEBYTECODE

reference()
{
	"$PYTHON" "$srcdir/tests/reference/reference.py" "$@"
}

# report_with_python name command...
report_with_python()
{
	name=$1
	shift
	if [ -n "${PYTHON:-}" ]; then
		tap_report "$name" "$("$@")"
	else
		tap_number=$((tap_number + 1))
		echo "ok $tap_number # SKIP $name: no python3 with PyNaCl"
	fi
}

# remakes file command...: says what is different.
remakes()
{
	file=$1
	shift
	"$@" >"$made" 2>&1 || echo "failed: $*"
	cmp "$made" "$here/$file" 2>&1
}

# passes command...
passes()
{
	"$@" 2>&1 || echo "failed: $*"
}

kinds='onion record block contact renewal founding voprf'
set -- $kinds
tap_plan $((4 * $#))
for kind in $kinds; do
	tap_report "C makes $kind" "$(remakes "${kind}_c.txt" "$tool" make "$kind")"
	tap_report "C checks Python's $kind" "$(passes "$tool" check "$kind" "$here/${kind}_python.txt")"
	report_with_python "Python makes $kind" remakes "${kind}_python.txt" reference make "$kind"
	report_with_python "Python checks C's $kind" passes reference check "$kind" "$here/${kind}_c.txt"
done
