#!/bin/sh
# Hosts as docs/operator.md sets them up: gateway, mixes and members, each in a network
# namespace and with directories of its own, linked by IPv4 and IPv6; the commands are
# the guide's, literally. A message passes; nobody listens, and nothing is sent, but
# where the guide says; and nothing at all leaves a member's host, whose tor is elsewhere
# and reached by a unix socket. All tors are those of a private Tor network on a host of
# its own, and stand for the tor of each machine.
. "${srcdir:-.}/tests/system/lib.sh"
. "$tests_top/scripts/tornet.sh"

python=${PYTHON:-$(command -v python3 || true)}
PATH=$PATH:/usr/sbin:/sbin
ns=rsh$$
tornet_has_programs 2>/dev/null || { echo '1..0 # SKIP no tor or tor-gencert'; exit 0; }
if [ -z "$python" ] || ! ip netns add "$ns-hub" 2>/dev/null; then
	echo '1..0 # SKIP network namespaces cannot be made here'
	exit 0
fi
nodes='gateway mix-a mix-b mix-c'
members='alice bob'
hosts="$nodes $members tor"
tools=$(cd "$tests_top" && pwd)/tests/system

# ---- hosts ----

address4() { case $1 in gateway) echo 192.0.2.10 ;; mix-a) echo 192.0.2.11 ;; mix-b) echo 192.0.2.12 ;;
	mix-c) echo 192.0.2.13 ;; alice) echo 192.0.2.21 ;; bob) echo 192.0.2.22 ;; tor) echo 192.0.2.30 ;; esac; }
address6() { echo "2001:db8::$(address4 "$1" | cut -d. -f4)"; }

# The bridge stands in a namespace too: nothing is added to this machine's network.
make_host()
{
	ip netns add "$ns-$1" &&
	    ip -n "$ns-hub" link add "v-$1" type veth peer name eth0 netns "$ns-$1" &&
	    ip -n "$ns-hub" link set "v-$1" master bridge up &&
	    ip -n "$ns-$1" addr add "$(address4 "$1")/24" dev eth0 &&
	    ip -n "$ns-$1" addr add "$(address6 "$1")/64" dev eth0 nodad &&
	    ip -n "$ns-$1" link set lo up || return 1
	# A member's interface asks nobody where anybody is: whatever is sent leaves as
	# a frame at once, and what the kernel says by itself is nothing.
	case " $members " in
	*" $1 "*)
		ip netns exec "$ns-$1" sh -c 'echo 0 >/proc/sys/net/ipv6/conf/eth0/router_solicitations' &&
		    ip -n "$ns-$1" link set eth0 arp off || return 1
		;;
	esac
	ip -n "$ns-$1" link set eth0 up &&
	    ip -n "$ns-$1" route add default via 192.0.2.1 &&
	    ip -n "$ns-$1" -6 route add default via 2001:db8::1 || return 1
	mkdir -p "$net_dir/$1/etc/restante" "$net_dir/$1/lib" "$net_dir/$1/run/restante-gateway" \
	    "$net_dir/$1/home" || return 1
	[ ! -f /etc/ld.so.cache ] || cp /etc/ld.so.cache "$net_dir/$1/etc/"
}

make_hosts()
{
	ip -n "$ns-hub" link add bridge type bridge && ip -n "$ns-hub" link set bridge up || return 1
	for host in $hosts; do
		make_host "$host" || return 1
	done
}

remove_hosts()
{
	for host in $hosts hub; do
		ip netns delete "$ns-$host" 2>/dev/null || :
	done
}

# become HOST command...: instead of this shell, there, with directories of its own
# where the guide has them.
become()
{
	become_host=$1
	shift
	exec ip netns exec "$ns-$become_host" sh -c '
	    for d in etc run; do mount --bind "$0/$d" "/$d" || exit 1; done
	    mount --bind "$0/lib" /var/lib && cd "$0/home" && exec "$@"' "$net_dir/$become_host" \
	    env HOME="$net_dir/$become_host/home" XDG_RUNTIME_DIR="$net_dir/$become_host/run" \
	    STICK="$net_dir/stick" PATH="$net_dir/bin:$PATH" "$@"
}
on() { (become "$@"); }

net_spawn()
{
	net_who=$1
	shift
	become "${net_who%%.*}" "$@" >>"$net_dir/$net_who.log" 2>&1 </dev/null &
	echo $! >"$net_dir/$net_who.pid"
}
net_client()
{
	net_who=$1
	shift
	on "$net_who" restante "$@"
}

# ---- tors ----

# Where the tors run, with the gateway's /run, in which one finds its entrance.
tornet_tor() { echo "$net_dir/bin/tor-there"; }
make_tor()
{
	shim tor-there <<-X &&
		#!/bin/sh
		exec ip netns exec "$ns-tor" sh -c 'mount --bind "\$0" /run && exec "\$@"' \
		    "$net_dir/gateway/run" "$(PATH=$tornet_path command -v tor)" "\$@"
	X
		tornet_dir=$net_dir/net tornet_owner=$$ && tornet_prepare && tornet_start
}

