# A crooked gateway for system tests: the shipped mixes and clients, and doors that lie
# (crooked_entrance.c). Sourced, like lib.sh.
. "${srcdir:-.}/tests/system/lib.sh"

# A door NAME that lies as DIR/NAME.lies says, in one of ONE-IN sessions; it has the gateway's keys.
crooked_door() # NAME [ONE-IN]
{
	(umask 077; mkdir -p "$net_dir/door-$1") &&
	    cp -p "$net_dir/gateway/nodekeys" "$net_dir/door-$1/nodekeys" &&
	    net_spawn "door-$1" "$net_bin/tests/system/crooked_entrance" "$net_dir/door-$1" \
		"$net_dir/charter" "unix:$net_dir/$1.door" "$(net_address entrance)" \
		"$net_dir/$1.lies" "${2:-1}"
}

# A member NAME, who enters by the door of that name if there is one; the agent runs.
crooked_member() # NAME
{
	net_member "$1" || return 1
	[ ! -f "$net_dir/door-$1.pid" ] ||
	    printf 'entrance = unix:%s\n' "$net_dir/$1.door" >>"$net_dir/$1/restante.conf" || return 1
	net_start_agent "$1"
}

crooked_members() # NAME...
{
	net_wait 60 net_ready || return 1
	for crooked_who in "$@"; do
		crooked_member "$crooked_who" || return 1
	done
	for crooked_who in "$@"; do
		net_wait 90 net_online "$crooked_who" || return 1
	done
}

has_come() { test_received "$1" | grep -q "$2"; } # NAME TEXT
has_alarm() { net_client "$1" --json status | grep -q "\"alarms\":\[[^]]*\"$2\""; } # NAME ALARM

# Status says it: exit code 1, and this text.
says() # NAME TEXT
{
	net_client "$1" status >"$net_dir/$1.status"
	[ $? -eq 1 ] && grep -q "$2" "$net_dir/$1.status"
}

# A number of a mix's status.
mix_number() # MIX KEY
{
	net_mix status --config "$net_dir/$1.conf" --json | sed -n "s/.*\"$2\":\([0-9]*\).*/\1/p"
}

# Anybody believes it with the charter; nobody once bytes are others, or with a charter that one alone signed.
convicts() # FILE TEXT
{
	net_charter verify-evidence "$net_dir/charter" "$1" || return 1
	net_charter verify-evidence "$net_dir/charter" "$1" | grep -q "$2" || return 1
	tr 0123456789abcdef 123456789abcdef0 <"$1" >"$1.changed"
	! net_charter verify-evidence "$net_dir/charter" "$1.changed" || return 1
	! net_charter verify-evidence "$net_dir/draft1" "$1"
}

# The gateway is crooked_gateway.c, which does what files in DIR say. For net_start_node.
crooked_start_node() # NAME
{
	case $1 in
	gateway) test_unboxed gateway && RESTANTE_CROOKED="$net_dir" net_spawn gateway \
	    "$net_bin/tests/system/crooked_gateway" run --config "$net_dir/gateway.conf" ;;
	mix*) net_spawn "$1" "$net_bin/mix/restante-mix" run --config "$net_dir/$1.conf" ;;
	esac
}
