#!/bin/sh
# A network that loses packets honestly raises no alarm; a client whose packets vanish does,
# and what he writes waits until they come back. Clients and mixes are the shipped ones.
# RESTANTE_LOSS_SECONDS says how long each loss lasts; in 60 s a mix judges 360 notes.
. "${srcdir:-.}/tests/system/crookedlib.sh"

loss_seconds=${RESTANTE_LOSS_SECONDS:-60}
test_begin 8

net_start_node() { crooked_start_node "$1"; }
# A forecast is 25 s long: what a busy machine adds is not taken for loss.
start()
{
	net_make slot 500ms round 1s people 6 time-scale 20 epoch 6min grace 40s || return 1
	net_start && crooked_door bob
}
members() { crooked_members alice bob && test_introduce alice bob; }

lost() { cat "$net_dir/lost" 2>/dev/null | wc -l; }
mixes_run()
{
	for mix in mix0 mix1 mix2; do
		net_mix status --config "$net_dir/$mix.conf" --json |
		    grep -q '"heartbeat":{"state":"runs"' || return 1
	done
}
stops() { cat "$net_dir"/mix?.log | grep -c 'alarm heartbeat-lost'; }
client_alarmed() { has_alarm alice notes || has_alarm bob notes; }

# survives PERCENT: for so long, and what was sent when it ends still arrives.
survives()
{
	survives_before=$(lost) survives_stops=$(stops)
	echo "$1" >"$net_dir/loss"
	survives_until=$(($(date +%s) + loss_seconds))
	while [ "$(date +%s)" -lt "$survives_until" ]; do
		sleep 1
		! client_alarmed || return 1
	done
	echo "$(($(lost) - survives_before)) lost, $(($(stops) - survives_stops)) stops"
	[ "$(lost)" -gt "$survives_before" ] && [ "$(stops)" -eq "$survives_stops" ]
}

must "a network with such a gateway starts" start
must "two members come online and meet" members
must "the mixes judge their notes" net_wait 200 mixes_run
check "no alarm at a loss of 1 percent" survives 1
check "none at 5 percent" survives 5
check "none at 10 percent" survives 10
rm -f "$net_dir/loss"

# ---- a client whose packets vanish ----

well() { ! has_alarm bob notes; }
waits()
{
	net_client bob send alice "meanwhile" >/dev/null && sleep 20 &&
	    net_client bob --json inbox --count 1000 | grep '"text":"meanwhile"' |
		grep -q '"state":"queued"' && has_alarm bob notes && ! has_come alice meanwhile
}
alarms() { net_wait 400 has_alarm bob notes && says bob 'ALARM *test packets of ours do not come back'; }
lifts() { net_wait 400 well && net_wait 300 has_come alice meanwhile; }
echo drops >"$net_dir/bob.lies"
check "a client whose packets vanish alarms, and what he writes waits" eval 'alarms && waits'
rm -f "$net_dir/bob.lies"
check "when they come back it lifts by itself, and what waited arrives" lifts
test_logs
