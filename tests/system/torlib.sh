# What the system tests through tor share: a private Tor network, a gateway
# behind its onion service, members with tors of their own. Sourced, like lib.sh.
. "${srcdir:-.}/tests/system/lib.sh"
. "$tests_top/scripts/tornet.sh"

net_transport=tor
tor_python=${PYTHON:-$(command -v python3 || true)}

# tor_begin COUNT: as test_begin. The tors end with this process, whatever ends it.
tor_begin()
{
	tornet_has_programs 2>/dev/null || { echo '1..0 # SKIP no tor or tor-gencert'; exit 0; }
	[ -n "$tor_python" ] || { echo '1..0 # SKIP no python3'; exit 0; }
	test_begin "$1"
	tornet_dir=$net_dir/tor tornet_owner=$$
	mkdir -m 700 "$tornet_dir"
	trap tor_end EXIT
}

tor_end()
{
	net_stop
	tornet_stop
	[ -n "${RESTANTE_KEEP:-}" ] || rm -rf "$net_dir"
}

torctl() { "$tor_python" "$tests_top/tests/system/torctl.py" "$@"; }

# Seconds since the time $1 of tor_now, with one digit.
tor_now() { date +%s.%N; }
tor_since() { awk -v a="$1" -v b="$(tor_now)" 'BEGIN { printf "%.1f", b - a }'; }
# tor_took TEXT command...: runs it and says how long it took.
tor_took()
{
	tor_what=$1 tor_step=$(tor_now)
	shift
	"$@" || return 1
	echo "# $tor_what: $(tor_since "$tor_step") s" >&3
}
exec 3>&1