# has_tor HOST NAME: that tor is the one of this host, where Debian's would be.
has_tor()
{
	tornet_join "$2" && mkdir "$net_dir/$1/run/tor" &&
	    ln -s "$tornet_dir/$2/control" "$tornet_dir/$2/socks" "$net_dir/$1/run/tor/"
}

# ---- what the guide takes for granted ----

shim() { cat >"$net_dir/bin/$1" && chmod +x "$net_dir/bin/$1"; }

shims()
{
	for program in gateway/restante-gateway mix/restante-mix client-lib/restante; do
		printf '#!/bin/sh\nexec "%s" "$@"\n' "$net_bin/$program" | shim "${program##*/}" || return 1
	done
	# A network of the guide's size and pace would take hours.
	shim restante-charter <<-X &&
		#!/bin/sh
		[ "\$*" != 'set draft people 125' ] ||
		    set -- set draft people 2 slot 50ms round 200ms time-scale 20
		exec "$net_bin/common/charter/tool/restante-charter" "\$@"
	X
	# There are no such accounts here, and no systemd: units are started below.
	shim runuser <<-'X' && shim systemctl <<-'X2'
		#!/bin/sh
		shift 3
		exec "$@"
	X
		#!/bin/sh
		for unit in "$@"; do
			case $unit in
			--user | enable | --now) ;;
			*) echo "${unit%.service}" >>"$HOME/units" ;;
			esac
		done
	X2
}

# make install with the guide's options, as far as hosts need it.
examples()
{
	for host in $nodes; do
		for node in gateway mix; do
			sed 's|@sysconfdir@|/etc|' "$tests_top/scripts/systemd/$node.conf.example.in" \
			    >"$net_dir/$host/etc/restante/$node.conf.example" || return 1
		done
	done
}

# type_blocks WHERE...: the guide's blocks for these machines, in its order, as far as
# the members: what comes behind is for a network that runs.
type_blocks()
{
	for block in "$net_dir"/blocks/*; do
		where=${block##*/[0-9][0-9]-}
		[ "$where" != member ] || return 0
		case " $* " in
		*" $where "*) ;;
		*) continue ;;
		esac
		case " $hosts " in
		*" $where "*) on "$where" sh -eu "$block" || return 1 ;;
		*) (mkdir -p "$net_dir/$where" && cd "$net_dir/$where" &&
		    STICK="$net_dir/stick" PATH="$net_dir/bin:$PATH" sh -eu "$block") || return 1 ;;
		esac
	done
}

# The command of a unit, as systemd would start it.
command_of()
{
	sed -n 's/^ExecStart=@s\{0,1\}bindir@.\(.*\)/\1/p' "$tests_top/scripts/systemd/$1.service.in" |
	    sed -e 's|@sysconfdir@|/etc|' -e "s|%E|$net_dir/$2/home/.config|"
}

# start_unit HOST UNIT PROGRAM ARGUMENT...: the gateway with the socket of its unit.
start_unit()
{
	unit_host=$1 unit=$2 program=$net_dir/bin/$3
	shift 3 || return 1
	if [ "$unit" = restante-gateway ]; then
		net_spawn "$unit_host" "$python" "$tools/activate.py" "$onion" "$program" "$@"
	else
		net_spawn "$unit_host" "$program" "$@"
	fi
}

# The units that were enabled on a host.
start_units()
{
	[ -s "$net_dir/$1/home/units" ] || { echo "$1: no unit was enabled"; return 1; }
	for enabled in $(grep -v '\.socket$' "$net_dir/$1/home/units"); do
		# shellcheck disable=SC2046 # the words of a command
		start_unit "$1" "$enabled" $(command_of "$enabled" "$1") || return 1
	done
}

# ---- the test ----

onion=/run/restante-gateway/onion.sock
set_up()
{
	mkdir "$net_dir/bin" "$net_dir/blocks" "$net_dir/stick" &&
	    make_hosts && shims && examples && make_tor && has_tor gateway gateway || return 1
	for host in mix-a mix-b mix-c; do
		has_tor $host mixes || return 1
	done
	awk -v out="$net_dir/blocks" -f "$tools/guide.awk" "$tests_top/docs/operator.md" &&
	    type_blocks $nodes ann ben eve drafter
}

watch()
{
	for host in $hosts; do
		net_spawn "$host.frames" "$python" "$tools/frames.py" capture
	done
	for host in $hosts; do
		net_wait 20 grep -q '^ready' "$net_dir/$host.frames.log" || return 1
	done
}

accepted()
{
	for host in mix-a mix-b mix-c; do
		grep -q ' sheet-accepted ' "$net_dir/$host.log" || return 1
	done
}

start()
{
	watch || return 1
	for host in $nodes; do
		start_units "$host" || return 1
	done
	net_wait 180 accepted
}

