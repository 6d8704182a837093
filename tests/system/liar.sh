#!/bin/sh
# A gateway that lies to some: another sheet for Carol, another journal for Bob, another
# sheet for one session of a mix. Clients and mixes are the shipped ones. What is built on
# a lie dies at an honest mix, the next message exposes it, and what the gateway signed
# convicts it before anybody who has the charter.
. "${srcdir:-.}/tests/system/crookedlib.sh"

test_begin 21

start()
{
	net_make slot 100ms round 400ms people 6 time-scale 60 epoch 2min grace 20s || return 1
	net_configure && printf 'entrance = unix:%s\n' "$net_dir/mix0.door" >>"$net_dir/mix0.conf" || return 1
	crooked_door bob && crooked_door carol && crooked_door mix0 3 && net_start_without_configuring
}
net_start_without_configuring() { for one in gateway mix0 mix1 mix2; do net_start_node "$one"; done; }
members()
{
	crooked_members alice bob carol && test_introduce alice bob && test_introduce alice carol
}

# The first epoch about which a door lies has begun.
lies_run() # DOOR
{
	first=$(sed -n 's/^lies [1-9].* from epoch //p' "$net_dir/door-$1.log" | tail -n 1)
	[ -n "$first" ] && [ "$(date +%s)" -ge $((first * 120 + 5)) ]
}
forged_above() { [ "$(mix_number mix0 forged)" -gt "$1" ]; }

# Nothing is amiss with this client, and there is nothing to export.
innocent()
{
	net_client "$1" evidence list | grep -q 'no evidence' && ! has_alarm "$1" fork &&
	    ! net_client "$1" evidence export
}
export_of() { rm -f "$net_dir/$1.evidence"; net_client "$1" evidence export 1 --output "$net_dir/$1.evidence"; }

must "a network starts, with doors that are honest" start
must "three members come online and meet" members
net_client bob send alice "in peace" >/dev/null
net_client alice send bob "in peace, too" >/dev/null
check "a message arrives through such a door" net_wait 120 has_come alice "in peace"
check "and one the other way" net_wait 120 has_come bob "in peace, too"
check "nobody accuses anybody" eval 'innocent bob && innocent carol && innocent alice'

# ---- another sheet ----

echo sheets >"$net_dir/carol.lies"
check "another sheet: Carol's client sees it by itself" net_wait 400 has_alarm carol fork
check "her status says so and ends with 1" says carol 'ALARM *the gateway lied'
check "it exports the evidence" export_of carol
check "with the charter anybody verifies it; changed, nobody" convicts "$net_dir/carol.evidence" 'two sheets'
check "the others know nothing of it" eval 'innocent alice && innocent bob'
rm -f "$net_dir/carol.lies"

# ---- another journal ----

before=$(mix_number mix0 forged)
echo sheets journal >"$net_dir/bob.lies"
check "another journal: Bob is shown it" net_wait 400 lies_run bob
net_client bob send alice "by another sheet" >/dev/null
check "his packets die at the first mix" net_wait 60 forged_above $((before + 20))
check "nothing of his arrives, and alone he cannot tell why" eval \
    '! has_come alice "by another sheet" && innocent bob'
net_client alice send bob "what do you see?" >/dev/null
check "the next message exposes it" net_wait 200 has_alarm bob fork
check "his status says so and ends with 1" says bob 'ALARM *the gateway lied'
check "it exports the evidence" export_of bob
check "with the charter anybody verifies it; changed, nobody" convicts "$net_dir/bob.evidence" 'two blocks for round\|two epoch blocks'
rm -f "$net_dir/bob.lies"

# ---- another sheet for a mix ----

mix_evidence() { net_mix evidence --config "$net_dir/mix0.conf" "$@"; }
mix_has_evidence() { mix_evidence list | grep -q '^1 '; }
mix_export() { mix_evidence export 1 --output "$net_dir/mix0.evidence"; }

# From the start of the epoch that it was lied to about: packets come, none leaves.
releases_nothing()
{
	net_wait 300 lies_run mix0 || return 1
	sleep 20
	released=$(mix_number mix0 released) received=$(mix_number mix0 received)
	sleep 40
	echo "released $released then $(mix_number mix0 released), received $received then $(mix_number mix0 received)"
	[ "$(mix_number mix0 released)" -eq "$released" ] && [ "$(mix_number mix0 received)" -gt "$received" ]
}

echo sheets >"$net_dir/mix0.lies"
check "another sheet in one of a mix's three sessions: it has evidence" net_wait 400 mix_has_evidence
check "it is exported and verifies; changed, it does not" eval \
    'mix_export && convicts "$net_dir/mix0.evidence" "two sheets"'
rm -f "$net_dir/mix0.lies"
check "in that epoch the mix releases nothing" releases_nothing
net_client carol send alice "after the lie" >/dev/null
check "in another epoch the network goes on" net_wait 500 has_come alice "after the lie"
test_logs
