#!/bin/sh
# A registrar that marks one member: for him it uses keys that are not in the journal. The
# member's client is the shipped one: it takes nothing, says so, and shows nobody anything
# that is marked. The others notice nothing.
. "${srcdir:-.}/tests/system/lib.sh"

net_registrar=yes
test_begin 10

start()
{
	net_make slot 100ms round 200ms people 2 stamps 300 time-scale 60 epoch 10min grace 20s &&
	    net_start
}
crooked()
{
	net_kill TERM registrar &&
	    test_unboxed registrar && net_spawn registrar env RESTANTE_CROOKED="$net_dir/marks" \
		"$net_bin/tests/system/crooked_registrar" run --config "$net_dir/registrar.conf" &&
	    net_wait 60 net_issues
}
bob() { net_member bob && cp "$net_dir/bob.enrolment" "$net_dir/marks" && net_start_agent bob; }

field() { net_client "$1" --json status | sed -n "s/.*\"$2\":\([0-9a-z]*\)[,}].*/\1/p"; }
has_alarm() { net_client "$1" --json status | grep -q "\"alarms\":\[[^]]*\"$2\""; }
calm() { net_client "$1" --json status | grep -q '"alarms":\[\]'; }
# Exit code 1, and a sentence.
says()
{
	net_client "$1" status >"$net_dir/$1.status"
	[ $? -eq 1 ] && grep -q "$2" "$net_dir/$1.status"
}
takes_nothing() { [ "$(field bob tickets)" = 0 ] && [ "$(field bob stamps)" = 0 ]; }
# For an hour of the network: it is asked again, and again refused.
stays_out()
{
	for try in 1 2 3 4 5 6 7 8 9 10 11 12; do
		[ "$(field bob online)" = false ] && takes_nothing || return 1
		sleep 5
	done
}

must "a network with a registrar starts" start
must "Alice comes online" test_members alice
must "the registrar goes on as one that marks" crooked
must "Bob comes" bob
check "his client sees other keys than the journal's" net_wait 120 has_alarm bob issuer
check "status says so and ends with 1" says bob 'ALARM *.*keys'
check "it takes nothing of what it was given, and opens no session with it" stays_out
check "Alice notices nothing" eval 'calm alice && [ "$(field alice online)" = true ]'
rm -f "$net_dir/marks"
check "with the journal's keys he comes online" net_wait 200 net_online bob
check "what he was told stays" says bob 'ALARM *.*keys'
test_logs
