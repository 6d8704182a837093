#!/bin/sh
# A network with a registrar through tor: gateway and registrar have an onion service each,
# which admit the same groups; tickets and stamps are fetched and spent by it.
. "${srcdir:-.}/tests/system/torlib.sh"

net_registrar=yes
tor_begin 7

up() { tor_up slot 100ms round 400ms people 2 stamps 300 time-scale 20 epoch 30min grace 1min; }
members() { tor_took "mixes and members online" test_members alice bob && tor_took "contacts" test_introduce alice bob; }
two_services()
{
	first=$(tor_onion)
	second=$(sed -n "s/.*entrance=\([a-z2-7]*\.onion\):.*/\1/p" "$net_dir/registrar.pub")
	[ -n "$first" ] && [ -n "$second" ] && [ "$first" != "$second" ] &&
	    grep -q ' onion-published ' "$net_dir/registrar.log"
}
field() { net_client "$1" --json status | sed -n "s/.*\"$2\":\([0-9a-z]*\)[,}].*/\1/p"; }
has_tokens() { [ "$(field "$1" stamps)" -gt 0 ] && [ "$(field "$1" tokens_needed)" = true ]; }
fetches_on() { [ "$(field "$1" tokens_ahead_epochs)" -ge 1 ] && net_client "$1" --json status | grep -q '"alarms":\[\]'; }
# Without the group's key nobody gets to the registrar either.
stranger_is_kept_out()
{
	tornet_join stranger &&
	    torctl socks "$tornet_dir/stranger/socks" "$second" 1 >"$net_dir/stranger.out"
	grep -q 'f4$' "$net_dir/stranger.out"
}

must "a network with two onion services starts" up
must "two members come online through tors of their own, and meet" members
tor_show
check "messages go both ways" eval 'tor_talk alice bob hello && tor_talk bob alice "hello to you"'
check "gateway and registrar have a service each" two_services
check "tickets and stamps are fetched" eval 'net_wait 60 has_tokens alice && net_wait 60 has_tokens bob'
check "and ahead" net_wait 200 fetches_on alice
check "a stranger's tor does not get to the registrar" stranger_is_kept_out
test_logs