# A member's own tor would be a child on the member's host: here it is elsewhere.
named_tor()
{
	conf=$net_dir/$1/home/.local/share/restante/restante.conf
	has_tor "$1" "$1" && sed -i '/^tor = /d' "$conf" && cat >>"$conf" <<-X
		tor = named
		tor-control = unix:/run/tor/control
		tor-socks = unix:/run/tor/socks
	X
}

join()
{
	cp "$net_dir/stick/charter" "$net_dir/$1/home/" &&
	    on gateway restante-gateway member add --config /etc/restante/gateway.conf "$1" \
		>"$net_dir/$1/home/authorization" && on "$1" sh -eu "$(echo "$net_dir"/blocks/*-member)" &&
	    named_tor "$1" && start_units "$1"
}

start_members()
{
	for who in $members; do
		join "$who" || return 1
	done
	net_wait 180 net_online alice && net_wait 180 net_online bob && test_introduce alice bob
}

came() { test_received bob | grep -qx 'over six hosts'; }
message() { net_client alice send bob 'over six hosts' && net_wait 180 came; }

# listens HOST WANTED: all that listens on TCP or has a UDP socket there.
listens()
{
	found=$(on "$1" ss -H -ltun | awk '{ print $1 " " $5 }' | sort | tr '\n' ' ')
	[ "$found" = "$2" ] || { echo "$1 listens at: $found"; return 1; }
}
listeners()
{
	listens gateway 'tcp 192.0.2.10:7000 ' && listens mix-a 'tcp 192.0.2.11:7001 ' &&
	    listens mix-b 'tcp 192.0.2.12:7001 ' && listens mix-c 'tcp [2001:db8::13]:7001 ' &&
	    listens alice '' && listens bob ''
}

# sends HOST RULE...
sends() { sends_host=$1; shift; "$python" "$tools/frames.py" judge "$net_dir/$sends_host.frames.log" "$@"; }

# The table of the guide: who dials whom.
node_frames()
{
	sends gateway link dial=192.0.2.11:7001 serve=192.0.2.10:7000,192.0.2.11 \
	    serve=192.0.2.10:7000,192.0.2.12 serve=192.0.2.10:7000,192.0.2.13 || return 1
	sends mix-a link dial=192.0.2.12:7001 dial=192.0.2.10:7000 serve=192.0.2.11:7001,192.0.2.10 ||
	    return 1
	sends mix-b link 'dial=[2001:db8::13]:7001' dial=192.0.2.10:7000 \
	    serve=192.0.2.12:7001,192.0.2.11 || return 1
	sends mix-c link dial=192.0.2.10:7000 "serve=[2001:db8::13]:7001,$(address6 mix-b)"
}

member_frames() { sends alice && sends bob; }

# The same capture would have seen a packet, of either family and to anybody.
capture_sees()
{
	for target in 198.51.100.7 2001:db8:7::7 192.0.2.10; do
		on alice "$python" -c 'import socket, sys
s = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
s.sendto(b"x", (sys.argv[1], 53))' "$target" || return 1
	done
	seen() { [ "$(grep -c '^udp ' "$net_dir/alice.frames.log")" -eq 3 ]; }
	net_wait 10 seen && ! sends alice
}

# status NODE WANTED: the exit code that a supervisor goes by.
status()
{
	daemon=restante-mix config=/etc/restante/mix.conf code=0
	[ "$1" != gateway ] || { daemon=restante-gateway config=/etc/restante/gateway.conf; }
	on "$1" "$daemon" status --config "$config" || code=$?
	[ "$code" -eq "$2" ] || { echo "$1: exit code $code of status"; return 1; }
}
all_ready() { for host in $nodes; do status "$host" 0 || return 1; done; }

# The entrance is systemd's: it stays, with its rights, when the gateway goes.
entrance_stays()
{
	socket=$net_dir/gateway/run/restante-gateway/onion.sock
	inode=$(stat -c '%i %a' "$socket")
	net_kill TERM gateway
	status gateway 69 || return 1
	[ "$inode" = "$(stat -c '%i %a' "$socket")" ] && [ "${inode#* }" = 660 ]
}

silent() { for host in $hosts; do listens "$host" '' || return 1; done; }
all_end() { net_stop; tornet_stop; silent; }

test_begin 10
trap 'tornet_stop; test_end; remove_hosts' EXIT
must "hosts are set up by the guide's own commands" set_up
must 'gateway and mixes start as their units say' start
must 'members set up by the guide meet' start_members
must 'a message passes' message
check 'all nodes say that they are ready, without an alarm' net_wait 180 all_ready
check 'nobody listens anywhere but where the guide says' listeners
check 'nodes send to their neighbours and to nobody else' node_frames
check 'nothing at all leaves the host of a member' member_frames
check '... and a packet would have been seen' capture_sees
check 'the entrance stays when the gateway stops, and after the end nobody listens' \
    eval 'entrance_stays && all_end'
