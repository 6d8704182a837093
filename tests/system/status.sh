#!/bin/sh
# `status` of both daemons, and their alarms in all three outlets, while a network
# has no sheet, has one, loses a mix, and while a disk is full.
. "${srcdir:-.}/tests/system/lib.sh"

test_begin 24
PATH=$PATH:/usr/sbin:/sbin
python=${PYTHON:-python3}
# of daemons that may take long on a busy machine: a minute of the protocol is 1.5 s
scale=40

# status NODE [--json]: into NODE.out and NODE.err; the exit code.
status()
{
	status_of=$1
	shift
	case $status_of in
	gateway) net_gateway status --config "$net_dir/gateway.conf" "$@" ;;
	*) net_mix status --config "$net_dir/$status_of.conf" "$@" ;;
	esac >"$net_dir/$status_of.out" 2>"$net_dir/$status_of.err"
}

# exits CODE NODE [--json]: status ends with this code.
exits()
{
	exits_want=$1
	shift
	status "$@"
	exits_got=$?
	cat "$net_dir/$1.out" "$net_dir/$1.err"
	echo "exit code $exits_got, wanted $exits_want"
	[ "$exits_got" -eq "$exits_want" ]
}

# json NODE EXPRESSION: of the JSON, as s.
json()
{
	status "$1" --json
	"$python" -c 'import json, sys
s = json.load(open(sys.argv[1]))
sys.exit(0 if eval(sys.argv[2]) else "not so: " + sys.argv[2] + "\n" + str(s))' "$net_dir/$1.out" "$2"
}

# A minute of the protocol is 1.5 s: on a busy machine a link is lost and found in between.
soon() { net_wait 120 json "$@"; }

# A mix that lost its heartbeats stands until the next full ten minutes, after the second
# stop in an hour until the next hour (90 s here), and after the third until the next epoch
# (six minutes). What this test does to the network may cost a mix two or three stops.
well_again() { net_wait 420 exits 0 "$1"; }

command_ran() { grep -qx "$1" "$net_dir/$2.alarms"; }

# The part of a state directory that fills up: a small memory of its own.
put_on_tmpfs()
{
	mkdir "$net_dir/keep" && cp -a "$net_dir/mix1/." "$net_dir/keep" &&
	    mount -t tmpfs -o size=8m,mode=0700 tmpfs "$net_dir/mix1" &&
	    cp -a "$net_dir/keep/." "$net_dir/mix1"
}
mounted=no
trap 'net_stop; [ "$mounted" = no ] || umount "$net_dir/mix1"; test_end' EXIT

make_network()
{
	net_make slot 100ms round 200ms people 2 epoch 4h time-scale "$scale" || return 1
	net_configure
	for one in gateway mix0 mix1 mix2; do
		printf '#!/bin/sh\necho "$@" >>"%s"\n' "$net_dir/$one.alarms" >"$net_dir/$one.command"
		chmod 700 "$net_dir/$one.command"
		printf 'alarm-command = %s\ndisk-low = 2MiB\n' "$net_dir/$one.command" \
		    >>"$net_dir/$one.conf"
	done
}
start_most() { for one in gateway mix0 mix1; do net_start_node "$one"; done; }

must "a network is made" make_network
[ "$(id -u)" -eq 0 ] && put_on_tmpfs 2>/dev/null && mounted=yes

# ---- exit codes without a daemon ----

nobody() { exits 69 mix0 && grep -q '^restante-mix: no daemon listens at unix:' "$net_dir/mix0.err"; }
check "no daemon: 69 and a sentence" nobody
no_config() { net_gateway status --config "$net_dir/none"; [ $? -eq 78 ]; }
check "no configuration: 78" no_config
no_option() { net_gateway status; [ $? -eq 64 ]; }
check "no option: 64" no_option
long_desk()
{
	cp "$net_dir/mix0.conf" "$net_dir/long.conf"
	printf 'desk = unix:/%0120d\n' 0 >>"$net_dir/long.conf"
	net_mix status --config "$net_dir/long.conf" 2>&1 | tee "$net_dir/long.err"
	net_mix run --config "$net_dir/long.conf" 2>&1 | tee -a "$net_dir/long.err"
	[ "$(grep -c 'desk' "$net_dir/long.err")" -eq 2 ]
}
check "a desk whose path is too long for a socket is refused in a sentence" long_desk

# ---- without a sheet ----

start_most
asked() { status "$1"; [ $? -le 1 ]; }
check "three of four nodes are up and answer" eval \
    'net_wait 30 asked gateway && net_wait 30 asked mix0 && net_wait 30 asked mix1'
no_sheet()
{
	exits 1 "$1" && grep -qx 'ready              no' "$net_dir/$1.out" &&
	    grep -qx '  sheet            no' "$net_dir/$1.out" &&
	    json "$1" 'not s["ready"] and s["reason"] and not s["epoch"]["sheet"]'
}
check "the gateway is not ready, and why" no_sheet gateway
check "a mix is not ready, and why" no_sheet mix0
missing()
{
	net_wait 30 json "$1" '"sheet-missing" in [a["name"] for a in s["alarms"]]' &&
	    net_wait 10 command_ran "raised sheet-missing [0-9]*" "$1" &&
	    grep -q ' alarm sheet-missing epoch=' "$net_dir/$1.log"
}
check "that is an alarm at the gateway, and its command runs" missing gateway
check "and at a mix" missing mix0

# ---- with a sheet ----

