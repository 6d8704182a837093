#!/bin/sh
# Constant time: tests/constant/constant_time under valgrind. With RESTANTE_CONSTANT_LOG=file
# what memcheck says (of the controls too) is kept there.
. "${srcdir:-.}/tests/scripts/tap.sh"

program=${top_builddir:-.}/tests/constant/constant_time
[ -x "$program" ] || tap_skip_all 'constant_time is not built: no valgrind/memcheck.h'
command -v valgrind >/dev/null 2>&1 || tap_skip_all 'valgrind is not installed'
log=${RESTANTE_CONSTANT_LOG:-/dev/null}

# The program counts what is found and judges it; what is left undefined elsewhere
# (leaks, descriptors) is not its matter.
exec valgrind --tool=memcheck --error-limit=no --leak-check=no --log-file="$log" \
    --suppressions="$srcdir/tests/constant/libsodium.supp" "$program"
