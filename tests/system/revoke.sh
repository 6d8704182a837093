#!/bin/sh
# A member is revoked: from when on he is told, how long what he fetched ahead lasts, and that
# nobody else notices anything. Prints what it measured, in epochs.
. "${srcdir:-.}/tests/system/lib.sh"

net_registrar=yes
test_begin 12

# Epochs of a minute: one hour of the network each.
start()
{
	net_make slot 200ms round 400ms people 3 stamps 200 time-scale 60 epoch 1min grace 13s &&
	    net_start
}
members() { test_members alice bob carl && test_introduce carl alice && test_introduce alice bob; }

field() { net_client "$1" --json status | sed -n "s/.*\"$2\":\([0-9a-z]*\)[,}].*/\1/p"; }
at_least() { [ "$(field "$1" "$2")" -ge "$3" ]; }
has_alarm() { net_client "$1" --json status | grep -q "\"alarms\":\[[^]]*\"$2\""; }
calm() { net_client "$1" --json status | grep -q '"alarms":\[\]'; }
has_text() { test_received "$1" | grep -qxF "$2"; }

# The time as a number of epochs, and of that the part that has passed since $1.
now() { date +%s.%N | awk '{ printf "%.3f", $1 / 60 }'; }
since() { awk -v a="$1" -v b="$(now)" 'BEGIN { printf "%.1f", b - a }'; }
note() { echo "# $*" >>"$net_dir/notes"; }

ahead() { net_wait 600 at_least "$1" tokens_ahead_epochs 4; }
revoke()
{
	revoked=$(now) revoked_epoch=$(field carl epoch)
	note "revoked after $(awk -v t="$revoked" 'BEGIN { printf "%.1f", t - int(t) }') of epoch $revoked_epoch"
	net_issuer revoke carl && ! net_issuer list | grep -q carl
}
told()
{
	net_wait 400 has_alarm carl enrol || return 1
	note "he is told $(since "$revoked") epochs after it"
}
still_in()
{
	net_wait 600 at_least alice epoch $((revoked_epoch + 2)) &&
	    net_client carl send alice "two epochs later" && net_wait 180 has_text alice "two epochs later"
}
# Until he has no session and gets none in an epoch: what he fetched is good for up to 4 epochs after that one.
shut_out()
{
	net_wait 1200 at_least alice epoch $((revoked_epoch + 5)) || return 1
	net_wait 30 gone && note "his last session ended $(since "$revoked") epochs after it, at the latest"
	from=$(field alice epoch)
	while ! at_least alice epoch $((from + 1)); do
		gone || return 1
		sleep 0.5
	done
}
gone() { [ "$(field carl online)" = false ] && [ "$(field carl tickets)" = 0 ]; }
knows_why()
{
	net_client carl status >"$net_dir/carl.status"
	[ $? -eq 1 ] && grep -q 'no enrolment code that the registrar knows' "$net_dir/carl.status" &&
	    grep -q 'no ticket' "$net_dir/carl.status"
}
sends_nothing()
{
	net_client carl send alice "after the end" || return 1
	from=$(field alice epoch)
	net_wait 300 at_least alice epoch $((from + 1)) && ! has_text alice "after the end"
}
others_see_nothing() { calm alice && calm bob && [ "$(field alice online)" = true ]; }
others_talk() { net_client alice send bob hello && net_wait 180 has_text bob hello; }
# No alarm of the gateway or a mix, whose status ends with 1 then.
nodes_see_nothing()
{
	net_gateway status --config "$net_dir/gateway.conf" --json | grep -q '"alarms":\[\]' || return 1
	for mix in mix0 mix1 mix2; do
		net_mix status --config "$net_dir/$mix.conf" --json | grep -q '"alarms":\[\]' || return 1
	done
}
# Enrolled anew, under a new code, he is in within the time of two epochs, with all his contacts.
enrolled_again()
{
	net_kill TERM carl && net_enrol carl-2 &&
	    net_client carl enrol --key-file "$net_dir/carl.key" "$net_dir/carl-2.enrolment" || return 1
	net_start_agent carl && net_wait 600 has_text alice "after the end"
}

must "a network with a registrar starts" start
must "three members come online and meet" members
must "he who will be revoked has fetched four epochs ahead" ahead carl
check "he is revoked" revoke
check "he is told when he asks the next time" told
check "two epochs later he still writes" still_in
check "after the epochs that he had fetched for he is out" shut_out
check "he knows why" knows_why
check "what he writes then waits" sends_nothing
check "the others notice nothing, and talk" eval 'others_see_nothing && others_talk'
check "nor do gateway and mixes" nodes_see_nothing
check "with a new code he is back, and what waited comes" enrolled_again
cat "$net_dir/notes"
test_logs
