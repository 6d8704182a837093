#!/bin/sh
# Headers: the guard is the path, none is long, each compiles by itself.
. "${srcdir:-.}/tests/scripts/tap.sh"

# Tables that are included several times have no guard and do not stand alone.
tables='^common/base/log_events\.h$'
headers=$(tree_find -name '*.h' | grep -vE "$tables")
top=$(cd "$srcdir" && pwd)
tap_plan 3

# A public header is found below an include directory, so is its guard.
tap_report 'include guards match paths' "$(cd "$srcdir" && printf '%s\n' "$headers" | while read -r h; do
	guard=$(printf '%s\n' "${h##*/include/}" | tr a-z./- A-Z___)
	{ grep -qx "#ifndef $guard" "$h" && grep -qx "#define $guard" "$h"; } || echo "$h: wants $guard"
done)"

tap_report 'no header over 300 lines' "$(cd "$srcdir" && printf '%s\n' "$headers" |
    xargs awk 'FNR == 301 { print FILENAME }' /dev/null)"

one=$(mktemp -d) || exit 1
trap 'rm -rf "$one"' EXIT
n=0
for h in $headers; do
	n=$((n + 1))
	printf '#include "config.h"\n#include "%s"\nextern int not_empty;\n' "$top/$h" >"$one/$n.c"
done
tap_report 'every header compiles by itself' "$(find "$one" -name '*.c' | sort |
    xargs -n 8 -P 2 sh -c '${CC:-cc} -std=c17 -fsyntax-only -Wall -Wno-unused-function -Werror ${TEST_CPPFLAGS:--I. -I'"$srcdir"' -I'"$srcdir"'/client-lib/include} "$@" 2>&1' sh)"
