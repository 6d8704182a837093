# Shell functions that make and run a private Tor network on this machine: one
# directory authority (a0) and four relays (r1 to r4), and tors of other people
# as members of it. Sourced by tor-network, quickstart and the system tests.
# Everything lives under one directory, each tor in one named after it, with its
# torrc, log and pid; everything listens on 127.0.0.1 or on unix sockets there.
#
# shellcheck disable=SC2154,SC2034,SC2086,SC2046
#
# Before: tornet_dir (absolute, short: unix sockets have 107 characters). A tor
# belongs to tornet_owner, if that is a pid: it ends when this process does.

tornet_relays='r1 r2 r3 r4'
tornet_nodes="a0 $tornet_relays"
tornet_path=$PATH:/usr/local/sbin:/usr/sbin:/sbin

tornet_say() { printf '%s\n' "tor-network: $*" >&2; }
tornet_tor() { PATH=$tornet_path command -v tor; }

# Whether the programs are there; a system tor that runs is of no concern.
tornet_has_programs()
{
	for tornet_program in tor tor-gencert; do
		PATH=$tornet_path command -v "$tornet_program" >/dev/null || {
			tornet_say "error: $tornet_program is not installed; it is in the Debian package tor"
			return 1
		}
	done
}

# ---- the directory ----

tornet_mark=restante-tor-network
tornet_is_ours() { [ -f "$tornet_dir/$tornet_mark" ]; }

# Makes tornet_dir absolute and a directory of ours: made here, or empty, or
# marked by us before; where nobody else may put links.
tornet_prepare()
{
	(umask 077; mkdir -p "$tornet_dir") 2>/dev/null &&
	    tornet_real=$(cd "$tornet_dir" 2>/dev/null && pwd -P) || {
		tornet_say "error: cannot make or enter $tornet_dir"
		return 1
	}
	tornet_dir=$tornet_real
	if [ ! -O "$tornet_dir" ]; then
		tornet_why='belongs to somebody else'
	elif [ "${#tornet_dir}" -gt 72 ]; then
		tornet_why='has more than 72 characters: too many for the names of unix sockets'
	elif ! tornet_is_ours && [ -n "$(ls -A "$tornet_dir")" ]; then
		tornet_why='has other things in it'
	else
		case $tornet_dir in
		*[!A-Za-z0-9/._+@=-]*) tornet_why='has characters that tor does not take in a path' ;;
		*) chmod 700 "$tornet_dir" && : >"$tornet_dir/$tornet_mark"
			return ;;
		esac
	fi
	tornet_say "error: $tornet_dir $tornet_why; choose another directory"
	return 1
}

# ---- processes ----

# What a process was started with; nothing for one that has ended.
tornet_arguments()
{
	if [ -r /proc/self/cmdline ]; then
		tr '\0' ' ' 2>/dev/null <"/proc/$1/cmdline"
	else
		ps -o args= -p "$1" 2>/dev/null
	fi
}

# tornet_pid NAME: prints the pid, if it is that tor: pids are used again.
tornet_pid()
{
	tornet_found=$(cat "$tornet_dir/$1/pid" 2>/dev/null) && [ -n "$tornet_found" ] || return 1
	tornet_arguments "$tornet_found" 2>/dev/null | grep -qF -e " -f $tornet_dir/$1/torrc " ||
	    return 1
	echo "$tornet_found"
}

tornet_runs() { tornet_pid "$1" >/dev/null; }

