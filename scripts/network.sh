# Shell functions that make and run a whole network on this machine: a charter
# signed by two of three authorities, a gateway, one mix per layer, members; with
# net_registrar=yes a registrar, too, at which mixes and members are enrolled.
# Sourced by quickstart and by the system tests. Everything lives under one
# directory; every process is known by the file DIR/NAME.pid.
#
# Before: net_dir (absolute, short: unix sockets have 107 characters), net_bin
# (a build directory). With net_transport=tor clients reach the gateway at an
# onion service of the private Tor network of tornet.sh, which is sourced then,
# too; the gateway has a tor named "gateway" there, the registrar one named
# "registrar", everybody else one of his own.

net_layers=3
: "${net_transport:=loopback}"
: "${net_registrar:=no}"

# The programs, wherever the build put them.
net_charter() { "$net_bin/common/charter/tool/restante-charter" "$@"; }
net_mix() { "$net_bin/mix/restante-mix" "$@"; }
net_gateway() { "$net_bin/gateway/restante-gateway" "$@"; }

# net_issuer COMMAND argument...: `restante-registrar` for the network's registrar.
net_issuer()
{
	net_command=$1
	shift
	"$net_bin/registrar/restante-registrar" "$net_command" --config "$net_dir/registrar.conf" "$@"
}

# net_client NAME command...: `restante` for this member.
net_client()
{
	net_who=$1
	shift
	XDG_RUNTIME_DIR="$net_dir" XDG_STATE_HOME="$net_dir/witness" "$net_bin/client-lib/restante" --dir "$net_dir/$net_who" "$@"
}

net_address() { echo "unix:$net_dir/$1.sock"; }

# Keys, nodes and a charter. Arguments: parameters as for `restante-charter set`.
net_make()
{
	net_authorities
	net_nodes
	net_charter create --name "$(basename "$net_dir")" "$net_dir/draft" || return 1
	for net_i in 1 2 3; do
		net_charter add-authority "$net_dir/draft" "$(cat "$net_dir/authority$net_i.pub")" \
		    >/dev/null || return 1
	done
	net_charter set "$net_dir/draft" layers "$net_layers" "$@" >/dev/null || return 1
	net_i=0
	while [ "$net_i" -lt "$net_layers" ]; do
		net_charter add-node --layer "$net_i" "$net_dir/draft" \
		    "$(cat "$net_dir/mix$net_i.pub")" >/dev/null || return 1
		net_i=$((net_i + 1))
	done
	for net_who in gateway registrar; do
		[ -f "$net_dir/$net_who.pub" ] || continue
		net_charter add-node "$net_dir/draft" "$(cat "$net_dir/$net_who.pub")" >/dev/null ||
		    return 1
	done
	net_sign
}

# Three authorities; each keeps its key.
net_authorities()
{
	for net_i in 1 2 3; do
		net_charter keygen "$net_dir/authority$net_i.key" >"$net_dir/authority$net_i.pub" ||
		    return 1
	done
}

# Each node makes its own keys and prints its public line.
net_nodes()
{
	net_i=0
	while [ "$net_i" -lt "$net_layers" ]; do
		net_mix init --dir "$net_dir/mix$net_i" --address "$(net_address "mix$net_i")" \
		    >"$net_dir/mix$net_i.pub" || return 1
		net_i=$((net_i + 1))
	done
	# Without an entrance the gateway and the registrar make the key of an onion service.
	set --
	[ "$net_transport" = tor ] || set -- --entrance "$(net_address entrance)"
	net_gateway init --dir "$net_dir/gateway" --address "$(net_address gateway)" "$@" \
	    >"$net_dir/gateway.pub" || return 1
	[ "$net_registrar" = yes ] || return 0
	[ "$net_transport" = tor ] || set -- --entrance "$(net_address tokens)"
	"$net_bin/registrar/restante-registrar" init --dir "$net_dir/registrar" "$@" \
	    >"$net_dir/registrar.pub"
}

