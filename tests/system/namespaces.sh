#!/bin/sh
# Gateway, mixes and members each in a network namespace of its own, over TCP: a
# message passes, and nobody listens anywhere but where it should.
. "${srcdir:-.}/tests/system/lib.sh"

python=${PYTHON:-$(command -v python3 || true)}
PATH=$PATH:/usr/sbin:/sbin
ns=rst$$
if [ -z "$python" ] || ! ip netns add "$ns-hub" 2>/dev/null; then
	echo '1..0 # SKIP network namespaces cannot be made here'
	exit 0
fi
hosts='gateway mix0 mix1 mix2 alice bob'

# The bridge stands in a namespace too: nothing is added to this machine's network.
make_hosts()
{
	ip -n "$ns-hub" link add bridge type bridge && ip -n "$ns-hub" link set bridge up || return 1
	i=0
	for host in $hosts; do
		i=$((i + 1))
		ip netns add "$ns-$host" &&
		    ip -n "$ns-hub" link add "v$i" type veth peer name eth0 netns "$ns-$host" &&
		    ip -n "$ns-hub" link set "v$i" master bridge up &&
		    ip -n "$ns-$host" addr add "10.99.0.$i/24" dev eth0 &&
		    ip -n "$ns-$host" link set eth0 up &&
		    ip -n "$ns-$host" link set lo up || return 1
	done
}

remove_hosts()
{
	for host in $hosts hub; do
		ip netns delete "$ns-$host" 2>/dev/null || :
	done
}

# What network.sh asks, answered for hosts of their own.
net_address()
{
	case $1 in
	gateway) echo 10.99.0.1:7000 ;;
	mix0) echo 10.99.0.2:7001 ;;
	mix1) echo 10.99.0.3:7001 ;;
	mix2) echo 10.99.0.4:7001 ;;
	entrance) echo "unix:$net_dir/entrance.sock" ;;
	esac
}
net_spawn()
{
	net_who=$1
	shift
	ip netns exec "$ns-${net_who%-*}" "$@" >>"$net_dir/$net_who.log" 2>&1 </dev/null &
	echo $! >"$net_dir/$net_who.pid"
}

# Until there is an onion service the entrance is a unix socket; a relay in the
# gateway's namespace stands for what brings clients there.
relay()
{
	cat >"$net_dir/door.py" <<-'X'
		import socket, sys, threading
		def pump(a, b):
		    try:
		        while data := a.recv(65536):
		            b.sendall(data)
		    except OSError:
		        pass
		    for s in (a, b):
		        try:
		            s.shutdown(socket.SHUT_RDWR)
		        except OSError:
		            pass
		door = socket.create_server(("10.99.0.1", 7009))
		while True:
		    client, _ = door.accept()
		    inside = socket.socket(socket.AF_UNIX)
		    try:
		        inside.connect(sys.argv[1])
		    except OSError:
		        client.close()
		        continue
		    for pair in ((client, inside), (inside, client)):
		        threading.Thread(target=pump, args=pair, daemon=True).start()
	X
	net_spawn gateway-door "$python" "$net_dir/door.py" "$net_dir/entrance.sock"
}

start()
{
	make_hosts && net_make slot 100ms round 200ms people 2 time-scale 20 && net_configure ||
	    return 1
	for i in 0 1 2; do
		echo 'entrance = 10.99.0.1:7009' >>"$net_dir/mix$i.conf"
	done
	net_start_node gateway
	net_wait 30 test -S "$net_dir/entrance.sock" || return 1
	relay
	for i in 0 1 2; do
		net_start_node "mix$i"
	done
	net_wait 90 net_ready
}

members()
{
	for who in alice bob; do
		net_member "$who" || return 1
		sed -i '/^entrance/d' "$net_dir/$who/restante.conf"
		echo 'entrance = 10.99.0.1:7009' >>"$net_dir/$who/restante.conf"
		net_start_agent "$who" || return 1
	done
	net_wait 90 net_online alice && net_wait 90 net_online bob && test_introduce alice bob
}

came() { test_received bob | grep -qx 'over six hosts'; }
message() { net_client alice send bob 'over six hosts' && net_wait 90 came; }

# listens HOST WANTED: all that listens on TCP there.
listens()
{
	found=$(ip netns exec "$ns-$1" ss -H -ltn | awk '{ print $4 }' | sort | tr '\n' ' ')
	[ "$found" = "$2" ] || { echo "$1 listens at: $found"; return 1; }
}
listeners()
{
	listens gateway '10.99.0.1:7000 10.99.0.1:7009 ' && listens mix0 '10.99.0.2:7001 ' &&
	    listens mix1 '10.99.0.3:7001 ' && listens mix2 '10.99.0.4:7001 ' &&
	    listens alice '' && listens bob ''
}

# A member talks to the gateway's door and to nobody else.
member_talks()
{
	found=$(ip netns exec "$ns-alice" ss -H -tun | awk '{ print $6 }' | sort -u | tr '\n' ' ')
	[ "$found" = '10.99.0.1:7009 ' ] || { echo "alice talks to: $found"; return 1; }
}

test_begin 6
trap 'test_end; remove_hosts' EXIT
must "gateway and mixes start on hosts of their own" start
must "members on hosts of their own meet" members
check "a message passes" message
check "nobody listens anywhere but where the charter says" listeners
check "a member's host talks to the gateway's entrance alone" member_talks
stopped() { net_stop; ! ip netns exec "$ns-mix0" ss -H -ltn | grep -q .; }
check "after the end nobody listens" stopped
