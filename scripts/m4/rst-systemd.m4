dnl RST_SYSTEMD: where units, sysusers.d and tmpfiles.d files go. What systemd.pc
dnl says holds for the prefix /usr alone: elsewhere, a user's own prefix included,
dnl they go under the prefix, where systemd looks too if it is /usr/local.
dnl "no" leaves a kind out.
AC_DEFUN([RST_SYSTEMD], [
RST_SYSTEMD_DIR([systemdsystemunitdir], [system units], [systemd/system])
RST_SYSTEMD_DIR([systemduserunitdir], [user units], [systemd/user])
RST_SYSTEMD_DIR([sysusersdir], [sysusers.d files], [sysusers.d])
RST_SYSTEMD_DIR([tmpfilesdir], [tmpfiles.d files], [tmpfiles.d])
AC_ARG_WITH([tor-group],
  [AS_HELP_STRING([--with-tor-group=GROUP], [group that tor runs in @<:@debian-tor@:>@])],
  [], [with_tor_group=debian-tor])
AC_SUBST([TOR_GROUP], [$with_tor_group])
])

dnl RST_SYSTEMD_DIR(variable of systemd.pc and of make, what goes there, default under $prefix/lib)
AC_DEFUN([RST_SYSTEMD_DIR], [
AC_ARG_WITH([$1], [AS_HELP_STRING([--with-$1=DIR], [directory for $2, or no])], [],
  [AS_IF([test "x$prefix" = x/usr], [with_$1=`$PKG_CONFIG --variable=$1 systemd 2>/dev/null`])
   AS_IF([test -z "$with_$1"], [with_$1='${prefix}/lib/$3'])])
AS_IF([test "x$with_$1" = xyes], [with_$1='${prefix}/lib/$3'])
AM_CONDITIONAL([INSTALL_]m4_toupper([$1]), [test "x$with_$1" != xno])
AC_SUBST([$1], [$with_$1])
])
