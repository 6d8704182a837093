# What the system tests share: a network of real processes in a directory of
# its own, and TAP. Sourced; the test's arguments come from the environment:
# top_builddir (where the programs are), srcdir.

tests_top=${srcdir:-.}
. "$tests_top/scripts/network.sh"

net_bin=$(cd "${top_builddir:-.}" && pwd)
test_number=0
test_seed=${RESTANTE_TEST_SEED:-$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}

# In memory where there is some: the daemons wait for the disk, and what else writes on this
# machine must not decide whether notes come in time. What is killed here is processes, not
# the power.
test_scratch()
{
	if [ -n "${TMPDIR:-}" ]; then
		echo "$TMPDIR"
	elif [ "$(df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 { print $4 }')" -gt 2000000 ] 2>/dev/null; then
		echo /dev/shm
	else
		echo /tmp
	fi
}

test_begin()
{
	net_dir=$(mktemp -d "$(test_scratch)/rst.XXXXXX")
	XDG_STATE_HOME=$net_dir/witness
	export XDG_STATE_HOME
	trap test_end EXIT
	trap 'exit 1' INT TERM
	echo "1..$1"
	echo "# seed $test_seed"
}

# RESTANTE_KEEP leaves the directory for a look.
test_end()
{
	net_stop
	[ -n "${RESTANTE_KEEP:-}" ] || rm -rf "$net_dir"
}

# test_unboxed NAME: an attacker of ours reads from files what the test wants of it, which a
# daemon's sandbox would not let it.
test_unboxed()
{
	grep -q '^sandbox' "$net_dir/$1.conf" || echo 'sandbox = no' >>"$net_dir/$1.conf"
}

# must TEXT command...: a case without which the others make no sense.
must()
{
	check "$@"
	[ "$check_ok" = yes ] || { echo "Bail out! $1"; exit 1; }
}

# check TEXT command...: one test case.
check()
{
	check_text=$1
	shift
	test_number=$((test_number + 1))
	if "$@" >"$net_dir/check.out" 2>&1; then
		check_ok=yes
		echo "ok $test_number - $check_text"
	else
		check_ok=no
		echo "not ok $test_number - $check_text"
		sed 's/^/# /' "$net_dir/check.out" | tail -n 20
	fi
}

# What the processes said, for a failure that needs it.
test_logs() { tail -n 5 "$net_dir"/*.log 2>/dev/null | sed 's/^/# /'; }

# pick SEED COUNT BOUND: so many numbers below the bound, one a line, the same for a seed.
pick() { awk -v s="$1" -v n="$2" -v b="$3" 'BEGIN { srand(s); while (n-- > 0) print int(rand() * b) }'; }

# How long a session may take, and what two members say to each other. Through tor both
# take longer (torlib.sh).
: "${test_session:=90}" "${test_patience:=90}"

# An hour of the network, in seconds.
test_hour() { echo $((3600 / $(sed -n 's/^time-scale = //p' "$net_dir/charter"))); }

# test_members NAME...: members with running agents, online.
test_members()
{
	# Who is new to a registrar waits for the next hour of the network, or the one after;
	# the members with the mixes then, or they would wait for another one.
	test_coming=$test_session
	if [ "${net_registrar:-no}" = yes ]; then
		test_coming=$((test_session + 2 * $(test_hour)))
	else
		net_wait "$test_coming" net_ready || return 1
	fi
	for test_who in "$@"; do
		net_member "$test_who" && net_start_agent "$test_who" || return 1
	done
	net_wait "$test_coming" net_ready || return 1
	for test_who in "$@"; do
		net_wait "$test_coming" net_online "$test_who" || return 1
	done
}

test_established() { net_client "$1" --json contacts | grep -q '"state":"established"'; }

# test_introduce A B: A invites B.
test_introduce()
{
	test_invitation=$(net_client "$1" --json invite "$2" |
	    sed -n 's/.*"invitation":"\([^"]*\)".*/\1/p')
	[ -n "$test_invitation" ] && net_client "$2" accept "$1" "$test_invitation" &&
	    net_wait "$test_patience" test_established "$1"
}

# The texts that this member received, in the order in which they were shown.
test_received()
{
	net_client "$1" --json inbox --count 100000 | grep '"direction":"in"' |
	    sed -n 's/.*"text":"\([^"]*\)".*/\1/p'
}
