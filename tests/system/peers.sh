#!/bin/sh
# Hundreds of connections that say nothing, or nonsense, or start a handshake
# and do not go on, at the gateway's entrance and at the nodes' addresses: the
# honest go on, memory and descriptors stay bounded, the others are closed.
. "${srcdir:-.}/tests/system/lib.sh"

python=${PYTHON:-$(command -v python3 || true)}
if [ -z "$python" ]; then
	echo '1..0 # SKIP no python3'
	exit 0
fi
test_begin 15

# Alice and mix 0 speak through a relay, so that their first messages are known.
tap() # NAME TARGET
{
	mkdir "$net_dir/$1.tap"
	net_spawn "$1.relay" "$python" "$tests_top/tests/system/relay.py" "$net_dir/$1.sock" \
	    "$2" "$net_dir/$1.tap"
	net_wait 10 test -S "$net_dir/$1.sock"
}

start()
{
	ulimit -S -n 256 || return 1 # the gateway has to ask for more
	net_make slot 100ms round 300ms people 2 time-scale 20 && net_configure || return 1
	echo "listen = unix:$net_dir/mix1.own.sock" >>"$net_dir/mix1.conf"
	for node in gateway mix0 mix1 mix2; do
		net_start_node "$node"
	done
	net_wait 10 test -S "$net_dir/mix1.own.sock" && tap mix1 "$net_dir/mix1.own.sock" || return 1
	test_members bob && net_member alice && tap front "$net_dir/entrance.sock" || return 1
	sed -i "/^entrance/d" "$net_dir/alice/restante.conf"
	echo "entrance = unix:$net_dir/front.sock" >>"$net_dir/alice/restante.conf"
	net_start_agent alice
	net_wait 60 net_online alice && test_introduce alice bob
}

# The first frame of a recording: what the dialler says first has a size of its own.
record() # TAP BYTES
{
	net_wait 10 test -s "$net_dir/$1.tap/capture"
	head -c "$2" "$net_dir/$1.tap/capture" >"$net_dir/$1.first"
	[ "$(wc -c <"$net_dir/$1.first")" -eq "$2" ]
}

resident_kb() { sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$(net_pid "$1")/status"; }
descriptors() { ls "/proc/$(net_pid "$1")/fd" | wc -l; }
processor() { awk '{ print $14 + $15 }' "/proc/$(net_pid "$1")/stat"; }
sizes() { for one in gateway mix1; do echo "$one $(resident_kb "$one") $(descriptors "$one")"; done; }

# Longer than the deadlines of all that is closed, and than a message takes on a busy machine.
attack_s=60
attack() # NAME SOCKET COUNT SECONDS FIRST
{
	net_spawn "$1" "$python" "$tests_top/tests/system/peers.py" "$2" "$3" "$test_seed" "$4" "$5"
	net_wait 20 grep -q opened "$net_dir/$1.log"
}
attack_all()
{
	sizes >"$net_dir/sizes.before"
	attack at.entrance "$net_dir/entrance.sock" 600 $attack_s "$net_dir/front.first" &&
	    attack at.gateway "$net_dir/gateway.sock" 160 $attack_s "$net_dir/mix1.first" &&
	    attack at.mix1 "$net_dir/mix1.own.sock" 160 $attack_s "$net_dir/mix1.first"
}

# A message each way; and one that is sent and read while the attack goes on.
passes() # TEXT SECONDS
{
	net_client alice send bob "$1 from alice" && net_client bob send alice "$1 from bob" &&
	    net_wait "$2" has bob "$1 from alice" && net_wait "$2" has alice "$1 from bob"
}
passes_meanwhile() { passes during $((attack_s - 10)) && attacked; }
has() { test_received "$1" | grep -qF "$2"; }
attacked() { for one in entrance gateway mix1; do kill -0 "$(net_pid "at.$one")" || return 1; done; }

# A mix that comes back finds its way in through the crowd.
mix_comes_back()
{
	links=$(grep -c 'link-up node=2' "$net_dir/mix0.log")
	net_kill KILL mix0
	net_start_node mix0
	net_wait 8 more_links && attacked
}
more_links() { [ "$(grep -c 'link-up node=2' "$net_dir/mix0.log")" -gt "$links" ]; }

bounded()
{
	sizes >"$net_dir/sizes.after"
	paste -d ' ' "$net_dir/sizes.before" "$net_dir/sizes.after"
	paste -d ' ' "$net_dir/sizes.before" "$net_dir/sizes.after" |
	    awk '$5 > $2 + 65536 || $6 > $3 + 700 { bad = 1 } END { exit bad }'
}

alive() { for one in gateway mix0 mix1 mix2 alice bob; do kill -0 "$(net_pid "$one")" || return 1; done; }
finished() { ! kill -0 "$(net_pid "$1")"; }

# closed NAME: all that did not get through a handshake were closed, and not late.
closed()
{
	net_wait $((attack_s + 20)) finished "$1"
	tail -n 1 "$net_dir/$1.log"
	"$python" - "$net_dir/$1.log" <<-'X'
		import json, sys
		seen = json.loads(open(sys.argv[1]).readlines()[-1])
		for kind in ("silent", "half-open", "garbage", "cut", "trickle", "replay-junk"):
		    k = seen[kind]
		    assert k["opened"] > 0 and k["left"] == 0, kind
		    assert k["closed"] == k["opened"] and k["latest"] < 24, kind
		assert seen["half-open"]["latest"] < 5 and seen["replay-junk"]["latest"] < 5
	X
}
few_left() # as many descriptors as before, and some for what is slow to go
{
	for one in gateway mix1; do
		was=$(sed -n "s/^$one [0-9]* //p" "$net_dir/sizes.before")
		[ "$(descriptors "$one")" -le $((was + 100)) ] || return 1
	done
}
quiet() # no process spins: in two seconds less than one of processor time
{
	for one in gateway mix1; do
		before=$(processor "$one")
		sleep 2
		[ $(($(processor "$one") - before)) -lt "$(getconf CLK_TCK)" ] || { echo "$one"; return 1; }
	done
}
# but that of a slow start, before the first message passed
alarms() { grep ' alarm ' "$net_dir"/gateway.log "$net_dir"/mix?.log; }
no_alarm() { alarms | diff "$net_dir/alarms.before" -; }

check "a network starts" start
check "the first message of a session is recorded" record front 4404
check "the first message of a link is recorded" record mix1 $((4380 - 56 + 8 + 16))
check "messages pass before" passes before "$test_patience"
alarms >"$net_dir/alarms.before" || :
check "hundreds of bad connections are made" attack_all
check "messages pass meanwhile" passes_meanwhile
check "a mix that was killed finds its way back through the crowd" mix_comes_back
check "memory and descriptors stay bounded" bounded
check "no process spins" quiet
check "at the entrance they were closed in time" closed at.entrance
check "at the gateway's address they were closed in time" closed at.gateway
check "at a mix's address they were closed in time" closed at.mix1
check "their descriptors are free again" net_wait 20 few_left
check "messages pass after" passes after "$test_patience"
check "nothing died, and there was no alarm" eval 'alive && no_alarm'
