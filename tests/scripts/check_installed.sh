#!/bin/sh
# Run by make installcheck: the examples compile and link against what was
# installed, by way of pkg-config. $pkgconfigdir and $DESTDIR say where.
set -eu

pc=${DESTDIR:-}$pkgconfigdir
[ -f "$pc/restante.pc" ] || exit 0
export PKG_CONFIG_PATH="$pc" PKG_CONFIG_SYSROOT_DIR="${DESTDIR:-}"
libdir=${DESTDIR:-}$(PKG_CONFIG_SYSROOT_DIR='' pkg-config --variable=libdir restante)
# A static library needs flags of the build that pkg-config does not know.
[ -f "$libdir/librestante.so" ] || exit 0

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
for example in "$srcdir"/client-lib/examples/*.c; do
	[ -f "$example" ] || continue
	echo "  EXAMPLE  $(basename "$example")"
	# shellcheck disable=SC2046 # flags are words
	${CC:-cc} -std=c17 -Wall -Wextra -Werror $(pkg-config --cflags restante) "$example" \
	    $(pkg-config --libs restante) -o "$out/example"
done