# Two of the three sign copies, which are then combined.
net_sign()
{
	for net_i in 1 3; do
		cp "$net_dir/draft" "$net_dir/draft$net_i" &&
		    net_charter sign --key "$net_dir/authority$net_i.key" "$net_dir/draft$net_i" \
			>/dev/null || return 1
	done
	net_charter combine -o "$net_dir/charter" "$net_dir/draft1" "$net_dir/draft3" >/dev/null &&
	    net_charter verify "$net_dir/charter" >/dev/null
}

# net_spawn NAME command...: in the background, its log beside its pid.
net_spawn()
{
	net_who=$1
	shift
	"$@" >>"$net_dir/$net_who.log" 2>&1 </dev/null &
	echo $! >"$net_dir/$net_who.pid"
}

# net_start_node NAME: a mix, the gateway or the registrar, from its configuration.
net_start_node()
{
	case $1 in
	gateway) net_spawn gateway "$net_bin/gateway/restante-gateway" run --config "$net_dir/gateway.conf" ;;
	registrar) net_spawn registrar "$net_bin/registrar/restante-registrar" run \
	    --config "$net_dir/registrar.conf" ;;
	mix*) net_spawn "$1" "$net_bin/mix/restante-mix" run --config "$net_dir/$1.conf" ;;
	esac
}

# net_tor_lines NAME: how a mix or a member comes to the gateway.
net_tor_lines() { printf 'tor-config = %s\n' "$tornet_dir/torrc.client"; }

net_configure_mix()
{
	printf 'state = %s\ncharter = %s\n' "$net_dir/$1" "$net_dir/charter"
	[ "$net_registrar" = no ] || printf 'enrolment = %s\n' "$net_dir/$1.enrolment"
	if [ "$net_transport" = tor ]; then
		net_tor_lines
		printf 'authorization = %s\n' "$net_dir/$1.authorization"
	fi
}

# net_configure_door NAME SOCKET [CONTROL]: the gateway, or the registrar: how people come in.
net_configure_door()
{
	printf 'state = %s\ncharter = %s\ntransport = %s\n' "$net_dir/$1" "$net_dir/charter" \
	    "$net_transport"
	if [ "$net_transport" = tor ]; then
		printf 'entrance = %s\n' "$(net_address "$2")"
		printf 'tor-control = unix:%s\ntor-cookie = %s\ntor-socks = unix:%s\n' \
		    "${3:-$tornet_dir/$1/control}" "$tornet_dir/$1/control_auth_cookie" \
		    "$tornet_dir/$1/socks"
	fi
}

# net_admit NAME: makes a key that lets somebody in, at the gateway and at the registrar; for
# his `authorize`.
net_admit()
{
	(umask 077; net_gateway member add --config "$net_dir/gateway.conf" "$1" \
	    >"$net_dir/$1.authorization") || return 1
	[ "$net_registrar" = no ] || net_issuer member add --key "$(net_group_key "$1")" "$1"
}

# The public half of it.
net_group_key()
{
	net_gateway member list --config "$net_dir/gateway.conf" --json |
	    sed -n "s/.*\"name\":\"$1\",\"key\":\"\([^\"]*\)\".*/\1/p"
}

net_configure()
{
	net_configure_door gateway entrance "${net_gateway_control:-}" >"$net_dir/gateway.conf"
	[ "$net_registrar" = no ] || net_configure_door registrar tokens >"$net_dir/registrar.conf"
	net_i=0
	while [ "$net_i" -lt "$net_layers" ]; do
		net_configure_mix "mix$net_i" >"$net_dir/mix$net_i.conf"
		[ "$net_transport" = loopback ] || net_admit "mix$net_i" || return 1
		net_i=$((net_i + 1))
	done
}

# Whether the registrar answers, and its visitors are let in.
net_issues() { [ -S "$net_dir/registrar/desk" ] && net_issuer list; }

