dnl Builds that watch themselves. These options have to be read before
dnl AC_PROG_CC and LT_INIT, whose defaults they change.

dnl RST_SANITIZERS: also decides for --enable-fuzzing, because fuzzer coverage
dnl needs a sanitizer runtime to link against.
AC_DEFUN([RST_SANITIZERS], [
AC_ARG_ENABLE([fuzzing],
  [AS_HELP_STRING([--enable-fuzzing], [build the libFuzzer programs (needs clang; with sanitizers)])],
  [], [enable_fuzzing=no])
AC_ARG_ENABLE([sanitizers],
  [AS_HELP_STRING([--enable-sanitizers@<:@=LIST@:>@],
    [build with sanitizers, a static library and no hardening @<:@address,undefined@:>@])],
  [], [enable_sanitizers=$enable_fuzzing])
AS_IF([test "x$enable_sanitizers" = xyes], [enable_sanitizers=address,undefined])
AS_IF([test "x$enable_sanitizers" != xno], [
  SAN_CFLAGS="-fsanitize=$enable_sanitizers -fno-omit-frame-pointer -fno-sanitize-recover=all"
  : ${CFLAGS="-g -O1"}
  : ${enable_shared=no}
  : ${enable_static=yes}
])
AC_SUBST([SAN_CFLAGS])
])

AC_DEFUN([RST_COVERAGE], [
AC_ARG_ENABLE([coverage],
  [AS_HELP_STRING([--enable-coverage], [compile for gcov])],
  [], [enable_coverage=no])
AS_IF([test "x$enable_coverage" = xyes], [
  COV_CFLAGS="--coverage"
  : ${CFLAGS="-g -O0"}
])
AC_SUBST([COV_CFLAGS])
])

AC_DEFUN([RST_FUZZING], [
AM_CONDITIONAL([FUZZING], [test "x$enable_fuzzing" = xyes])
AS_IF([test "x$enable_fuzzing" = xyes], [
  RST_TRY_CFLAGS([FUZZ_CFLAGS], [-fsanitize=fuzzer-no-link])
  AS_IF([test "x$FUZZ_CFLAGS" = x],
    [AC_MSG_ERROR([--enable-fuzzing needs a compiler with libFuzzer: try CC=clang])])
])
AC_SUBST([FUZZ_CFLAGS])
])
