#!/bin/sh
# The sandbox of the three daemons: what the kernel says of them, and what is left to
# somebody who has taken one over (taken.c), with controls: the same without sandbox.
# RESTANTE_SANDBOX_REPORT names a file for the table of docs/sandbox.md.
. "${srcdir:-.}/tests/system/lib.sh"

test_begin 22
net_registrar=yes
outside=$(mktemp -d "$(test_scratch)/rst-outside.XXXXXX")
trap 'rm -rf "$outside"; test_end' EXIT
python=${PYTHON:-python3}
roles='gateway mix0 registrar'

# What is tried; the last three end a daemon that has a sandbox.
quiet='read-system read-secret write-outside remove-outside list-root own-memory-file
others-memory-file listen listen-unbound udp netlink connect-abstract signal fork run-memory
chmod dumpable limits change-user'
deadly='exec ptrace read-memory'

# start ROLE ATTEMPTS: as taken over.
start_taken()
{
	RESTANTE_TAKEN=$(echo $2) RESTANTE_TAKEN_DIR=$outside \
	    RESTANTE_TAKEN_PID=$(net_pid other) RESTANTE_TAKEN_PORT=$(cat "$net_dir/port")
	export RESTANTE_TAKEN RESTANTE_TAKEN_DIR RESTANTE_TAKEN_PID RESTANTE_TAKEN_PORT
	net_spawn "$1" "$net_bin/tests/system/taken_${1%0}" run --config "$net_dir/$1.conf"
	unset RESTANTE_TAKEN
}

fresh_outside()
{
	rm -rf "$outside/made"
	echo secret >"$outside/secret" &&
	    echo victim >"$outside/victim"
}

# ended ROLE: its attempts are over.
ended() { grep -q '^taken end' "$net_dir/$1.log"; }

# outcome ROLE ATTEMPT: "got", "refused: ...".
outcome() { sed -n "s/^taken $2 //p" "$net_dir/$1.log" | tail -n 1; }

# tries ROLE got|refused ATTEMPT...: each came to this, and was tried.
tries()
{
	tries_of=$1 tries_want=$2
	shift 2
	tries_bad=0
	for tries_one in "$@"; do
		tries_got=$(outcome "$tries_of" "$tries_one")
		echo "$tries_of $tries_one: $tries_got"
		case $tries_got in
		"$tries_want"*) ;;
		*) tries_bad=1 ;;
		esac
	done
	return $tries_bad
}

# take ROLE ATTEMPTS: run it as taken over until the attempts are over.
take()
{
	net_kill TERM "$1"
	fresh_outside
	: >"$net_dir/$1.log"
	start_taken "$1" "$2"
	net_wait 20 ended "$1"
}

# dies ROLE ATTEMPT: killed by the kernel for it (SIGSYS), before it got anything.
dies()
{
	net_kill TERM "$1"
	: >"$net_dir/$1.log"
	start_taken "$1" "$2"
	dies_pid=$(net_pid "$1")
	net_wait 20 is_gone "$dies_pid" || return 1
	wait "$dies_pid" 2>/dev/null
	dies_code=$?
	rm -f "$net_dir/$1.pid"
	echo "$1 $2: exit code $dies_code"
	cat "$net_dir/$1.log"
	[ "$dies_code" -eq $((128 + 31)) ] && ! grep -q "^taken" "$net_dir/$1.log"
}

is_gone() { [ "$(sed -n 's/^State:[[:space:]]*//p' "/proc/$1/status" 2>/dev/null | cut -c1)" != S ] &&
	! grep -q '^State:[[:space:]]*[RD]' "/proc/$1/status" 2>/dev/null; }

