#!/bin/sh
# Floods at the gateway's entrance, at 100 times what a member does, from 1, 10 and 100
# circuits, without tickets and with, and a member who fills one mailbox; meanwhile two
# honest members write to each other, and what they notice is measured. Everything is the
# shipped programs but for who floods (flood_client.c).
#
# RESTANTE_FLOOD_SECONDS says how long each flood lasts, RESTANTE_FLOOD_ALL=yes makes all of
# docs/threat-model.md's, =mailbox the member's alone, RESTANTE_FLOOD_TABLE and RESTANTE_FLOOD_JSON where the results go.
. "${srcdir:-.}/tests/system/lib.sh"

python=${PYTHON:-$(command -v python3 || true)}
if [ -z "$python" ]; then
	echo '1..0 # SKIP no python3'
	exit 0
fi
seconds=${RESTANTE_FLOOD_SECONDS:-6}
net_registrar=yes
test_begin 12

flood_py() { "$python" "$tests_top/tests/system/flood.py" "$@"; }

start()
{
	net_make slot 500ms round 1s people 6 time-scale 10 epoch 60min grace 40s && net_start
}
members() { test_members alice bob && test_introduce alice bob; }

# row KIND CIRCUITS RATE [CODES]: a line of the plan; those who need tickets are enrolled.
row()
{
	rows=$((rows + 1))
	set -- "$1" "$2" "$3" "$seconds" "${4:-0}"
	if [ "$5" -gt 0 ]; then
		net_enrol "flood$rows" --count "$5" || return 1
		set -- "$1" "$2" "$3" "$4" "$net_dir/flood$rows.enrolment"
	else
		set -- "$1" "$2" "$3" "$4"
	fi
	echo "$@" >>"$net_dir/plan"
}
quiet() { echo "$1 0 0 $2" >>"$net_dir/plan"; }

# Four tickets an hour: so many circuits take so many members.
plan_short()
{
	row silent 100 100 && row silent 6000 10000 && row shake 100 100 && row churn 10 100 &&
	    row forged 100 100 && row spent 10 100 1 && row cover 1 100 1 && row cover 10 100 3 &&
	    row cover 100 100 25 && row junk 100 100 25 && row unstamped 4 100 1 && row deposit 1 100 1
}
plan_all()
{
	for n in 1 10 100; do
		for kind in silent half shake churn unpaid forged; do
			row "$kind" "$n" 100 || return 1
		done
		row spent "$n" 100 1 && row cover "$n" 100 $(((n + 3) / 4)) &&
		    row junk "$n" 100 $(((n + 3) / 4)) || return 1
	done
	row silent 6000 10000 && row unstamped 4 100 1 && row deposit 4 100 1
}
plan()
{
	rows=0
	quiet quiet $((2 * seconds))
	case ${RESTANTE_FLOOD_ALL:-no} in
	yes) plan_all ;;
	mailbox) row deposit 4 100 1 ;;
	*) plan_short ;;
	esac || return 1
	quiet quiet $((2 * seconds)) && quiet settled $((2 * seconds))
}

measure() { flood_py run "$net_bin" "$net_dir" "$net_dir/result" "$net_dir/plan"; }
judged() { flood_py judge "$net_dir/result" "$1"; }

must "a network with a registrar starts" start
must "two members come online and meet" members
must "who will flood is enrolled" plan
must "floods are measured" eval 'measure && judged measured'
check "no message of the honest is lost" judged lost
check "they take no longer than they may" judged times
check "who comes in meanwhile is served" judged newcomers
check "no session of the honest ends" judged sessions
check "no alarm is raised" judged alarms
check "the gateway's memory is bounded" judged memory
check "so are its open files" judged files
check "after the floods it is as before" judged recovers
flood_py table "$net_dir/result" | sed 's/^/# /'
[ -z "${RESTANTE_FLOOD_TABLE:-}" ] || flood_py table "$net_dir/result" >"$RESTANTE_FLOOD_TABLE"
[ -z "${RESTANTE_FLOOD_JSON:-}" ] || cp "$net_dir/result" "$RESTANTE_FLOOD_JSON"
test_logs
