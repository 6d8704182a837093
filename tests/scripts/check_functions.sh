#!/bin/sh
# No function is over 80 lines. A body runs from a line that is { to the next
# line that is }.
. "${srcdir:-.}/tests/scripts/tap.sh"

lengths=$(mktemp) || exit 1
trap 'rm -f "$lengths"' EXIT
tree_find -name '*.[ch]' | (cd "$srcdir" && xargs awk '
FNR == 1 { start = 0 }
/^[{]/ { start = FNR }
/^[}]/ {
	if (start)
		print FNR - start, FILENAME ":" start
	start = 0
}') | sort -n >"$lengths"

tap_plan 1
grep -v ' tests/' "$lengths" | awk '{ length_of[NR] = $1; last = $2 }
END {
	if (NR)
		printf "# %d functions: median %d, p90 %d, longest %d (%s)\n", NR,
		    length_of[int((NR + 1) / 2)], length_of[int((NR * 9 + 9) / 10)], length_of[NR], last
}'
tap_report 'no function over 80 lines' "$(awk '$1 > 80 { print $2 ": " $1 " lines" }' "$lengths")"
