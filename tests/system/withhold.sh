#!/bin/sh
# A gateway that withholds records, or lists a digest and stores garbage. Clients and mixes
# are the shipped ones.
. "${srcdir:-.}/tests/system/crookedlib.sh"

test_begin 12

net_start_node() { crooked_start_node "$1"; }
start()
{
	net_make slot 100ms round 400ms people 6 time-scale 60 epoch 4min grace 20s || return 1
	net_start
}
members() { test_members alice bob && test_introduce alice bob; }

lines() { cat "$net_dir/$1" 2>/dev/null | wc -l; }
lines_above() { [ "$(lines "$1")" -gt "$2" ]; } # FILE NUMBER

# The state of Alice's message with this text.
state_of() { net_client alice --json inbox --count 1000 | grep "\"text\":\"$1\"" | sed -n 's/.*"state":"\([^"]*\)".*/\1/p'; }
state_is() { [ "$(state_of "$1")" = "$2" ]; } # TEXT STATE
came_once() { [ "$(test_received bob | grep -c "$1")" -eq 1 ]; }

must "a network with such a gateway starts" start
must "two members come online and meet" members
net_client alice send bob "in peace" >/dev/null
check "a message arrives" net_wait 120 has_come bob "in peace"

# ---- withheld ----

echo 1000 >"$net_dir/withhold"
net_client alice send bob "withheld" >/dev/null
check "what is withheld is sealed anew, and again" net_wait 400 lines_above withheld 2
never_twice() { [ -z "$(cut -c "$1" "$net_dir/withheld" | sort | uniq -d)" ]; }
check "in other bytes: no key and no tag twice" eval 'never_twice 1-64 && never_twice 65-96'
check "its sender is told that it was sent, no more" state_is withheld sent
check "and nothing of it came" eval '! has_come bob withheld'
rm -f "$net_dir/withhold"
check "when the gateway stops it arrives" net_wait 400 has_come bob withheld
check "once, and the sender is told" eval 'net_wait 240 state_is withheld delivered && came_once withheld'

# ---- the digest is listed, and garbage stored ----

garbled=$(lines garbled)
echo 1000 >"$net_dir/garbage"
net_client alice send bob "garbled" >/dev/null
check "a digest without its record: the sender is told stored" net_wait 200 state_is garbled stored
stays_stored()
{
	for look in 1 2 3 4 5 6 7 8 9 10 11 12 13; do
		sleep 10
		state_is garbled stored && ! has_come bob garbled || return 1
	done
}
check "never delivered, in two of the hours in which it would be acknowledged" stays_stored
rm -f "$net_dir/garbage"
net_client alice send bob "after garbage" >/dev/null
check "what follows is stored and waits for its turn" eval \
    'net_wait 120 state_is "after garbage" stored && ! has_come bob "after garbage"'

test_logs