# Whether the gateway has the keys of the running epoch and of four to come.
net_has_keys()
{
	net_gateway status --config "$net_dir/gateway.conf" --json | grep -q '"epochs_with_keys":5'
}

# net_enrol NAME [option...]: gets the code, or codes, for somebody's `init` or configuration.
net_enrol()
{
	net_whose=$1
	shift
	(umask 077; net_issuer enrol "$net_whose" "$@" >"$net_dir/$net_whose.enrolment")
}

# Nobody gets anywhere without the registrar: gateway and registrar first, then all codes,
# six to a mix, one for each of its sessions. Who comes before the gateway has the keys that
# the registrar gives it tries again much later.
net_start_registrar()
{
	[ "$net_registrar" = yes ] || return 0
	net_start_node registrar
	net_wait 60 net_issues && net_wait 60 net_has_keys || return 1
	net_i=0
	while [ "$net_i" -lt "$net_layers" ]; do
		net_enrol "mix$net_i" --count 6 || return 1
		net_i=$((net_i + 1))
	done
}

net_start()
{
	net_configure || return 1
	net_start_node gateway
	net_start_registrar || return 1
	net_i=0
	while [ "$net_i" -lt "$net_layers" ]; do
		net_start_node "mix$net_i"
		net_i=$((net_i + 1))
	done
}

# Whether every mix has accepted the sheet: until then packets die there.
net_ready()
{
	net_i=0
	while [ "$net_i" -lt "$net_layers" ]; do
		grep -q ' sheet-accepted ' "$net_dir/mix$net_i.log" || return 1
		net_i=$((net_i + 1))
	done
}

# net_member NAME: a client directory with a key file for a passphrase.
net_member()
{
	(umask 077; head -c 32 /dev/urandom >"$net_dir/$1.key")
	[ "$net_registrar" = no ] || net_enrol "$1" || return 1
	net_new=$1
	shift
	[ "$net_registrar" = no ] || set -- --enrol "$net_dir/$net_new.enrolment"
	net_client "$net_new" init --charter "$net_dir/charter" --key-file "$net_dir/$net_new.key" \
	    "$@" >/dev/null || return 1
	[ "$net_transport" = tor ] || return 0
	net_join_tor "$net_new" && net_admit "$net_new" && net_client "$net_new" authorize \
	    --key-file "$net_dir/$net_new.key" "$net_dir/$net_new.authorization" >/dev/null
}

# The member's own tor is to be one of the private network.
net_join_tor()
{
	sed '/^tor-config/d' "$net_dir/$1/restante.conf" >"$net_dir/$1.conf" &&
	    net_tor_lines >>"$net_dir/$1.conf" &&
	    cat "$net_dir/$1.conf" >"$net_dir/$1/restante.conf"
}

net_start_agent()
{
	XDG_RUNTIME_DIR="$net_dir" XDG_STATE_HOME="$net_dir/witness" net_spawn "$1" \
	    "$net_bin/client-lib/restante" --dir "$net_dir/$1" agent --key-file "$net_dir/$1.key"
}

net_pid() { cat "$net_dir/$1.pid" 2>/dev/null; }

# net_kill SIGNAL NAME: and wait until it is gone. Only what net_spawn started.
net_kill()
{
	net_victim=$(net_pid "$2") || return 0
	kill -"$1" "$net_victim" 2>/dev/null || true
	wait "$net_victim" 2>/dev/null || true
	rm -f "$net_dir/$2.pid"
}

net_stop()
{
	for net_file in "$net_dir"/*.pid; do
		[ -f "$net_file" ] || continue
		net_kill TERM "$(basename "$net_file" .pid)"
	done
}

# net_wait SECONDS command...: until it succeeds.
net_wait()
{
	net_until=$(($(date +%s) + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$(date +%s)" -lt "$net_until" ] || return 1
		sleep 0.1
	done
}

# net_online NAME: whether this member's chain is verified and its session up.
net_online()
{
	net_client "$1" --json status | grep -q '"online":true,"verified":true'
}
