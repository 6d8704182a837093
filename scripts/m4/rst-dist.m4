dnl RST_DIST_TAR: make dist gives the same bytes from the same files: sorted,
dnl without owners, with one date (SOURCE_DATE_EPOCH, else the last commit,
dnl else the date of NEWS). Replaces what AM_INIT_AUTOMAKE chose; needs GNU tar.
AC_DEFUN([RST_DIST_TAR], [
AC_REQUIRE([AM_INIT_AUTOMAKE])dnl
am__tar='epoch=$${SOURCE_DATE_EPOCH:-`git -C $(top_srcdir) log -1 --format=%ct 2>/dev/null || date -r $(top_srcdir)/NEWS +%s`}; $${TAR-tar} --format=ustar --sort=name --owner=0 --group=0 --numeric-owner --mode=u+w,a+rX,go-w --mtime=@$$epoch -chf - "$$tardir"'
])
