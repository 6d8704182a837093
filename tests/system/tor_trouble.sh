#!/bin/sh
# A tor that hangs, a wrong cookie, a lost or a stolen key, a damaged file of
# members: the gateway says what is wrong, does not die of it, and does not spin.
. "${srcdir:-.}/tests/system/torlib.sh"

tor_begin 13

member() { net_gateway member "$@" --config "$net_dir/gateway.conf"; }
# status_says TEXT: in the section of tor.
status_says() { net_gateway status --json --config "${2:-$net_dir/gateway.conf}" | grep -q "$1"; }
logged() { grep -q " $1" "$net_dir/${2:-gateway}.log"; }
reached() { status_says '"state":"reached through tor"'; }
up() { tor_up $tor_times people 2 && tor_took "reached" net_wait 120 reached; }
stop_gateway() { net_kill TERM gateway; mv "$net_dir/gateway.log" "$net_dir/gateway.log.$test_number"; }

# refuses TEXT: the gateway does not start, and says this.
refuses()
{
	if timeout 20 "$net_bin/gateway/restante-gateway" run --config "$net_dir/gateway.conf" \
	    >"$net_dir/refusal" 2>&1; then
		return 1
	fi
	tor_note "$(tail -n 1 "$net_dir/refusal")"
	grep -q "$1" "$net_dir/refusal"
}

# A change of the groups needs an answer of tor.
hangs()
{
	kill -STOP "$(tornet_pid gateway)" && member add guests >/dev/null && tor_is_calm gateway &&
	    tor_took "a tor that hangs is noticed" net_wait 60 status_says 'has not answered for'
}
runs_on() { kill -CONT "$(tornet_pid gateway)" && tor_took "reached again" net_wait 150 reached; }

# The cookie of another tor, as long as it should be.
wrong_cookie()
{
	stop_gateway
	head -c 32 /dev/urandom >"$net_dir/cookie"
	cp "$net_dir/gateway.conf" "$net_dir/right.conf" &&
	    sed "s|^tor-cookie.*|tor-cookie = $net_dir/cookie|" "$net_dir/right.conf" >"$net_dir/gateway.conf"
	net_start_node gateway
	net_wait 30 status_says 'does not know the cookie' && tor_is_calm gateway
}
# The same gateway, once the file is the right one.
right_cookie()
{
	cp "$tornet_dir/gateway/control_auth_cookie" "$net_dir/cookie" &&
	    tor_took "reached with the right cookie" net_wait 150 reached
}

# A copy of all that the gateway has, on another machine's tor.
second_gateway()
{
	cp -r "$net_dir/gateway" "$net_dir/thief" && cp "$net_dir/charter" "$net_dir/thief.charter" &&
	    tornet_join thief || return 1
	rm -f "$net_dir/thief/desk"
	printf 'state = %s\ncharter = %s\ntransport = tor\nlisten = unix:%s\nentrance = unix:%s\n' \
	    "$net_dir/thief" "$net_dir/charter" "$net_dir/thief-nodes.sock" "$net_dir/thief.sock" \
	    >"$net_dir/thief.conf"
	printf 'tor-control = unix:%s\ntor-socks = unix:%s\n' "$tornet_dir/$1/control" \
	    "$tornet_dir/$1/socks" >>"$net_dir/thief.conf"
	net_spawn thief "$net_bin/gateway/restante-gateway" run --config "$net_dir/thief.conf"
}
end_thief() { net_kill TERM thief; rm -rf "$net_dir/thief"; mv "$net_dir/thief.log" "$net_dir/thief.log.$test_number"; }
same_tor()
{
	second_gateway gateway && net_wait 60 status_says 'serves our onion key already' "$net_dir/thief.conf" &&
	    logged onion-down thief && tor_is_calm thief
	same=$?
	end_thief
	return $same
}
other_tor()
{
	second_gateway thief && tor_took "a second gateway with our key is noticed" net_wait 100 twin
	other=$?
	end_thief
	return $other
}
# Whichever of the two reaches the other says so; and a mix knows that the copy
# is older than what it has seen.
twin() { logged onion-twin thief || logged onion-twin || logged rolled-back thief; }

damaged_members()
{
	stop_gateway
	cp "$net_dir/gateway/members" "$net_dir/members" && echo 'carol 123' >>"$net_dir/gateway/members" &&
	    refuses 'members, line [0-9]*: not a key'
	damaged=$?
	cp "$net_dir/members" "$net_dir/gateway/members"
	return $damaged
}
lost_key()
{
	mv "$net_dir/gateway/onionkey" "$net_dir/onionkey" && refuses 'onionkey'
	lost=$?
	mv "$net_dir/onionkey" "$net_dir/gateway/onionkey"
	return $lost
}
another_key()
{
	net_gateway init --dir "$net_dir/other" --address "$(net_address gateway)" >/dev/null &&
	    cp "$net_dir/gateway/onionkey" "$net_dir/onionkey" &&
	    cp "$net_dir/other/onionkey" "$net_dir/gateway/onionkey" && refuses 'another onion address'
	another=$?
	cp "$net_dir/onionkey" "$net_dir/gateway/onionkey"
	return $another
}
mended() { net_start_node gateway && tor_took "reached after all that" net_wait 150 reached; }

must "a network with an onion service, reached from outside" up
tor_show
check "tor hangs: noticed, and the gateway is calm" hangs
check "tor runs on: reached again" runs_on
tor_show
check "a second gateway on the same tor says so, and is calm" same_tor
check "a second gateway on another tor is noticed" other_tor
tor_show
check "the cookie of another tor: status says so, and it is calm" wrong_cookie
check "with the right one it goes on by itself" right_cookie
tor_show
check "a damaged file of members is refused, with the line" damaged_members
check "a lost onion key is refused" lost_key
check "the onion key of another gateway is refused" another_key
tor_show
check "mended, it is reached" mended
tor_show
check "no sanitizer or crash is in a log" eval '! grep -lE "Sanitizer|Assertion" "$net_dir"/*.log'
check "and the gateway lives" eval 'kill -0 "$(net_pid gateway)"'
