#!/bin/sh
# restante(1) and restante.conf(5) name everything that the program knows.
. "${srcdir:-.}/tests/scripts/tap.sh"

tool=./client-lib/restante
page=$srcdir/docs/man/restante.1
[ -x "$tool" ] || tap_skip_all 'restante is not built'

commands=$("$tool" --help | sed '1,/^Commands/d;s/^ *//;s/ .*//')
options()
{
	"$tool" "$@" --help | sed -n 's/^ .*--\([a-z-]*\).*/\1/p' | grep -vx help
}

tap_plan 4
tap_report 'the program has its commands' "$([ "$(printf '%s\n' "$commands" | wc -l)" -ge 10 ] ||
    echo "$commands")"
tap_report 'the page explains every command' "$(for command in $commands; do
	grep -q "^\.It Cm $command\( \|\$\)" "$page" || echo "$command"
done)"
tap_report 'the page has every option' "$({ options | sed 's/^/restante /'
	for command in $commands; do
		options "$command" | sed "s/^/$command /"
	done
} | while read -r command option; do
	grep -q "Fl -$option\( \|\$\)" "$page" || echo "$command --$option"
done)"
tap_report 'the other page has every key' "$("$tool" --default-config | sed -n 's/^#* *\([a-z-]*\) = .*/\1/p;s/^#* *\([a-z-]*\) =$/\1/p' |
    sort -u | while read -r key; do
	grep -q "^\.It Cm $key No" "$srcdir/docs/man/restante.conf.5" || echo "$key"
done)"
