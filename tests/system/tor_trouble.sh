#!/bin/sh
# A tor that hangs, a wrong cookie, a lost or a stolen key, a damaged file of
# members: the gateway says what is wrong, does not die of it, and does not spin.
. "${srcdir:-.}/tests/system/torlib.sh"

tor_begin 12

status() { net_gateway status --json --config "$net_dir/gateway.conf"; }
state_is() { status | grep -q "\"state\":\"$1\""; }
up() { tor_up slot 50ms round 200ms people 2 time-scale 20 && net_wait 120 tor_reached; }
tor_reached() { grep -q ' onion-ready' "$net_dir/gateway.log"; }
logged() { grep -q " $1" "$net_dir/gateway.log"; }
fresh_log() { mv "$net_dir/gateway.log" "$net_dir/gateway.log.$test_number"; }
restart_gateway() { net_kill TERM gateway; fresh_log; net_start_node gateway; }

hangs() { kill -STOP "$(tornet_pid gateway)" && net_wait 150 logged tor-lost; }
goes_on() { kill -CONT "$(tornet_pid gateway)" && net_wait 150 logged onion-ready; }
