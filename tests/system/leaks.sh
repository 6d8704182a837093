#!/bin/sh
# The promise of docs/threat-model.md, held to real processes: after real
# traffic nothing of its fourth column is on a disk, in a log or on the wire;
# and planted leaks are found.
. "${srcdir:-.}/tests/system/lib.sh"

python=${PYTHON:-$(command -v python3 || true)}
if [ -z "$python" ]; then
	echo '1..0 # SKIP no python3'
	exit 0
fi
leaks() { "$python" "$tests_top/tests/system/leaks.py" "$@"; }
test_begin 13

secret_text="The courier waits under the third bridge"
began=$(date +%s)

start()
{
	net_make slot 50ms round 200ms people 2 time-scale 20 && net_start || return 1
	net_member alice && net_member bob || return 1
	mkdir "$net_dir/tap" || return 1
	net_wait 30 test -S "$net_dir/entrance.sock" || return 1
	net_spawn relay "$python" "$tests_top/tests/system/relay.py" "$net_dir/tap.sock" \
	    "$net_dir/entrance.sock" "$net_dir/tap"
	net_wait 10 test -S "$net_dir/tap.sock" || return 1
	sed -i "/^entrance/d" "$net_dir/alice/restante.conf" && echo "entrance = unix:$net_dir/tap.sock" >>"$net_dir/alice/restante.conf"
	net_start_agent alice
	net_start_agent bob
	net_wait 60 net_ready && net_wait 90 net_online alice && net_wait 90 net_online bob
}

exchange()
{
	introduce || return 1
	leaks invitation "$test_invitation" >"$net_dir/needles"
	printf 'text %s\ntext confidante\ntext source-of-alice\n' "$secret_text" >>"$net_dir/needles"
	net_client bob contacts rename alice source-of-alice || return 1
	head -c 20000 /dev/urandom >"$net_dir/plan.bin"
	printf 'hex %s\n' "$(head -c 64 "$net_dir/plan.bin" | od -An -v -tx1 | tr -d ' \n')" \
	    >>"$net_dir/needles"
	net_client alice send confidante "$secret_text" &&
	    net_client alice send confidante --file "$net_dir/plan.bin" || return 1
	net_wait 90 came && net_wait 60 enough
}
enough() # slots for eight seconds went over Alice's wire, however fast the exchange was
{
	[ "$(net_client alice --json status | sed -n 's/.*"slots":\([0-9]*\).*/\1/p')" -ge 160 ]
}
came() { net_client bob --json inbox | grep -q '"kind":"file".*"complete":true'; }
introduce() # Alice calls Bob her confidante: a name to look for
{
	test_invitation=$(net_client alice --json invite confidante |
	    sed -n 's/.*"invitation":"\([^"]*\)".*/\1/p')
	[ -n "$test_invitation" ] && net_client bob accept alice "$test_invitation" &&
	    net_wait 90 test_established alice
}

stop_all() { net_stop; [ -s "$net_dir/tap/up.trace" ]; }

# What must not be on the nodes' disks and in their logs.
nodes_clean()
{
	{
		cat "$net_dir/needles"
		printf 'after %s\n' "$began"
		printf 'text %s\n' "$net_dir/alice" "$net_dir/bob" 127.0.0.1
	} >"$net_dir/node.needles"
	leaks find "$net_dir/node.needles" "$net_dir"/mix? "$net_dir"/gateway "$net_dir"/mix?.log \
	    "$net_dir/gateway.log"
}
members_clean() { leaks find "$net_dir/needles" "$net_dir/alice" "$net_dir/bob" "$net_dir/alice.log" "$net_dir/bob.log"; }
wire_clean() { leaks find "$net_dir/needles" "$net_dir/tap/capture"; }

# A frame up has 4380 + 8 bytes of packet and header, and 16 of Noise; down the charter's pieces.
frames_up() { leaks frames "$net_dir/tap/up.trace" 4404; }
frames_down()
{
	pieces=$(sed -n 's/^pieces = //p' "$net_dir/charter")
	leaks frames "$net_dir/tap/down.trace" $((pieces * 4224 + 8 + 16))
}

# The slot clock does not show when there is something to send: 20 frames a
# second. A loaded machine may delay frames, so they are counted from the
# beginning of a connection: never more than its slots so far, and the handshake.
steady()
{
	"$python" - "$net_dir/tap/up.trace" <<-'X'
		import json, sys
		seen = 0
		for line in open(sys.argv[1]):
		    frames = 0
		    for second, count in sorted((int(k), v) for k, v in json.loads(line)["seconds"].items()):
		        frames += count / 4404
		        seen += 1
		        if frames > 20 * (second + 1) + 2:
		            sys.exit("%d frames after %d seconds" % (frames, second + 1))
		sys.exit(0 if seen > 5 else "too little was seen")
	X
}

# plant KIND: a copy of the gateway's directory with one leak in it must be found.
plant()
{
	rm -rf "$net_dir/planted"
	cp -r "$net_dir/gateway" "$net_dir/planted"
	case $1 in
	text) printf '%s' "$secret_text" >>"$net_dir/planted/x" ;;
	key) printf 'peer %s' "$(sed -n 's/^hex //p' "$net_dir/needles" | head -n 1)" >>"$net_dir/planted/x" ;;
	base64) printf 'xx%s' "$secret_text" | base64 >>"$net_dir/planted/x" ;;
	time) date -u +%Y-%m-%dT%H:%M:%SZ >>"$net_dir/planted/x" ;;
	esac
	! leaks find "$net_dir/node.needles" "$net_dir/planted"
}

check "a network with an observer on Alice's wire starts" start
check "a message and a file are exchanged" exchange
check "everything stops cleanly" stop_all
check "no text, name, key, address or fine time on the nodes' disks and in their logs" nodes_clean
check "nothing readable in the members' locked directories" members_clean
check "nothing readable on the wire" wire_clean
check "every frame up has one size" frames_up
check "every frame down has one size" frames_down
check "frames go up at the slot's rate, never faster" steady
check "a planted text is found" plant text
check "a planted key is found" plant key
check "a planted text in base64 is found" plant base64
check "a planted fine time is found" plant time
