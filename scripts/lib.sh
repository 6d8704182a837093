# Shell functions that the scripts of this directory share. Sourced.

# What building and testing needs, as Debian 12 and later call it. The tor that
# the package may start is left alone: every tor here is started by us.
rst_packages='build-essential autoconf automake libtool autoconf-archive pkg-config
	libsodium-dev libevent-dev libleveldb-dev libqrencode-dev libseccomp-dev libcmocka-dev
	python3 python3-nacl mandoc iproute2 tor valgrind'

rst_say()
{
	printf '%s\n' "$*" >&2
}

rst_fail()
{
	rst_say "error: $*"
	exit 1
}

rst_has_header()
{
	printf '#include <%s>\n' "$1" | ${CC:-cc} -E -x c - >/dev/null 2>&1
}

# Prints the python3 that has PyNaCl: the first of PATH may be another one than
# that of the distribution, for which the package is.
rst_python()
{
	for rst_candidate in ${PYTHON:+"$PYTHON"} python3 /usr/bin/python3; do
		if "$rst_candidate" -c 'import nacl.bindings' >/dev/null 2>&1; then
			echo "$rst_candidate"
			return 0
		fi
	done
	return 1
}

# Whether everything is there already, however it got there; names what is not.
rst_has_build_tools()
{
	for rst_tool in ${CC:-cc} make autoreconf automake libtoolize pkg-config ip tor tor-gencert; do
		PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin command -v "$rst_tool" >/dev/null 2>&1 ||
		    { rst_say "missing: $rst_tool"; return 1; }
	done
	for rst_lib in 'libsodium >= 1.0.18' 'libevent_core >= 2.1.12' libqrencode cmocka; do
		pkg-config --exists "$rst_lib" || { rst_say "missing: $rst_lib"; return 1; }
	done
	rst_has_header leveldb/c.h || { rst_say 'missing: leveldb/c.h'; return 1; }
	rst_has_header valgrind/memcheck.h || { rst_say 'missing: valgrind/memcheck.h'; return 1; }
	rst_python >/dev/null || { rst_say 'missing: python3 with PyNaCl'; return 1; }
}

# rst_apt_install package...: as root, or through sudo.
rst_apt_install()
{
	command -v apt-get >/dev/null 2>&1 ||
	    rst_fail "please install what corresponds to these Debian packages:" $*
	rst_sudo=
	if [ "$(id -u)" -ne 0 ]; then
		command -v sudo >/dev/null 2>&1 ||
		    rst_fail "not root, and no sudo; as root run: apt-get install" $*
		rst_sudo=sudo
	fi
	$rst_sudo apt-get update -q >&2 || rst_say 'warning: apt-get update failed; going on with the old lists'
	$rst_sudo env DEBIAN_FRONTEND=noninteractive \
	    apt-get install -q -y --no-install-recommends "$@" >&2 ||
	    rst_fail "could not install:" $*
}

rst_install_build_tools()
{
	rst_has_build_tools || rst_apt_install $rst_packages
	rst_has_build_tools || rst_fail 'still missing after the installation'
}

rst_jobs()
{
	nproc 2>/dev/null || echo 1
}

# rst_build source build configure-option...: brings configure and the build
# directory up to date and builds. What make prints goes to standard output.
rst_build()
{
	rst_source=$(cd "$1" && pwd) || return 1
	rst_dir=$2
	shift 2
	[ ! -f "$rst_source/config.status" ] ||
	    rst_fail 'the source tree is configured itself; run make distclean there first'
	mkdir -p "$rst_dir" || return 1
	[ -f "$rst_source/configure" ] || (cd "$rst_source" && autoreconf -fi) || return 1
	(cd "$rst_dir" && "$rst_source/configure" "$@" && make -j"$(rst_jobs)")
}
