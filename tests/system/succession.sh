#!/bin/sh
# The charter of a running network changes twice while messages flow: a second mix in
# each layer, then a dead mix is replaced while a member is away. Nothing is restarted
# for it, and nothing is lost.
. "${srcdir:-.}/tests/system/lib.sh"

test_begin 16

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

all_came() # FROM TO
{
	test_received "$2" | sed -n "s/^$1 //p" | sort -n >"$net_dir/$2.came"
	sort -n "$net_dir/$1.taken" | grep -vxFf "$net_dir/$2.came" >"$net_dir/missing"
	[ -s "$net_dir/$1.taken" ] && [ ! -s "$net_dir/missing" ]
}

in_order() # FROM TO
{
	test_received "$2" | sed -n "s/^$1 //p" |
	    awk 'NR > 1 && $1 <= last { print "after", last, "came", $1; bad = 1 } { last = $1 } END { exit bad }'
}

# new_mix NAME: its keys; it runs with the charter that has it.
new_mix()
{
	net_mix init --dir "$net_dir/$1" --address "$(net_address "$1")" >"$net_dir/$1.pub"
}

start_mix() # NAME CHARTER
{
	printf 'state = %s\ncharter = %s\n' "$net_dir/$1" "$2" >"$net_dir/$1.conf"
	net_start_node "$1"
}

# sign_next DRAFT CHARTER: two of the three authorities.
sign_next()
{
	for i in 1 3; do
		cp "$1" "$1.$i" &&
		    net_charter sign --key "$net_dir/authority$i.key" "$1.$i" >/dev/null || return 1
	done
	net_charter combine -o "$2" "$1.1" "$1.3" >/dev/null
}

publish() { net_gateway charter --config "$net_dir/gateway.conf" publish "$1"; }

node_has() # NAME TEXT
{
	case $1 in
	gateway) net_gateway status --json --config "$net_dir/gateway.conf" ;;
	*) net_mix status --json --config "$net_dir/$1.conf" ;;
	esac | grep -q "$2"
}

in_force() # VERSION NAME...
{
	version=$1
	shift
	for name in "$@"; do
		case $name in
		alice | bob) net_client "$name" --json status | grep -q "\"charter\":$version," ;;
		*) node_has "$name" "\"version\":$version[,}]" ;;
		esac || return 1
	done
}

known() # VERSION NAME...: it is to come
{
	version=$1
	shift
	for name in "$@"; do
		case $name in
		alice | bob) net_client "$name" --json status | grep -q "\"coming_charter\":$version," ;;
		*) node_has "$name" "\"coming_version\":$version," ;;
		esac || return 1
	done
}

second_mixes()
{
	net_charter next "$net_dir/charter" "$net_dir/draft.v2" >/dev/null || return 1
	for layer in 0 1 2; do
		new_mix "mix1$layer" &&
		    net_charter add-node --layer "$layer" "$net_dir/draft.v2" \
			"$(cat "$net_dir/mix1$layer.pub")" >/dev/null || return 1
	done
	sign_next "$net_dir/draft.v2" "$net_dir/charter.v2" &&
	    net_charter verify --previous "$net_dir/charter" "$net_dir/charter.v2" >/dev/null &&
	    publish "$net_dir/charter.v2"
}

start_second_mixes() { for layer in 0 1 2; do start_mix "mix1$layer" "$net_dir/charter.v2"; done; }

too_early()
{
	net_charter next "$net_dir/charter.v2" "$net_dir/draft.early" >/dev/null &&
	    net_charter set "$net_dir/draft.early" from-epoch "$(($(epoch_of charter.v2) + 1))" >/dev/null &&
	    sign_next "$net_dir/draft.early" "$net_dir/charter.early" || return 1
	publish "$net_dir/charter.early" && return 1
	publish "$net_dir/charter.early" 2>&1 | grep -q 'at the earliest'
}

epoch_of() { sed -n 's/^from-epoch = //p' "$net_dir/$1"; }

replacement() # the mix of layer 1, number 2
{
	net_charter next "$net_dir/charter.v2" "$net_dir/draft.v3" >/dev/null &&
	    net_charter remove-node "$net_dir/draft.v3" 2 >/dev/null && new_mix mix21 &&
	    net_charter add-node --layer 1 "$net_dir/draft.v3" "$(cat "$net_dir/mix21.pub")" >/dev/null &&
	    sign_next "$net_dir/draft.v3" "$net_dir/charter.v3" && publish "$net_dir/charter.v3"
}

members() { test_members alice bob && test_introduce alice bob; }
start() { net_make slot 50ms round 200ms people 2 time-scale 60 epoch 1min grace 10s && net_start; }
by_hand() { net_client bob charter "$net_dir/charter.v3" | grep -q 'version 3 from epoch'; }
running_agent_is_named() { net_client alice charter "$net_dir/charter.v3" 2>&1 | grep -q 'restante stop'; }
cut_off() { node_has mix1 '"reason":"the charter does not have this node"'; }

must "a network of real processes starts" start
must "two members come online and meet" members
send_loop alice bob &
one=$!
send_loop bob alice &
two=$!
must "a second mix per layer is published" second_mixes
cp "$net_dir/check.out" "$net_dir/said"
sed 's/^/# /' "$net_dir/said"
old="gateway mix0 mix1 mix2"
check "everybody knows it before it is in force" net_wait 60 known 2 $old alice bob
start_second_mixes
check "and acts by it from its epoch on" net_wait 420 in_force 2 $old mix10 mix11 mix12 alice bob
take_part() { for name in "$@"; do grep -q ' sheet-accepted ' "$net_dir/$name.log" || return 1; done; }
check "the new mixes take part" net_wait 200 take_part mix10 mix11 mix12
check "a charter that would come too soon is refused with the first possible epoch" too_early
net_kill KILL mix1
net_kill TERM bob
must "the replacement of a dead mix is published, a member being away" replacement
start_mix mix21 "$net_dir/charter.v3"
check "it comes into force" net_wait 420 in_force 3 gateway mix0 mix2 mix10 mix11 mix12 mix21 alice
check "the dead one's successor takes part" net_wait 200 take_part mix21
net_start_node mix1
check "the old one, back again, finds no place" net_wait 120 cut_off
check "a member who was away may be given the charter by hand" by_hand
check "but not under a running agent" running_agent_is_named
net_start_agent bob
net_wait 90 net_online bob
sleep 20
touch "$net_dir/stop"
wait "$one" "$two"
net_wait 400 all_came alice bob
check "every message that Alice's agent took reached Bob" all_came alice bob
net_wait 400 all_came bob alice
check "every message that Bob's agent took reached Alice" all_came bob alice
in_order_both() { in_order alice bob && in_order bob alice; }
check "in order, none twice" in_order_both
echo "# taken: alice $(wc -l <"$net_dir/alice.taken"), bob $(wc -l <"$net_dir/bob.taken")"
echo "# missing: $(wc -l <"$net_dir/missing")"
test_logs
