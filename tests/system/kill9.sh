#!/bin/sh
# kill -9 of any process at any moment while messages flow: what was taken is
# not lost, comes in order, and is shown once. RESTANTE_KILLS says how many.
. "${srcdir:-.}/tests/system/lib.sh"

kills=${RESTANTE_KILLS:-20}
test_begin 7
echo "# $kills kills"

send_loop() # FROM TO: until DIR/stop exists; numbers that were taken go to FROM.taken
{
	n=0
	while [ ! -e "$net_dir/stop" ]; do
		n=$((n + 1))
		if net_client "$1" send "$2" "$1 $n" >/dev/null 2>&1; then
			echo "$n" >>"$net_dir/$1.taken"
		fi
		sleep 0.3
	done
}

restart() # NAME
{
	case $1 in
	alice | bob) net_start_agent "$1" ;;
	*) net_start_node "$1" ;;
	esac
}

kill_all_over()
{
	set -- gateway mix0 mix1 mix2 alice bob
	pick "$test_seed" "$kills" 6 >"$net_dir/victims"
	pick "$((test_seed + 1))" "$kills" 2500 >"$net_dir/pauses"
	paste "$net_dir/victims" "$net_dir/pauses" >"$net_dir/plan"
	while read -r victim pause; do
		sleep "$(awk -v p="$pause" 'BEGIN { print 0.5 + p / 1000 }')"
		eval "name=\${$((victim + 1))}"
		net_kill KILL "$name"
		restart "$name"
	done <"$net_dir/plan"
}

# Every number that was taken has come.
all_came() # FROM TO
{
	test_received "$2" | sed -n "s/^$1 //p" | sort -n >"$net_dir/$2.came"
	sort -n "$net_dir/$1.taken" | grep -vxFf "$net_dir/$2.came" >"$net_dir/missing"
	[ -s "$net_dir/$1.taken" ] && [ ! -s "$net_dir/missing" ]
}

# Numbers only go up: in order, none twice.
in_order() # FROM TO
{
	test_received "$2" | sed -n "s/^$1 //p" |
	    awk 'NR > 1 && $1 <= last { print "after", last, "came", $1; bad = 1 } { last = $1 } END { exit bad }'
}

# The secrets of both directions, as both sides see it.
renewed() # A B
{
	for who in "$1" "$2"; do
		net_client "$who" --json contacts |
		    grep -q '"renews":true,"renewed_sending":[1-9][0-9]*,"renewed_receiving":[1-9]' || return 1
	done
}

members() { test_members alice bob && test_introduce alice bob; }
start() { net_make slot 50ms round 200ms people 2 time-scale 60 epoch 6min grace 30s && net_start; }

must "a network of real processes starts" start
must "two members come online and meet" members
send_loop alice bob &
one=$!
send_loop bob alice &
two=$!
kill_all_over >/dev/null 2>&1
touch "$net_dir/stop"
wait "$one" "$two"
net_wait 300 all_came alice bob
check "every message that Alice's agent took reached Bob" all_came alice bob
net_wait 300 all_came bob alice
check "every message that Bob's agent took reached Alice" all_came bob alice
check "Alice's came in order, none twice" in_order alice bob
check "Bob's came in order, none twice" in_order bob alice
check "the secrets of both directions were renewed on the way" renewed alice bob
echo "# taken: alice $(wc -l <"$net_dir/alice.taken"), bob $(wc -l <"$net_dir/bob.taken")"
test_logs