net_start_node mix2
all_good()
{
	for one in gateway mix0 mix1 mix2; do
		well_again "$one" || { exits 0 "$one"; return 1; }
	done
}
check "with the last mix all are ready and have no alarm: 0" all_good
check "the alarm is over, for the command too" net_wait 10 command_ran \
    'cleared sheet-missing [0-9]*' gateway
as_documented()
{
	for one in gateway mix0; do
		soon "$one" 's["format"] == 1 and s["ready"] and s["reason"] is None and s["alarms"] == []
' || return 1
		"$python" - "$net_dir/$one.out" "$tests_top/docs/operator.md" <<-'END' || return 1
		import json, sys
		guide = open(sys.argv[2]).read()
		def keys(v):
		    for k, w in (v.items() if isinstance(v, dict) else enumerate(v)):
		        if isinstance(k, str):
		            yield k
		        if isinstance(w, (dict, list)):
		            yield from keys(w)
		missing = [k for k in keys(json.load(open(sys.argv[1]))) if "`%s`" % k not in guide]
		sys.exit("not in docs/operator.md: %s" % missing if missing else 0)
		END
	done
}
check "every key of the JSON is in the operator's guide" as_documented
links_up()
{
	soon gateway 'len(s["links"]) == 3 and all(l["accepted"] == "up" for l in s["links"])' &&
	    soon mix1 '[l["dialled"] for l in s["links"]].count("up") == 2'
}
check "the links are listed" links_up
discreet()
{
	for one in gateway mix0 mix1 mix2; do
		status "$one" && cp "$net_dir/$one.out" "$net_dir/all.out"
		status "$one" --json && cat "$net_dir/$one.out" >>"$net_dir/all.out"
		! grep -E 'unix:|127\.|/|[0-9a-f]{16}|[a-z2-7]{26}|[0-9]:[0-9]*[1-9]Z' "$net_dir/all.out" ||
		    return 1
		for public in "$net_dir"/*.pub; do
			for word in $(cat "$public"); do
				[ ${#word} -lt 20 ] || ! grep -qF "$word" "$net_dir/all.out" || return 1
			done
		done
	done
}
check "no address, no path, no key and no fine time is in it" discreet
coarse()
{
	soon gateway 's["packets"]["forwarded"] > 0' || return 1
	json gateway 'all(v % 10 == 0 for k in ("packets", "drops") for v in s[k].values())' &&
	    json mix0 'all(v % 10 == 0 for k in ("packets", "drops") for v in s[k].values())'
}
check "counts of traffic come after ten minutes, in tens" coarse

# ---- a mix is down ----

net_kill KILL mix0
down() { exits 1 gateway --json; json gateway '{"node": 1, "dialled": "down", "accepted": "down"} in s["links"]'; }
check "a mix dies: the gateway's status has its links down and is not ready" net_wait 30 down
link_down()
{
	soon gateway '("link-down", 1) in [(a["name"], a["number"]) for a in s["alarms"]]' &&
	    net_wait 10 command_ran 'raised link-down 1' gateway &&
	    grep -q ' alarm link-down node=1 minutes=10$' "$net_dir/gateway.log"
}
check "after ten minutes that is an alarm, in all three outlets" link_down
net_start_node mix0
link_back()
{
	well_again gateway && net_wait 10 command_ran 'cleared link-down 1' gateway &&
	    grep -q ' info link-down-over node=1$' "$net_dir/gateway.log"
}
check "it comes back: over, in all three" link_back

# ---- a full disk ----

fill() { mkdir "$net_dir/mix1/filler" && ! cat /dev/zero >"$net_dir/mix1/filler/0"; }
disk_full()
{
	fill
	soon mix1 's["disk"]["state"] == "failing" and not s["ready"]' &&
	    soon mix1 '{"disk-failed", "disk-low"} <= {a["name"] for a in s["alarms"]}' &&
	    exits 1 mix1 && net_wait 10 command_ran 'raised disk-low 0' mix1 &&
	    net_wait 10 command_ran 'raised disk-failed [0-9]*' mix1
}
disk_good()
{
	rm -r "$net_dir/mix1/filler"
	well_again mix1 && soon mix1 's["disk"]["state"] == "ok"' &&
	    net_wait 30 command_ran 'cleared disk-failed [0-9]*' mix1 &&
	    net_wait 30 command_ran 'cleared disk-low 0' mix1 && return 0
	exits 0 mix1
	cat "$net_dir/mix1.alarms" "$net_dir/mix1.log"
	return 1
}
if [ "$mounted" = yes ]; then
	check "a mix's disk is full: two alarms" disk_full
	check "there is room again: none" disk_good
else
	for what in "a mix's disk is full: two alarms" "there is room again: none"; do
		test_number=$((test_number + 1))
		echo "ok $test_number - $what # SKIP cannot mount file systems here"
	done
fi

# ---- the desk ----

mode() { [ "$(stat -c %a "$net_dir/gateway/desk")" = 600 ]; }
check "the desk is its owner's alone" mode
hangs()
{
	kill -STOP "$(net_pid mix2)"
	exits 75 mix2
	hung=$?
	kill -CONT "$(net_pid mix2)"
	[ "$hung" -eq 0 ] && grep -q "does not answer" "$net_dir/mix2.err"
}
check "a daemon that hangs: 75 and a sentence, in time" hangs
gone()
{
	net_kill HUP mix2
	exits 69 mix2 && ! grep -l 'alarm-command-failed' "$net_dir"/*.log && [ ! -e "$net_dir/mix2/desk" ]
}
check "SIGHUP ends a daemon, its desk goes, and no command failed" gone
test_logs
