#!/bin/sh
# Who is let in through tor: a stranger gets nothing, a member that is added gets
# in while the others go on, one that is removed is shut out.
. "${srcdir:-.}/tests/system/torlib.sh"

tor_begin 12

member() { net_gateway member "$@" --config "$net_dir/gateway.conf"; }
up()
{
	tor_up $tor_times people 3 &&
	    tor_took "mixes, Alice and Bob online" test_members alice bob && test_introduce alice bob
}

# The answer of a stranger's tor to the gateway's address, as it is.
asks() { torctl socks "$tornet_dir/stranger/socks" "$(tor_onion)" 80; }
answers() # CODE
{
	tornet_join stranger || return 1
	asks >"$net_dir/answer" || return 1
	tor_note "the stranger's tor answers $(cat "$net_dir/answer")"
	grep -q " $1\$" "$net_dir/answer"
}
# A key that the gateway does not know, in base64.
wrong_key()
{
	onion=$(tor_onion)
	torctl control "$tornet_dir/stranger/control" "$tornet_dir/stranger/control_auth_cookie" \
	    "ONION_CLIENT_AUTH_ADD ${onion%.onion} x25519:$(head -c 32 /dev/urandom | base64)" |
	    grep '^25' && answers f5
}
# Half a minute after all that, the gateway has heard nothing from it.
unheard()
{
	net_gateway status --json --config "$net_dir/gateway.conf" >"$net_dir/status" &&
	    grep -q '"refused":0' "$net_dir/status"
}

add_carol()
{
	net_member carol && net_start_agent carol && net_wait "$test_session" net_online carol
}
goes_on() { tor_talk alice bob "$1" && tor_talk bob alice "$1"; }

offline() { ! net_online "$1"; }
remove_carol()
{
	step=$(tor_now)
	member remove carol || return 1
	net_wait 120 offline carol || return 1
	tor_note "the removed member was without a session $(tor_since "$step") s after the command"
}
# Tried anew by an agent and a tor that know nothing of before.
stays_out()
{
	net_kill TERM carol && net_start_agent carol &&
	    net_wait "$test_session" shut_out && offline carol && return 0
	net_client carol --json status
	return 1
}
shut_out() { net_client carol --json status | grep -q '"denied"'; }

back()
{
	net_wait "$test_session" net_online alice && net_wait "$test_session" net_online bob || return 1
	tor_note "the others were back $(tor_since "$step") s after the removal"
}
listed() { member list | cut -d' ' -f1 | tr '\n' ' ' | grep -qx "$1 "; }

must "a network with an onion service, and two members" up
tor_show
check "a stranger without a key gets F4 from its own tor" answers f4
check "one with a key that nobody gave out gets F5" wrong_key
tor_show
check "the gateway has heard nothing of either" unheard
check "a member is added while the gateway runs, and comes in" tor_took "Carol added and online" add_carol
tor_show
check "and the others go on" tor_took "messages both ways" goes_on "after the addition"
check "the list names all groups" listed "alice bob carol mix0 mix1 mix2"
check "a member is removed while the gateway runs: its session ends" remove_carol
check "the others come back" back
check "their messages arrive" tor_took "messages both ways" goes_on "after the removal"
check "the removed one stays out, and its agent says so" stays_out
tor_show
check "the list no longer names it" listed "alice bob mix0 mix1 mix2"
