#!/bin/sh
# What `restante-evaluate plan` says of a network, and what a network of real processes does at
# those very parameters: delay of messages, bytes of a client, and what a member is told.
# `make plan-measured`. RESTANTE_MEASURED_HOURS: session hours (three minutes each) to measure.
# Nothing but the measuring is in a hurry.
: "${test_session:=300}" "${test_patience:=300}"
. "${srcdir:-.}/tests/system/lib.sh"

hours=${RESTANTE_MEASURED_HOURS:-3}
python=${PYTHON:-$(command -v python3 || true)}
tools=$tests_top/tests/system
evaluate=${RESTANTE_EVALUATE:-$net_bin/evaluation/restante-evaluate}
pairs='ann ben cat dan eve fay'
hour=180
period=6 # seconds between two messages of one person, in the mean

[ -n "$python" ] && [ -x "$evaluate" ] || { echo "1..0 # SKIP no python3, or nothing is built"; exit 0; }
test_begin 6
echo "# $hours hours of $hour s"

start()
{
	net_make slot 1500ms round 3s people 6 time-scale 20 epoch 18min grace 2min pieces 4 && net_start
}

# Ann's session passes a relay that counts.
members()
{
	test_members ben cat dan eve fay && net_member ann || { echo "not online"; return 1; }
	net_spawn relay "$python" "$tools/relay.py" "$net_dir/tap.sock" "$net_dir/entrance.sock" "$net_dir"
	net_wait "$test_session" test -S "$net_dir/tap.sock" || { echo "no relay"; return 1; }
	printf 'entrance = unix:%s\n' "$net_dir/tap.sock" >>"$net_dir/ann/restante.conf"
	net_start_agent ann && net_wait "$test_session" net_online ann || { echo "ann is not online"; return 1; }
	test_introduce ann ben && test_introduce cat dan && test_introduce eve fay
}

# A record costs one deposit: acknowledgements ride in the answers. A plan counts two, so it is
# asked for half of the messages. All of them go to one contact.
plan()
{
	"$evaluate" plan --json --slot 1500ms --round 3s --people 6 --time-scale 20 --epoch 18min \
	    --grace 2min --pieces 4 --messages "$1" --to-contact $((2 * $1)) >"$net_dir/$2"
}

# What a member is told is what the plan says, at what people are taken to write.
told()
{
	plan 50 plan.usual && net_client ann --json status >"$net_dir/status" || return 1
	"$python" - "$net_dir/plan.usual" "$net_dir/status" <<-'X'
		import json, sys
		plan, status = (json.load(open(p)) for p in sys.argv[1:])
		figure = {(f["group"], f["figure"]): f["value"] for f in plan["figures"]}
		want = {"half_stored_ms": int(figure["delay", "p50"]), "most_stored_ms": int(figure["delay", "p95"]),
		        "people_effective": int(figure["anonymity", "people_effective"] + 1e-6),
		        "people_least": int(plan["least_people"] + 1e-6)}
		for k, v in want.items():
		    if status[k] != v:
		        sys.exit("%s: status has %s, plan %s" % (k, status[k], v))
	X
}

send_says()
{
	net_client ann send ben "how long" | tee "$net_dir/said"
	grep -q 'half of such messages are stored within .* 95 of 100 within' "$net_dir/said"
}

partner() { case $1 in ann) echo ben ;; ben) echo ann ;; cat) echo dan ;; dan) echo cat ;; eve) echo fay ;; fay) echo eve ;; esac; }

follow() # NAME
{
	net_client "$1" --json inbox --follow 2>/dev/null | "$python" "$tools/measured.py" follow "$net_dir/shown"
}

# From the beginning of an hour on, for whole hours: so many bytes pass, so many messages come.
measure()
{
	now=$(date +%s)
	sleep $((hour - now % hour))
	before=$(stat -c %s "$net_dir/capture")
	seconds=$((hours * hour))
	for who in $pairs; do
		follow "$who" &
		XDG_RUNTIME_DIR="$net_dir" XDG_STATE_HOME="$net_dir/witness" "$python" \
		    "$tools/measured.py" send "$seconds" "$period" "$net_dir/sent" "$who" \
		    "$net_bin/client-lib/restante" --dir "$net_dir/$who" send "$(partner "$who")" &
	done
	sleep "$seconds"
	counted=$(($(stat -c %s "$net_dir/capture") - before))
	sleep 90
	[ -s "$net_dir/sent" ] && [ -s "$net_dir/shown" ]
}

agrees()
{
	"$python" "$tools/measured.py" judge "$net_dir/plan" "$net_dir/sent" "$net_dir/shown" \
	    "$counted" "$seconds" "${RESTANTE_MEASURED_WIDE:-0.1}" >"$net_dir/judged"
	judged=$?
	cat "$net_dir/judged"
	return $judged
}

must "a network of real processes starts" start
must "six members come online and meet" members
check "status tells a member what plan tells the operator" told
check "send says how long it will take" send_says
must "messages for $hours hours" measure
plan $((86400 / period / 2)) plan
check "delay and bytes are as planned" agrees
grep '^#' "$net_dir/judged" || true
