#!/bin/sh
# Nothing in the tree points at somebody's machine or at work left for later.
. "${srcdir:-.}/tests/scripts/tap.sh"

cd "$srcdir" || exit 1
srcdir=.
# tree_grep ere dir...: in text files, whatever was built beside them left out.
tree_grep()
{
	pattern=$1
	shift
	for at in "$@"; do
		[ ! -e "$at" ] || echo "$at"
	done | xargs grep -rnEI --exclude-dir=.libs --exclude-dir=.deps --exclude-dir=build-aux \
	    --exclude='*.log' --exclude='*.trs' --exclude='lt*.m4' --exclude='libtool.m4' "$pattern" /dev/null
}
tap_plan 2
tap_report 'no path of one machine' "$(tree_grep '(^|[^[:alnum:]_.])/(hom[e]|roo[t]|wor[k]|User[s])/' \
    $source_dirs scripts docs .ci README.md NEWS SECURITY.md configure.ac Makefile.am)"
tap_report 'nothing left for later' "$(tree_grep '\b(TOD[O]|FIXM[E]|XX[X])\b' \
    $source_dirs scripts docs .ci README.md configure.ac Makefile.am)"
