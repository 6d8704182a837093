# What the system tests through tor share: a private Tor network, a gateway
# behind its onion service, members with tors of their own. Sourced, like lib.sh.
. "${srcdir:-.}/tests/system/lib.sh"
. "$tests_top/scripts/tornet.sh"

# Each frame of some twenty sessions goes through six tors, all on this machine, and no
# time-scale makes it faster. A slot of 50 ms fills more than one processor; with
# something beside them packets come after their term (6 s there), the mixes' last twelve
# notes (of less than a second) are lost, and they stop as they should under attack.
# A slot as the fixed times are (5 s / 20), and a round of 1.5 of them, for which the
# forecast is least: 9.6 s, and twelve notes are those of four seconds.
tor_times='slot 250ms round 375ms time-scale 20'

# Bounds that hold on a busy machine, too; docs/protocol.md, sections 6 and 7.
# A session: 45 s of waiting (15 min*), an attempt that fails (60 s), 45 s more.
test_session=150
# Messages: that, and a record that was lost is sent anew after at most 8 forecasts, the
# second time 16, and what came later is not shown before. Should the mixes stop twice,
# they stand for what is left of a session hour (180 s), and clients wait for 12 of
# their notes, which go in one slot of eight (24 s).
test_patience=$((test_session + 77 + 154 + 180 + 24))

net_transport=tor
tor_python=${PYTHON:-$(command -v python3 || true)}

# tor_begin COUNT: as test_begin. The tors end with this process, whatever ends it. What
# ends it early is shown with all that took its time before.
tor_begin()
{
	tornet_has_programs 2>/dev/null || { echo '1..0 # SKIP no tor or tor-gencert'; exit 0; }
	[ -n "$tor_python" ] || { echo '1..0 # SKIP no python3'; exit 0; }
	test_begin "$1"
	trap tor_end EXIT
	tornet_dir=$net_dir/tor tornet_owner=$$
	tornet_prepare || exit 1
}

tor_end()
{
	[ "$?" -eq 0 ] || { tor_show; test_logs; }
	net_stop
	tornet_stop
	[ -n "${RESTANTE_KEEP:-}" ] || rm -rf "$net_dir"
}

torctl() { "$tor_python" "$tests_top/scripts/torctl.py" "$@"; }

# ---- what took how long: shown, and never a reason to fail ----

tor_now() { date +%s.%N; }
tor_since() { awk -v a="$1" -v b="$(tor_now)" 'BEGIN { printf "%.1f", b - a }'; }
tor_note() { echo "# $*" >>"$net_dir/notes"; }

# tor_took TEXT command...: notes how long it took.
tor_took()
{
	tor_what=$1 tor_step=$(tor_now)
	shift
	"$@" || return 1
	tor_note "$tor_what: $(tor_since "$tor_step") s"
}

# Notes how often mixes have stopped: the first thing to look at when something took long.
tor_stops()
{
	[ ! -e "$net_dir/mix0.log" ] ||
	    tor_note "mixes stopped $(cat "$net_dir"/mix?.log | grep -c ' alarm heartbeat-') times so far"
}

# Shows the notes that a case made.
tor_show()
{
	tor_stops
	cat "$net_dir/notes" 2>/dev/null
	rm -f "$net_dir/notes"
}

# ---- a network ----

# tor_up PARAMETER...: as for `restante-charter set`; Tor, gateway and mixes.
tor_up()
{
	tor_took "private Tor network" tornet_start && tornet_join gateway || return 1
	[ "$net_registrar" = no ] || tornet_join registrar || return 1
	net_make "$@" && net_start
}

tor_onion() { sed -n "s/.*entrance=\([a-z2-7]*\.onion\):.*/\1/p" "$net_dir/gateway.pub"; }
tor_has_text() { test_received "$1" | grep -qxF "$2"; }

# tor_talk FROM TO TEXT: sends it and waits until it has come.
tor_talk() { net_client "$1" send "$2" "$3" && net_wait "$test_patience" tor_has_text "$2" "$3"; }

# The tor that a process started for itself.
tor_child()
{
	cat /proc/[0-9]*/stat 2>/dev/null | awk -v parent="$(net_pid "$1")" '{
		pid = $1; sub(/.*\) /, ""); if ($2 == parent) { print pid; exit } }'
}

# tor_published N: whether the gateway's service has been published so many times.
tor_published() { [ "$(grep -c ' onion-published ' "$net_dir/gateway.log")" -ge "$1" ]; }
# tor_republished command...: until it is so once more after the command.
tor_republished()
{
	tor_before=$(grep -c ' onion-published ' "$net_dir/gateway.log")
	tor_step=$(tor_now)
	"$@" && net_wait 150 tor_published $((tor_before + 1)) || return 1
	tor_note "the onion service was published again $(tor_since "$tor_step") s after: $*"
}

# Processor time of a process so far, in hundredths of a second.
tor_cpu() { sed 's/.*) //' "/proc/$(net_pid "$1")/stat" | awk '{ print $12 + $13 }'; }

# tor_is_calm NAME: it lives, and uses less than a tenth of the processor.
tor_is_calm()
{
	tor_before=$(tor_cpu "$1") && sleep 5 && tor_after=$(tor_cpu "$1") || return 1
	tor_note "$1 used $((tor_after - tor_before)) hundredths of a second in 5 s"
	[ $((tor_after - tor_before)) -lt 50 ]
}
