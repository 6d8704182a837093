#!/bin/sh
# A whole network with a registrar: members and mixes fetch tickets and stamps and live on
# them, and who has no code, or somebody else's, gets nowhere.
. "${srcdir:-.}/tests/system/lib.sh"

net_registrar=yes
test_begin 19

# Epochs of a minute: one hour of the network each.
start()
{
	net_make slot 200ms round 400ms people 2 stamps 300 time-scale 60 epoch 1min grace 13s &&
	    net_start
}
members() { test_members alice bob && test_introduce alice bob; }

# ---- what status says ----

# A number, or true or false, of a member's status.
field() { net_client "$1" --json status | sed -n "s/.*\"$2\":\([0-9a-z]*\)[,}].*/\1/p"; }
is() { [ "$(field "$1" "$2")" = "$3" ]; } # NAME KEY VALUE
at_least() { [ "$(field "$1" "$2")" -ge "$3" ]; }
has_alarm() { net_client "$1" --json status | grep -q "\"alarms\":\[[^]]*\"$2\""; }
calm() { net_client "$1" --json status | grep -q '"alarms":\[\]'; }
# Exit code 1, and a sentence.
says()
{
	net_client "$1" status >"$net_dir/$1.status"
	[ $? -eq 1 ] && grep -q "$2" "$net_dir/$1.status"
}
shows_what_is_left()
{
	net_client "$1" status | grep -qE \
	    '^left +[0-4] tickets? for this hour; [0-9]+ of 300 stamps until the epoch ends; [34] epochs ahead$'
}

# ---- messages ----

# In the epoch of a message its sender has less than his allotment.
spends()
{
	for try in 1 2 3; do
		talk alice bob && [ "$(field alice stamps)" -lt 300 ] && return 0
	done
	return 1
}
count=0
talk() # FROM TO: sends one, and waits until it has come
{
	count=$((count + 1))
	net_client "$1" send "$2" "number $count" && net_wait 300 has_text "$2" "number $count"
}
has_text() { test_received "$1" | grep -qxF "$2"; }
both_ways() { talk alice bob && talk bob alice; }

# ---- who has no code ----

stranger() # NAME CODE-FILE or nothing
{
	(umask 077; head -c 32 /dev/urandom >"$net_dir/$1.key")
	set -- "$1" ${2:+--enrol "$2"}
	who=$1
	shift
	net_client "$who" init --charter "$net_dir/charter" --key-file "$net_dir/$who.key" "$@" &&
	    net_start_agent "$who"
}
# A code of this network, as it should be, that was never given out: of a member who is gone.
nobodys_code()
{
	net_enrol eve && net_issuer revoke eve && stranger eve "$net_dir/eve.enrolment"
}
# Up to the second epoch to come; the others are in, but for the turns between their sessions.
another_epoch()
{
	from=$(field alice epoch)
	while [ "$(field alice epoch)" -lt $((from + 2)) ]; do
		is mallory online false && is eve online false || return 1
		sleep 1
	done
}
have_nothing()
{
	for who in mallory eve; do
		is "$who" tickets 0 && is "$who" stamps 0 || return 1
	done
}

# ---- one code, two who use it ----

twin() { stranger twin "$net_dir/alice.enrolment"; }
somebody_is_told() { has_alarm alice registrar || has_alarm twin registrar; }

# ---- what goes on without ----

registrar_down() { net_wait 600 at_least alice tokens_ahead_epochs 3 && net_kill TERM registrar; }
restart_gateway() { net_kill KILL gateway && net_start_node gateway; }
registrar_back() { net_start_node registrar && net_wait 60 net_issues; }
fetches_again() { at_least "$1" tokens_ahead_epochs 3 && calm "$1"; }

must "a network with a registrar starts" start
must "two members with codes come online and meet" members
check "messages go both ways" both_ways
check "which takes stamps" spends
check "they fetch ahead" net_wait 600 at_least alice tokens_ahead_epochs 3
check "status shows what is left" net_wait 60 shows_what_is_left alice
check "and as JSON" eval 'is alice tokens_needed true && is alice enrolled true && is alice stamps_allotment 300'
must "somebody without a code, and somebody with one that is nobody's, start" eval 'stranger mallory && nobodys_code'
check "both are told to get one" eval 'net_wait 60 says mallory "no enrolment code that the registrar knows" && net_wait 60 says eve "no enrolment code that the registrar knows"'
check "as an alarm" eval 'has_alarm mallory enrol && has_alarm eve enrol'
check "the registrar goes" registrar_down
check "in the next epoch those two get no session" another_epoch
check "and nothing to open one with" have_nothing
check "all others live on what they fetched ahead: messages go both ways" both_ways
check "the gateway is killed and comes back: messages go both ways" eval 'restart_gateway && both_ways'
check "the registrar comes back, and all fetch again" eval 'registrar_back && net_wait 400 fetches_again alice && net_wait 200 fetches_again bob'
must "somebody else uses Alice's code" twin
check "one of the two is told" net_wait 300 somebody_is_told
check "no log has a member's name or code" eval '! grep -qE "alice|bob|mallory|restante-code" "$net_dir"/registrar.log "$net_dir"/gateway.log "$net_dir"/mix?.log'
test_logs
