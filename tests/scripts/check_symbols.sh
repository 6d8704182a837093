#!/bin/sh
# librestante exports what client-lib/symbols.txt lists, and nothing else.
. "${srcdir:-.}/tests/scripts/tap.sh"

so=client-lib/.libs/librestante.so
list=$srcdir/client-lib/symbols.txt
[ -f "$so" ] || tap_skip_all 'no shared library in this build'
command -v nm >/dev/null 2>&1 || tap_skip_all 'no nm'

exported=$(nm -D --defined-only "$so" | awk '$2 != "A" { print $3 }')
tap_plan 2
tap_report 'everything exported is listed' "$(printf '%s\n' "$exported" | grep -vxFf "$list")"
tap_report 'everything listed is exported' "$(printf '%s\n' "$exported" >symbols.tmp
    grep -vxFf symbols.tmp "$list"
    rm -f symbols.tmp)"