# tornet_wait SECONDS command...: until it succeeds.
tornet_wait()
{
	tornet_until=$(($(date +%s) + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$(date +%s)" -lt "$tornet_until" ] || return 1
		sleep 0.1
	done
}

# tornet_spawn NAME: in the background. A new log and no old sockets, so that
# what is read there is of this process.
tornet_spawn()
{
	rm -f "$tornet_dir/$1/control" "$tornet_dir/$1/socks"
	mv -f "$tornet_dir/$1/log" "$tornet_dir/$1/log.old" 2>/dev/null || true
	"$(tornet_tor)" --defaults-torrc "$tornet_dir/empty" -f "$tornet_dir/$1/torrc" --hush \
	    ${tornet_owner:+--__OwningControllerProcess "$tornet_owner"} \
	    >"$tornet_dir/$1/output" 2>&1 </dev/null 9>&- &
	echo $! >"$tornet_dir/$1/pid"
}

tornet_is_up() { [ -S "$tornet_dir/$1/control" ]; }
tornet_is_up_or_dead()
{
	tornet_is_up "$1" || tornet_is_over "$(cat "$tornet_dir/$1/pid")"
}

# tornet_await_up NAME: until it takes control connections.
tornet_await_up()
{
	tornet_wait 30 tornet_is_up_or_dead "$1" || true
	tornet_is_up "$1" && return 0
	tornet_say "$1 did not start; it said:"
	grep -hE '\[(warn|err)\]' "$tornet_dir/$1/log" "$tornet_dir/$1/output" 2>/dev/null |
	    tail -n 3 >&2
	return 1
}

# Whether a process has ended, or is a zombie, whose sockets are closed. One that
# is about to end has no arguments any more and its ports still.
tornet_is_over()
{
	if [ -r /proc/self/stat ]; then
		[ ! -e "/proc/$1/stat" ] || grep -q ') [ZX] ' "/proc/$1/stat" 2>/dev/null
	else
		! ps -o stat= -p "$1" 2>/dev/null | grep -q '^[^Z]'
	fi
}

# tornet_ended NAME...: whether none of them is left.
tornet_ended()
{
	for tornet_one; do
		tornet_found=$(cat "$tornet_dir/$tornet_one/pid" 2>/dev/null) && [ -n "$tornet_found" ] &&
		    ! tornet_is_over "$tornet_found" || continue
		# Arguments, and not those of our tor: a stranger's.
		[ -n "$(tornet_arguments "$tornet_found")" ] && ! tornet_runs "$tornet_one" || return 1
	done
}

# tornet_signal SIGNAL NAME...: to those that are ours and alive.
tornet_signal()
{
	tornet_signalled=$1
	shift
	for tornet_one; do
		if tornet_victim=$(tornet_pid "$tornet_one"); then
			kill -"$tornet_signalled" "$tornet_victim" 2>/dev/null || true
		fi
	done
}

# tornet_end NAME...: asks, and after two seconds insists: one relay in some
# hundreds hangs at its exit and would keep its port.
tornet_end()
{
	tornet_signal TERM "$@"
	tornet_wait 2 tornet_ended "$@" || {
		tornet_signal KILL "$@"
		tornet_wait 5 tornet_ended "$@" || tornet_say "warning: cannot end one of $*"
	}
	tornet_forget "$@"
}

# tornet_kill NAME: at once and without warning.
tornet_kill()
{
	tornet_signal KILL "$@"
	tornet_wait 5 tornet_ended "$@"
	tornet_forget "$@"
}

tornet_forget() { for tornet_one; do rm -f "$tornet_dir/$tornet_one/pid"; done; }

# ---- configuration ----

tornet_port() { cat "$tornet_dir/port"; }

# The port of a node's onion router: of a0 the first, of r1 to r4 two apart, so
# that the second is free for the authority's directory.
tornet_or_port() { echo $(($(tornet_port) + 2 * ${1#?})); }

# What every member of the network needs, onion services and clients too. One
# that asks relays before they know anything waits for a minute (FetchDirInfo),
# and one that learns from loopback how fast a circuit is kills its own.
tornet_client_lines()
{
	cat <<TEXT
TestingTorNetwork 1
PathsNeededToBuildCircuits 0.67
TestingMinTimeToReportBandwidth 1 day
ShutdownWaitLength 0
FetchDirInfoEarly 1
FetchDirInfoExtraEarly 1
LearnCircuitBuildTimeout 0
CircuitBuildTimeout 10
$1
TEXT
}

# tornet_own_lines NAME: what is each tor's own.
tornet_own_lines()
{
	cat <<TEXT
DataDirectory $tornet_dir/$1
ControlSocket $tornet_dir/$1/control
CookieAuthentication 1
Log notice file $tornet_dir/$1/log
TEXT
}

# Without the day of TestingMinTimeToReportBandwidth the first node that has
# moved some bytes would be everybody's guard.
tornet_relay_lines()
{
	tornet_own_lines "$1"
	cat <<TEXT
TestingTorNetwork 1
TestingMinTimeToReportBandwidth 1 day
PathsNeededToBuildCircuits 0.67
ShutdownWaitLength 0
Nickname $1
Address 127.0.0.1
ORPort 127.0.0.1:$(tornet_or_port "$1")
SocksPort 0
ExitRelay 0
AssumeReachable 1
TEXT
}

# The first vote comes soon, later ones every hour: a consensus then lasts for
# three hours of restarts. Relays are believed to be reachable: on a busy machine
# a test of it would end after the vote.
tornet_authority_lines()
{
	cat <<TEXT
DirPort 127.0.0.1:$(($(tornet_port) + 1))
AuthDirTestReachability 0
AuthoritativeDirectory 1
V3AuthoritativeDirectory 1
TestingV3AuthInitialVotingInterval $1
TestingV3AuthInitialVoteDelay 2
TestingV3AuthInitialDistDelay 2
V3AuthVotingInterval 3600
V3AuthVoteDelay 20
V3AuthDistDelay 20
V3AuthNIntervalsValid 3
TestingDirAuthVoteGuard *
TestingDirAuthVoteHSDir *
TEXT
}

# ---- making ----

# Prints the first of ten ports in a row on which nobody listens now, below
# those that the system gives away itself. That they can be had shows when the
# tors start; if not, other ones are chosen.
tornet_choose_port()
{
	cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | awk -v seed="$(od -An -N3 -tu4 /dev/urandom)" '
	function decimal(text,  i, n) {
		for (i = 1; i <= length(text); i++)
			n = n * 16 + index("0123456789ABCDEF", substr(text, i, 1)) - 1
		return n
	}
	$2 ~ /:/ { sub(/.*:/, "", $2); taken[decimal($2)] = 1 }
	END {
		srand(seed)
		for (tries = 0; tries < 1000; tries++) {
			port = 10000 + 10 * int(rand() * 2200)
			for (i = 0; i < 10 && !((port + i) in taken); i++)
				continue
			if (i == 10) break
		}
		print port
	}'
}

# tornet_fingerprint NAME: makes its keys and prints the fingerprint. Made
# ahead, so that the start is quick enough for the first vote. tor reads no
# configuration of a testing network without an authority: a dummy.
tornet_fingerprint()
{
	"$(tornet_tor)" --quiet --defaults-torrc "$tornet_dir/empty" -f "$tornet_dir/$1/torrc" \
	    --DirAuthority "x orport=1 v3ident=$2 127.0.0.1:1 0000000000000000000000000000000000000000" \
	    --list-fingerprint 2>"$tornet_dir/$1/output" | sed -n "s/^$1 //p" | tr -d ' '
}

# Prints the fingerprint of the key with which the authority votes.
tornet_vote_key()
{
	(
		umask 077
		mkdir -p "$tornet_dir/a0/keys" && cd "$tornet_dir/a0/keys" || exit 1
		echo x | PATH=$tornet_path tor-gencert --create-identity-key -m 12 \
		    -a "127.0.0.1:$(($(tornet_port) + 1))" --passphrase-fd 0 \
		    >"$tornet_dir/a0/output" 2>&1 || exit 1
		sed -n 's/^fingerprint //p' authority_certificate
	)
}

# tornet_make INTERVAL: directories, keys and configurations, all new.
tornet_make()
{
	for tornet_one in $tornet_nodes; do
		rm -rf "${tornet_dir:?}/$tornet_one"
		mkdir -m 700 "$tornet_dir/$tornet_one" || return 1
	done
	tornet_choose_port >"$tornet_dir/port"
	: >"$tornet_dir/empty"
	for tornet_one in $tornet_nodes; do
		tornet_relay_lines "$tornet_one" >"$tornet_dir/$tornet_one/torrc"
	done
	tornet_vote=$(tornet_vote_key) && [ -n "$tornet_vote" ] || {
		tornet_say 'error: tor-gencert failed:'
		cat "$tornet_dir/a0/output" >&2
		return 1
	}
	for tornet_one in $tornet_relays; do
		tornet_fingerprint "$tornet_one" "$tornet_vote" >/dev/null &
	done
	tornet_print=$(tornet_fingerprint a0 "$tornet_vote")
	wait
	[ -n "$tornet_print" ] || {
		tornet_say 'error: tor made no keys:'
		cat "$tornet_dir/a0/output" >&2
		return 1
	}
	tornet_line="DirAuthority a0 orport=$(tornet_port) v3ident=$tornet_vote"
	tornet_line="$tornet_line 127.0.0.1:$(($(tornet_port) + 1)) $tornet_print"
	for tornet_one in $tornet_nodes; do
		echo "$tornet_line" >>"$tornet_dir/$tornet_one/torrc"
	done
	tornet_authority_lines "$1" >>"$tornet_dir/a0/torrc"
	tornet_client_lines "$tornet_line" >"$tornet_dir/torrc.client"
}

# ---- starting ----

# How many nodes the authority's consensus has; 0 when it is no longer valid.
tornet_consensus_size()
{
	awk -v now="$(date -u '+%Y-%m-%d %H:%M:%S')" '
	/^valid-until / { valid = ($2 " " $3 > now) }
	/^r / { n++ }
	END { print valid ? n + 0 : 0 }' "$tornet_dir/a0/cached-consensus" 2>/dev/null || echo 0
}

tornet_has_consensus() { [ "$(tornet_consensus_size)" -gt 0 ]; }
tornet_is_complete() { [ "$(tornet_consensus_size)" -eq 5 ]; }

# How many of the five run.
tornet_count()
{
	tornet_n=0
	for tornet_one in $tornet_nodes; do
		! tornet_runs "$tornet_one" || ! tornet_is_up "$tornet_one" || tornet_n=$((tornet_n + 1))
	done
	echo "$tornet_n"
}

tornet_is_ready() { [ "$(tornet_count)" -eq 5 ] && tornet_is_complete; }

# tornet_align INTERVAL: to half a second before a multiple of it. Relays tell
# of themselves once and then not for a minute, and the authority votes four
# seconds before the end of an interval: this leaves them the most time.
tornet_align()
{
	sleep "$(date +%s.%N | awk -v i="$1" '{
		left = i - 0.5 - ($1 - i * int($1 / i)); print left < 0 ? left + i : left }')"
}

# The authority first: relays that miss it do not try again soon.
tornet_start_nodes()
{
	tornet_spawn a0
	tornet_await_up a0 || return 1
	for tornet_one in $tornet_relays; do
		tornet_spawn "$tornet_one"
	done
	for tornet_other in $tornet_relays; do
		tornet_await_up "$tornet_other" || return 1
	done
}

# The directories of a network that was stopped, as they are: no new consensus
# is needed.
tornet_start_warm()
{
	tornet_is_complete && [ -s "$tornet_dir/torrc.client" ] || return 1
	tornet_say 'starting again with the directories that are there'
	tornet_start_nodes && tornet_is_ready
}

# How many descriptors of nodes the authority has by now, its own among them.
tornet_described()
{
	cat "$tornet_dir/a0/cached-descriptors" "$tornet_dir/a0/cached-descriptors.new" 2>/dev/null |
	    sed -n 's/^router \([a-z0-9]*\) .*/\1/p' | sort -u | grep -c . || true
}
tornet_knows_all() { [ "$(tornet_described)" -eq 5 ]; }

# tornet_vote_in INTERVAL: starts the nodes and waits for their first consensus.
tornet_vote_in()
{
	tornet_say "waiting for the clock (at most $1 s)"
	tornet_align "$1"
	tornet_say 'starting the authority, then four relays'
	tornet_start_nodes || return 1
	tornet_say "waiting for the first consensus (about $(($1 + 1)) s)"
	tornet_wait $((2 * $1 + 3)) tornet_has_consensus || {
		tornet_say 'no consensus in two intervals'
		return 1
	}
	tornet_is_ready && return 0
	tornet_say "only $(tornet_consensus_size) of 5 nodes are in it"
	return 1
}

# On a busy machine the relays told of themselves too late for the first vote.
# The authority keeps what it was told, so one more vote from the start has all.
tornet_vote_again()
{
	tornet_wait 5 tornet_knows_all || {
		# What a relay could not say at once it says after a minute, or a restart.
		tornet_end $tornet_relays
		for tornet_other in $tornet_relays; do
			tornet_spawn "$tornet_other"
		done
		tornet_wait 90 tornet_knows_all || return 1
	}
	tornet_end $tornet_nodes
	rm -f "$tornet_dir"/[ar][0-9]/*consensus* "$tornet_dir"/[ar][0-9]/sr-state \
	    "$tornet_dir"/[ar][0-9]/v3-status-votes
	rm -rf "$tornet_dir"/[ar][0-9]/diff-cache
	tornet_say 'voting again: by now the authority knows all nodes'
	tornet_vote_in "$1"
}

# tornet_start_cold INTERVAL
tornet_start_cold()
{
	tornet_say 'making keys'
	tornet_make "$1" || return 1
	tornet_vote_in "$1" && return 0
	[ "$(tornet_count)" -eq 5 ] && tornet_vote_again "$1"
}

# Brings the network up, whatever is there; at once if it runs. A machine that
# is too busy for the short interval of the first votes gets longer ones.
tornet_start()
{
	tornet_how=running
	tornet_is_ready && return 0
	tornet_has_programs || return 1
	tornet_end $tornet_nodes
	tornet_how=warm
	tornet_start_warm && return 0
	tornet_how=cold
	for tornet_interval in 8 10 15 15 15; do
		tornet_stop
		tornet_start_cold "$tornet_interval" && return 0
		tornet_say 'starting over'
	done
	tornet_stop
	tornet_say "error: no network after five tries; the logs are $tornet_dir/*/log"
	return 1
}

# ---- other tors ----

# Prints the names of all others.
tornet_others()
{
	for tornet_file in "$tornet_dir"/*/torrc; do
		tornet_name=${tornet_file%/torrc}
		tornet_name=${tornet_name##*/}
		case " $tornet_nodes * " in
		*" $tornet_name "*) ;;
		*) echo "$tornet_name" ;;
		esac
	done
}

tornet_is_bootstrapped() { grep -qs 'Bootstrapped 100%' "$tornet_dir/$1/log"; }

# tornet_join NAME: starts one more tor, for an onion service, a client or both,
# and waits until it can build circuits.
tornet_join()
{
	if ! tornet_runs "$1"; then
		[ -d "$tornet_dir/$1" ] || mkdir -m 700 "$tornet_dir/$1" || return 1
		{
			tornet_own_lines "$1"
			echo "SocksPort unix:$tornet_dir/$1/socks ExtendedErrors"
			cat "$tornet_dir/torrc.client"
		} >"$tornet_dir/$1/torrc"
		tornet_spawn "$1"
	fi
	tornet_await_up "$1" || return 1
	tornet_wait 60 tornet_is_bootstrapped "$1" || {
		tornet_say "error: $1 did not get to know the network within 60 s; see $tornet_dir/$1/log"
		return 1
	}
}

# Ends everything; the directories stay for a quick start.
tornet_stop() { tornet_end $tornet_nodes $(tornet_others); }
