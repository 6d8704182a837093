dnl Flags of this tree go to RST_CFLAGS and RST_LDFLAGS. CFLAGS and LDFLAGS
dnl belong to whoever runs configure and stand last on each command line.

dnl RST_TRY_CFLAGS(variable, flags, [program]): appends those flags, one by
dnl one, that the compiler takes without a warning.
AC_DEFUN([RST_TRY_CFLAGS], [
rst_saved_CFLAGS=$CFLAGS
for rst_flag in $2; do
  AC_MSG_CHECKING([whether $CC takes $rst_flag])
  CFLAGS="$rst_saved_CFLAGS -Werror $rst_flag"
  AC_COMPILE_IFELSE([m4_default([$3], [AC_LANG_PROGRAM()])],
    [AC_MSG_RESULT([yes])
     $1="$$1 $rst_flag"],
    [AC_MSG_RESULT([no])])
done
CFLAGS=$rst_saved_CFLAGS
])

dnl RST_TRY_LDFLAGS(variable, flags): the same for the linker.
AC_DEFUN([RST_TRY_LDFLAGS], [
rst_saved_LDFLAGS=$LDFLAGS
for rst_flag in $2; do
  AC_MSG_CHECKING([whether the linker takes $rst_flag])
  LDFLAGS="$rst_saved_LDFLAGS -Werror $rst_flag"
  AC_LINK_IFELSE([AC_LANG_PROGRAM()],
    [AC_MSG_RESULT([yes])
     $1="$$1 $rst_flag"],
    [AC_MSG_RESULT([no])])
done
LDFLAGS=$rst_saved_LDFLAGS
])

AC_DEFUN([RST_WARNINGS], [
RST_TRY_CFLAGS([RST_CFLAGS], [-Wall -Wextra -Wformat=2 -Wformat-signedness -Wconversion dnl
-Wsign-conversion -Wimplicit-fallthrough -Wshadow -Wstrict-prototypes -Wmissing-prototypes dnl
-Wold-style-definition -Wundef -Wvla -Wswitch-enum -Wcast-qual -Wpointer-arith dnl
-Wwrite-strings -Wlogical-op -Wduplicated-cond -Wnull-dereference -Wtrampolines dnl
-Wbidi-chars=any -Werror=implicit -Werror=incompatible-pointer-types dnl
-Werror=int-conversion])
])

dnl _FORTIFY_SOURCE is set here and not in CPPFLAGS: behind CPPFLAGS on the
dnl command line it replaces a distribution's lower level without a warning.
dnl It is probed because it warns in builds without optimisation.
AC_DEFUN([RST_HARDENING], [
AC_ARG_ENABLE([hardening],
  [AS_HELP_STRING([--disable-hardening], [leave the hardening flags out])],
  [], [enable_hardening=yes])
AS_IF([test "x$enable_hardening" = xyes && test "x$enable_sanitizers" = xno], [
  RST_TRY_CFLAGS([RST_CFLAGS], [-fstack-protector-strong -fstack-clash-protection dnl
-fcf-protection=full -ftrivial-auto-var-init=zero -fzero-call-used-regs=used-gpr dnl
-fno-delete-null-pointer-checks -fno-strict-overflow -fno-strict-aliasing dnl
-fstrict-flex-arrays=3 -fPIE])
  rst_saved_CFLAGS=$CFLAGS
  CFLAGS="$CFLAGS -Werror -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3"
  AC_MSG_CHECKING([whether _FORTIFY_SOURCE=3 works])
  AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[#include <string.h>]])],
    [AC_MSG_RESULT([yes])
     RST_CFLAGS="$RST_CFLAGS -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3"],
    [AC_MSG_RESULT([no])])
  CFLAGS=$rst_saved_CFLAGS
  RST_TRY_LDFLAGS([RST_LDFLAGS], [-Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack dnl
-Wl,--as-needed -Wl,--no-copy-dt-needed-entries])
  dnl for programs only: it cannot stand on the line of a shared library
  RST_TRY_LDFLAGS([RST_PIE_LDFLAGS], [-pie])
])
])

AC_DEFUN([RST_FLAGS], [
RST_CFLAGS="-std=c17 -pthread -Wformat -Werror=format-security"
RST_LDFLAGS=-pthread
RST_PIE_LDFLAGS=
dnl A seed gives the same run on machines that can multiply and add at once.
RST_TRY_CFLAGS([RST_CFLAGS], [-ffp-contract=off])
RST_WARNINGS
RST_HARDENING
AC_ARG_ENABLE([werror],
  [AS_HELP_STRING([--enable-werror], [warnings are errors (development)])],
  [], [enable_werror=no])
AS_IF([test "x$enable_werror" = xyes], [RST_CFLAGS="$RST_CFLAGS -Werror"])
AC_ARG_ENABLE([analyzer],
  [AS_HELP_STRING([--enable-analyzer], [compile with gcc -fanalyzer (slow)])],
  [], [enable_analyzer=no])
AS_IF([test "x$enable_analyzer" = xyes], [RST_TRY_CFLAGS([RST_CFLAGS], [-fanalyzer])])
AC_SUBST([RST_CFLAGS])
AC_SUBST([RST_LDFLAGS])
AC_SUBST([RST_PIE_LDFLAGS])
])
