#!/bin/sh
# A directory includes only what the nearest .may_include at or above it names
# (after tor), and writes includes from the top of the tree.
. "${srcdir:-.}/tests/scripts/tap.sh"

cd "$srcdir" || exit 1
srcdir=.
tap_plan 2

unruled=$(tree_find -name '*.[ch]' | grep -v '^tests/' | sed 's|/[^/]*$||' | sort -u |
    while read -r dir; do
	at=$dir
	while [ "$at" != . ] && [ ! -f "$at/.may_include" ]; do
		at=$(dirname "$at")
	done
	[ "$at" != . ] || echo "$dir"
    done)
tap_report 'every directory has a .may_include' "$unruled"

tap_report 'includes respect the layers' "$({ tree_find -name .may_include; tree_find -name '*.[ch]' |
    grep -v '^tests/'; } | xargs awk '
function ruled(path) {
	while (sub(/\/[^\/]*$/, "", path))
		if (path in rules)
			return path
	return ""
}
FNR == 1 {
	is_rules = FILENAME ~ /\.may_include$/
	dir = FILENAME
	if (is_rules) {
		sub(/\/\.may_include$/, "", dir)
		rules[dir] = 1
	} else {
		dir = ruled(FILENAME)
	}
}
is_rules {
	if ($1 !~ /^(#|$)/)
		may[dir, $1] = 1
	next
}
/^[ \t]*#[ \t]*include[ \t]*["<]/ {
	target = $0
	sub(/^[^"<]*/, "", target)
	local = target ~ /^"/
	target = substr(target, 2)
	sub(/[">].*/, "", target)
	if (!local && target !~ /^(common|mix|gateway|registrar|client-lib|evaluation|tests)\//)
		next
	if (target == "config.h")
		next
	to = ruled(target)
	if (to == "")
		print FILENAME ":" FNR ": " target " is not written from the top of the tree"
	else if (dir != "" && !((dir, to) in may))
		print FILENAME ":" FNR ": " dir " may not include " target
}')"
