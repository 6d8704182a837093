#!/bin/sh
# The manual pages are clean mdoc.
. "${srcdir:-.}/tests/scripts/tap.sh"

command -v mandoc >/dev/null 2>&1 || tap_skip_all 'no mandoc'
cd "$srcdir" || exit 1
set -- docs/man/*.[1-8]
[ -f "$1" ] || tap_skip_all 'no manual pages'

tap_plan $#
for page in "$@"; do
	# Whether the other pages are installed here is not the page's fault.
	tap_report "$page" "$(mandoc -Tlint -W warning "$page" 2>&1 | grep -v 'referenced manual not found')"
done
