#!/bin/sh
# kill -9 of the gateway at any moment while tickets and stamps are spent, each again and
# again: none is accepted twice. RESTANTE_KILLS says how many.
. "${srcdir:-.}/tests/system/lib.sh"

kills=${RESTANTE_KILLS:-20}
net_registrar=yes net_layers=1
test_begin 4
echo "# $kills kills"

# Hours of fifteen minutes: tickets stay good while they are tried.
start()
{
	net_make slot 50ms round 200ms people 2 stamps 128 time-scale 4 && net_configure || return 1
	printf 'log-level = warning\n' >>"$net_dir/gateway.conf"
	net_start_node gateway && net_start_node registrar
}
# What the gateway was given, for who makes tokens without asking anybody.
copy_seeds()
{
	mkdir -m 0700 "$net_dir/seeds" && cp "$net_dir/registrar/seeds" "$net_dir/seeds/seeds" &&
	    net_kill TERM registrar && net_kill TERM gateway
}
spend()
{
	"$net_bin/tests/system/spender" "$net_dir/charter" "$net_dir/seeds" "$net_dir/mix0" \
	    "$net_dir/gateway" "$kills" "$test_seed" "$net_bin/gateway/restante-gateway" \
	    "$net_dir/gateway.conf" >"$net_dir/spent" 2>"$net_dir/gateway.log"
	spend_code=$?
	sed 's/^/# /' "$net_dir/spent"
	return "$spend_code"
}
shown() { tail -n 4 "$net_dir/spent" | sed 's/^/# /'; }

must "a gateway and a registrar start" start
must "the gateway has the seeds of five epochs" net_wait 60 net_has_keys
must "they are copied" copy_seeds
check "no ticket and no stamp is accepted twice, and none is refused for nothing" spend
shown
test_logs
