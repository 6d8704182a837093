#!/bin/sh
# scripts/tor-network: a whole network or none, whatever was left there before,
# and nobody else's process is touched.
. "${srcdir:-.}/tests/system/torlib.sh"

tor_begin 11

network() { "$tests_top/scripts/tor-network" "$@" --dir "$tornet_dir" --owner $$; }
says() { network "$1" --json | grep -q "$2"; }
refused() { if network "$@"; then return 1; fi; }

# Every listening TCP port of these tors is one of 127.0.0.1.
only_loopback()
{
	[ "$(ss -ltnp | grep -c '"tor"')" -ge 6 ] || return 1
	for name in $tornet_nodes gw; do
		ss -ltnp | grep "pid=$(tornet_pid $name)," | awk '$4 !~ /^127\.0\.0\.1:/ { print; bad = 1 } END { exit bad }' ||
		    return 1
	done
}

# A process that has the number of a relay that is no more.
spares_strangers()
{
	sleep 300 &
	stranger=$!
	network kill r2
	echo $stranger >"$tornet_dir/r2/pid"
	network stop && kill -0 $stranger && ! tornet_runs a0
	spared=$?
	kill $stranger
	return $spared
}

stopped()
{
	network stop || return 1
	for name in $tornet_nodes gw; do ! tornet_runs $name || return 1; done
}

crashed()
{
	for name in $tornet_nodes; do kill -9 "$(tornet_pid $name)"; done
	says status '"running":false' && says start '"start":"warm"'
}

# Directories of a network whose consensus is of another time.
stale()
{
	network stop && sed -i 's/^valid-until .*/valid-until 2000-01-01 00:00:00/' \
	    "$tornet_dir/a0/cached-consensus" && says start '"start":"cold"'
}

must "a network starts in an empty directory" tor_took "cold start" says start '"start":"cold"'
check "a second start finds it running" says start '"start":"running"'
tor_show
check "a tor joins it" tor_took "one more tor" network tor gw
check "all listen on 127.0.0.1 only" only_loopback
check "a relay is killed: status says so" eval "network kill r1 && ! says status '\"running\":true'"
check "and start mends it" says start '"nodes":5,"start":"warm"'
check "stop ends all" stopped
check "start and stop spare a stranger with a relay's old number" \
    eval 'tor_took "warm start" says start "\"start\":\"warm\"" && spares_strangers'
check "after a crash of all it starts from the directories" eval 'network start && crashed'
check "directories with an old consensus are made anew" stale
check "clear refusals: other things there, a bad name, no network" eval \
    'mkdir "$net_dir/full" && : >"$net_dir/full/x" &&
    ! "$tests_top/scripts/tor-network" start --dir "$net_dir/full" && refused tor a0 && refused tor A &&
    ! "$tests_top/scripts/tor-network" tor gw --dir "$net_dir/none"'
