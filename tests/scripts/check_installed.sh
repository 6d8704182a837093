#!/bin/sh
# Run by make installcheck: what was installed is whole, and serves. Variables:
# DESTDIR, and the directories of make (bindir, sbindir, mandir, docdir,
# sysconfdir, pkgconfigdir, systemdsystemunitdir, systemduserunitdir, sysusersdir,
# tmpfilesdir; "no" for what is left out).
set -eu

root=${DESTDIR:-}
failed=0
fail()
{
	echo "error: $*" >&2
	failed=1
}

# have DIRECTORY FILE...: each is there and can be read by all.
have()
{
	[ "$1" != no ] || return 0
	have_dir=$root$1
	shift
	for file in "$@"; do
		[ -n "$(find "$have_dir/$file" -perm -444 2>/dev/null)" ] ||
		    fail "$have_dir/$file was not installed for everybody to read"
	done
}

layout()
{
	have "$bindir" restante restante-charter restante-evaluate
	have "$sbindir" restante-gateway restante-mix restante-registrar
	have "$mandir" man1/restante.1 man1/restante-charter.1 man1/restante-evaluate.1 man5/restante-charter.5 \
	    man5/restante.conf.5 man5/restante-gateway.conf.5 man5/restante-mix.conf.5 \
	    man8/restante-gateway.8 man8/restante-mix.8 \
	    man8/restante-registrar.8 man5/restante-registrar.conf.5
	have "$docdir" evaluation-formats.md researcher.md operator.md user-guide.md threat-model.md limits.md
	have "$sysconfdir/restante" gateway.conf.example mix.conf.example registrar.conf.example
	have "$systemdsystemunitdir" restante-gateway.service restante-gateway.socket \
	    restante-registrar.service restante-registrar.socket \
	    restante-mix.service
	have "$systemduserunitdir" restante-agent.service
	have "$sysusersdir" restante.conf
	have "$tmpfilesdir" restante.conf
}

# What a unit runs and reads is what was installed.
units()
{
	for dir in "$systemdsystemunitdir" "$systemduserunitdir"; do
		[ "$dir" != no ] || continue
		for unit in "$root$dir"/restante-*.service; do
			program=$(sed -n 's/^ExecStart=\([^ ]*\).*/\1/p' "$unit")
			[ -x "$root$program" ] || fail "$unit starts $program, which is not there"
			config=$(sed -n 's/^ExecStart=.*--config \(.*\)/\1/p' "$unit")
			[ -z "$config" ] || [ -f "$root$config.example" ] ||
			    fail "$unit reads $config, for which there is no example"
		done
	done
}

# The examples are configurations that want nothing but a charter.
examples()
{
	for node in gateway mix; do
		file=$out/$node.conf
		sed "s|^charter = .*|charter = $out/none|" \
		    "$root$sysconfdir/restante/$node.conf.example" >"$file"
		code=0
		LD_LIBRARY_PATH=$libdir "$root$sbindir/restante-$node" run --config "$file" \
		    --check-config 2>"$out/said" || code=$?
		{ [ "$code" -ne 0 ] && [ "$code" -ne 78 ] && grep -q "$out/none" "$out/said"; } ||
		    fail "$node.conf.example: exit code $code, $(cat "$out/said")"
	done
}

# The programs of the library's users compile and link, by way of pkg-config.
library()
{
	for example in "$srcdir"/client-lib/examples/*.c; do
		[ -f "$example" ] || continue
		echo "  EXAMPLE  $(basename "$example")"
		# shellcheck disable=SC2046 # flags are words
		${CC:-cc} -std=c17 -Wall -Wextra -Werror $(pkg-config --cflags restante) "$example" \
		    $(pkg-config --libs restante) -o "$out/example" || fail "$example does not build"
	done
}

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
pc=$root$pkgconfigdir
[ -f "$pc/restante.pc" ] || exit 0
export PKG_CONFIG_PATH="$pc" PKG_CONFIG_SYSROOT_DIR="$root"
libdir=$root$(PKG_CONFIG_SYSROOT_DIR='' pkg-config --variable=libdir restante)
layout
units
examples
# A static library needs flags of the build that pkg-config does not know.
[ ! -f "$libdir/librestante.so" ] || library
exit $failed
