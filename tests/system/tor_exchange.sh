#!/bin/sh
# Messages through tor, and in their middle the gateway's tor is killed, its
# control connection cut, the agent's tor killed: nothing is lost, nothing comes
# twice, all in order.
. "${srcdir:-.}/tests/system/torlib.sh"

tor_begin 10

# send_loop FROM TO: until DIR/stop exists, or the end of the test has stopped FROM;
# numbers that were taken go to FROM.taken. Less than the slots carry, so that what has
# piled up in an outage goes soon.
send_loop()
{
	n=0
	while [ ! -e "$net_dir/stop" ] && [ -e "$net_dir/$1.pid" ]; do
		n=$((n + 1))
		if net_client "$1" send "$2" "$1 $n" >/dev/null 2>&1; then
			echo "$n" >>"$net_dir/$1.taken"
		fi
		sleep 1
	done
}

came_numbers() { test_received "$2" | sed -n "s/^$1 //p"; }
came_later() # FROM TO NUMBER: whether something after that number has come
{
	[ "$(came_numbers "$1" "$2" | tail -n 1)" -gt "$3" ]
}
last_taken() { tail -n 1 "$net_dir/$1.taken"; }

# Until messages that are written after it have come, both ways.
disturb() # TEXT command...
{
	what=$1 step=$(tor_now)
	shift
	"$@" || return 1
	from_alice=$(last_taken alice) from_bob=$(last_taken bob)
	net_wait "$test_patience" came_later alice bob "$from_alice" &&
	    net_wait "$test_patience" came_later bob alice "$from_bob" ||
	    return 1
	tor_note "$what: later messages have come both ways after $(tor_since "$step") s"
}

all_came() # FROM TO
{
	came_numbers "$1" "$2" | sort -n >"$net_dir/$2.came"
	sort -n "$net_dir/$1.taken" | grep -vxFf "$net_dir/$2.came" >"$net_dir/missing"
	[ -s "$net_dir/$1.taken" ] && [ ! -s "$net_dir/missing" ]
}
in_order() # FROM TO: and none twice
{
	came_numbers "$1" "$2" |
	    awk 'NR > 1 && $1 <= last { print "after", last, "came", $1; bad = 1 } { last = $1 } END { exit bad }'
}

# The gateway's control connection goes by way of a relay that can be cut.
start_relay()
{
	rm -f "$net_dir/control.sock"
	net_spawn relay "$tor_python" "$tests_top/tests/system/relay.py" "$net_dir/control.sock" \
	    "$tornet_dir/gateway/control" "$net_dir/wire"
	net_wait 30 test -S "$net_dir/control.sock"
}

up()
{
	mkdir -m 700 "$net_dir/wire" && net_gateway_control=$net_dir/control.sock &&
	    tor_took "private Tor network" tornet_start && tornet_join gateway && start_relay &&
	    net_make $tor_times people 2 && net_start
}
members() { tor_took "mixes and members online" test_members alice bob && tor_took "contacts" test_introduce alice bob; }
flowing() { net_wait 60 test -s "$net_dir/alice.taken" && net_wait 60 test -s "$net_dir/bob.taken" && disturb "nothing" true; }

kill_gateway_tor() { tornet_kill gateway && tornet_join gateway; }
cut_control() { net_kill KILL relay && start_relay; }
kill_agent_tor()
{
	victim=$(tor_child alice)
	kill -9 "$victim" && net_wait 60 new_child "$victim"
}
new_child() { [ -n "$(tor_child alice)" ] && [ "$(tor_child alice)" != "$1" ]; }

must "a network with an onion service starts" up
must "two members come online through tors of their own, and meet" members
tor_show
send_loop alice bob &
one=$!
send_loop bob alice &
two=$!
must "messages flow both ways" flowing
must "the gateway's tor is killed and started again: they flow again" \
    disturb "gateway's tor killed -9 and started again" tor_republished kill_gateway_tor
must "its control connection is cut: they flow again" disturb "control connection cut" tor_republished cut_control
must "the agent's tor is killed: it has a new one, they flow again" \
    disturb "the agent's tor killed -9" kill_agent_tor
tor_show
touch "$net_dir/stop"
wait "$one" "$two"
net_wait "$test_patience" all_came alice bob
check "every message that Alice's agent took reached Bob" all_came alice bob
net_wait "$test_patience" all_came bob alice
check "every message that Bob's agent took reached Alice" all_came bob alice
check "Alice's came in order, none twice" in_order alice bob
check "Bob's came in order, none twice" in_order bob alice
echo "# taken: alice $(wc -l <"$net_dir/alice.taken"), bob $(wc -l <"$net_dir/bob.taken")"
test_logs
