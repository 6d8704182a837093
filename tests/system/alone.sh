#!/bin/sh
# n-1 against real processes: the gateway lets only Alice's packets through. The mixes are
# the shipped ones. They notice, alarm and let nothing more pass; when it ends the network
# comes back by itself, and what Alice wrote meanwhile arrives.
. "${srcdir:-.}/tests/system/lib.sh"

test_begin 10

# The attacker's gateway, and the victim's client.
net_start_node()
{
	case $1 in
	gateway) test_unboxed gateway && RESTANTE_ALONE="$net_dir" net_spawn gateway \
	    "$net_bin/tests/system/alone_gateway" run --config "$net_dir/gateway.conf" ;;
	mix*) net_spawn "$1" "$net_bin/mix/restante-mix" run --config "$net_dir/$1.conf" ;;
	esac
}

net_start_agent()
{
	net_program=$net_bin/client-lib/restante
	[ "$1" = alice ] && net_program=$net_bin/tests/system/alone_client
	RESTANTE_ALONE="$net_dir" XDG_RUNTIME_DIR="$net_dir" net_spawn "$1" "$net_program" \
	    --dir "$net_dir/$1" agent --key-file "$net_dir/$1.key"
}

start() { net_make slot 200ms round 400ms people 4 time-scale 20 epoch 6min grace 30s && net_start; }
members() { test_members alice bob && test_introduce alice bob; }

mix_status() { net_mix status --config "$net_dir/$1.conf" --json; }

# Whether all mixes are in this state.
all_mixes() # STATE
{
	for mix in mix0 mix1 mix2; do
		mix_status "$mix" | grep -q "\"heartbeat\":{\"state\":\"$1\"" || return 1
	done
}

all_alarmed()
{
	for mix in mix0 mix1 mix2; do
		grep -q 'alarm heartbeat-lost' "$net_dir/$mix.log" || return 1
	done
}

over() { mix_status mix0 | grep -q '"alarms":\[\]'; }
has_come() { test_received bob | grep -q "$1"; }
says() { mix_status mix0; mix_status mix0 | grep -q 'stopped: its own packets do not come back'; }

# What is written while all mixes stand does not come as long as they do. They stand until
# the next 30 s: too short a stand is no proof, and the next one is taken.
held_back()
{
	for try in 1 2 3 4 5 6; do
		net_wait 120 all_mixes stopped || return 1
		net_client alice send bob "under attack $try" >/dev/null || return 1
		looks=0
		while all_mixes stopped; do
			has_come "under attack $try" && return 1
			looks=$((looks + 1))
			sleep 0.3
		done
		[ "$looks" -lt 10 ] || return 0
	done
	return 1
}

must "a network with such a gateway starts" start
must "two members come online and meet" members
net_client alice send bob "in peace" >/dev/null
check "a message arrives" net_wait 120 has_come "in peace"
check "the mixes judge their notes" net_wait 120 all_mixes runs
touch "$net_dir/attack"
check "under attack every mix alarms and stops" net_wait 120 all_alarmed
check "status says why" net_wait 60 says
check "while they stand nothing gets through" held_back
rm "$net_dir/attack"
check "when it ends all mixes start by themselves" net_wait 400 all_mixes runs
check "the alarm is over" net_wait 60 over
check "and what was written under attack arrives" net_wait 400 has_come "under attack $try"
test_logs