# all_threads PID KEY VALUE: /proc says so of each.
all_threads()
{
	for all_file in /proc/"$1"/task/*/status; do
		grep -E "^$2:" "$all_file"
		[ "$(awk -v k="$2:" '$1 == k { print $2 }' "$all_file")" = "$3" ] || return 1
	done
}

# as_they_say ROLE: what the kernel says of a running daemon.
as_they_say()
{
	said_pid=$(net_pid "$1")
	[ "$(ls /proc/"$said_pid"/task | wc -l)" -gt 1 ] || return 1
	all_threads "$said_pid" Seccomp 2 && all_threads "$said_pid" NoNewPrivs 1 || return 1
	grep '^Max core file size' /proc/"$said_pid"/limits
	[ "$(awk '/^Max core file size/ { print $5 $6 }' /proc/"$said_pid"/limits)" = 00 ]
}

# said ROLE PYTHON-EXPRESSION: of s, its status.
said()
{
	case $1 in
	gateway) net_gateway status --config "$net_dir/gateway.conf" --json ;;
	registrar) net_issuer status --json ;;
	*) net_mix status --config "$net_dir/$1.conf" --json ;;
	esac >"$net_dir/said" 2>&1
	cat "$net_dir/said"
	"$python" -c 'import json, sys
s = json.load(open(sys.argv[1]))["sandbox"]
sys.exit(not eval(sys.argv[2]))' "$net_dir/said" "$2"
}

# report HEADING: a row of the table for each attempt, of all roles.
report()
{
	[ -n "${RESTANTE_SANDBOX_REPORT:-}" ] || return 0
	echo "# $1"
	for report_one in $quiet connect-tcp; do
		printf '%s' "$report_one"
		for report_of in $roles; do
			printf ' | %s' "$(outcome "$report_of" "$report_one")"
		done
		echo
	done
}

# skip_rest TEXT...: of a build with sanitizers, say; they are not made for this.
skip_rest()
{
	while [ "$test_number" -lt 22 ]; do
		check "nothing to see # SKIP $*" true
	done
	exit 0
}

: >"$net_dir/report"
"$python" "${srcdir:-.}/tests/system/sandbox.py" "$net_dir/port" &
echo $! >"$net_dir/other.pid"
net_wait 20 test -s "$net_dir/port"
must 'a network' net_make slot 200ms round 400ms people 2 stamps 300 time-scale 60 epoch 1min \
    grace 13s
must 'it runs' net_start
must 'its nodes reach each other' net_wait 60 grep -q link-up "$net_dir/mix1.log"
if ! grep -q ' sandbox seccomp=1 landlock=[1-9]' "$net_dir/mix1.log"; then
	skip_rest 'this build or this kernel has not all of it' "$(grep ' sandbox ' "$net_dir/mix1.log" | head -n 1)"
fi

# Abstract sockets are guarded by Landlock's version 6, of Linux 6.12.
abi=$(sed -n 's/.* sandbox seccomp=1 landlock=//p' "$net_dir/mix1.log" | head -n 1)
if [ "$abi" -lt 6 ]; then
	echo "# Landlock $abi: abstract sockets are left out"
	quiet=$(echo "$quiet" | sed 's/connect-abstract//')
fi

for role in $roles; do
	check "$role: every thread filtered, no new rights, no core file" as_they_say "$role"
done
check 'status says so' said mix1 's["seccomp"] and s["seccomp_off"] is None and s["memory_locked"]'
check 'status knows the version of Landlock' said mix1 's["landlock"] > 0'

for role in $roles; do
	take "$role" "$quiet connect-tcp"
	check "$role, taken over: nothing is got" tries "$role" refused $quiet
done
check 'and nothing happened outside' [ -f "$outside/victim" -a ! -e "$outside/made" ]
report sandbox >>"$net_dir/report"

for role in $roles; do
	for attempt in $deadly; do
		dies "$role" "$attempt" >"$net_dir/dies.$role.$attempt" 2>&1 ||
		    echo "$role $attempt" >>"$net_dir/survived"
	done
	check "$role, taken over: it is killed for $(echo $deadly)" \
	    [ "$(cat "$net_dir/survived" 2>/dev/null | grep -c "^$role ")" -eq 0 ]
	[ "$check_ok" = yes ] || cat "$net_dir"/dies."$role".* | sed 's/^/# /'
done

# Controls: the same without.
for role in $roles; do
	echo 'sandbox = no' >>"$net_dir/$role.conf"
	take "$role" "$quiet connect-tcp ptrace read-memory"
	check "$role, without sandbox: everything is got" tries "$role" got $quiet connect-tcp ptrace \
	    read-memory
done
check 'it warned of that' grep -q 'warning sandbox-off' "$net_dir/gateway.log"
report 'sandbox = no' >>"$net_dir/report"
ran() { grep -q '^taken exec got' "$net_dir/$1.log"; }
for role in mix0; do
	net_kill TERM "$role"
	: >"$net_dir/$role.log"
	start_taken "$role" exec
	check "$role, without sandbox: a program is run" net_wait 60 ran "$role"
done

# Root gives its rights up for good.
is_nobody()
{
	drop_pid=$(net_pid mix1)
	cat /proc/"$drop_pid"/status
	[ "$(awk '/^Uid:/ { print $2, $3, $4, $5 }' /proc/"$drop_pid"/status)" = \
	    "$(id -u nobody) $(id -u nobody) $(id -u nobody) $(id -u nobody)" ] &&
	    grep -q '^CapEff:[[:space:]]*0000000000000000' /proc/"$drop_pid"/status &&
	    [ "$(awk '/^Gid:/ { print $2 }' /proc/"$drop_pid"/status)" = "$(id -g nobody)" ] &&
	    ! grep -q sandbox-root "$net_dir/mix1.log"
}
is_told() { grep 'warning memory-not-locked' "$net_dir/mix1.log" && said mix1 'not s["memory_locked"]'; }
is_closed() { grep -q ' sandbox seccomp' "$net_dir/mix1.log"; }
if [ "$(id -u)" -eq 0 ] && id nobody >/dev/null 2>&1; then
	net_kill TERM mix1
	chown -R nobody "$net_dir/mix1" "$net_dir/mix1.enrolment"
	chmod 1777 "$net_dir"
	chmod 644 "$net_dir/charter" "$net_dir/mix1.conf"
	rm -f "$net_dir/mix1.sock"
	echo 'user = nobody' >>"$net_dir/mix1.conf"
	: >"$net_dir/mix1.log"
	net_start_node mix1
	net_wait 20 is_closed
	check 'user: root becomes that user, for good' is_nobody
	net_kill TERM mix1
	: >"$net_dir/mix1.log"
	net_spawn mix1 sh -c 'ulimit -l 0; exec "$@"' sh "$net_bin/mix/restante-mix" run \
	    --config "$net_dir/mix1.conf"
	net_wait 20 is_closed
	check 'memory that the system does not lock is told of' is_told
else
	check 'memory that the system does not lock is told of # SKIP not root' true
	check 'user: root becomes that user, for good # SKIP not root' true
fi
[ -z "${RESTANTE_SANDBOX_REPORT:-}" ] || cp "$net_dir/report" "$RESTANTE_SANDBOX_REPORT"
