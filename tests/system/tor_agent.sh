#!/bin/sh
# The agent's own tor, a real one, without a network: started, given the key,
# killed and started again, gone with its owner however that ends. It is told of
# one directory authority, on loopback, that is not there; and where that can be,
# all of it is in a network namespace with nothing but loopback.
if [ -z "${RESTANTE_ALONE:-}" ]; then
	export RESTANTE_ALONE=yes
	for how in '-n' '-rn'; do
		if unshare $how sh -c 'ip link set lo up' 2>/dev/null; then
			# shellcheck disable=SC2086
			exec unshare $how sh -c 'ip link set lo up && exec "$0"' "$0"
		fi
	done
fi
. "${srcdir:-.}/tests/system/lib.sh"

tor=$(PATH=$PATH:/usr/sbin command -v tor) || { echo '1..0 # SKIP no tor'; exit 0; }
tool=$net_bin/client-lib/restante
charter_tool=$net_bin/common/charter/tool/restante-charter
# The address of tor's test key, and a key of no service.
onion=aoqqpp7tzyil4hlq3umoos6atft6jvrqtosq2xy53sdgiesvgg4bqead
line=$onion:descriptor:x25519:aaaqeayeaudaocajbifqydiob4ibceqtcqkrmfyydenbwha5dypq

test_begin 22
torctl=$(cd "$tests_top" && pwd)/scripts/torctl.py
agent=
named=
trap 'kill -9 $agent $named 2>/dev/null; test_end' EXIT
# sockets need short paths
XDG_RUNTIME_DIR=$net_dir/run
export XDG_RUNTIME_DIR
mkdir -m 700 "$net_dir/run"
cd "$net_dir" || exit 1

make_charter()
{
	"$charter_tool" create --name 'Example network' --not-after 2099-01-01 draft &&
	    "$charter_tool" add-node --layer 0 draft 'restante-node 1 mix identity=cfe27ff4d51eb9379c66c282ebe9654aa3a49e467d73aec2f2d7f88f9675f9b4 link=335b8c8f89eaf07379007e8e77580e2d4646a82be381d1451c5582feaf154b7b address=127.0.0.1:1' &&
	    "$charter_tool" add-node --layer 1 draft 'restante-node 1 mix identity=da950460257286b45a567fbe912b13cf0e1f917f0d29ee9a9ad95b26feff281d link=0308e9e63614ddbcb371d918a055727bf0c23c64778da5fab28a88ca7c61bd0e address=127.0.0.1:2' &&
	    "$charter_tool" add-node --layer 2 draft 'restante-node 1 mix identity=ab0d3b28b9777cd48f33bda548e1832f4cac7dab761e7fea24e7033f3bb57c13 link=c077a521d9e11a4c32df8c93495cae61dffa3b6570412f20efb71837c1083c66 address=127.0.0.1:3' &&
	    "$charter_tool" add-node draft "restante-node 1 gateway identity=39b7f53d45c8fd72159a0d00300f64b673315aa8a45a76b1b4420eaae098f00c link=092daad32bff5f3d21f9d3f38e309a4d285909179e2d1d3f5f27d9077216650d address=127.0.0.1:4 entrance=$onion.onion:80" &&
	    "$charter_tool" set draft threshold 1 &&
	    "$charter_tool" add-authority draft "$("$charter_tool" keygen ann)" &&
	    "$charter_tool" sign --key ann draft
}

# Lines for a tor that reaches nobody.
alone()
{
	echo 'TestingTorNetwork 1'
	echo 'UseDefaultFallbackDirs 0'
	echo 'DirAuthority x orport=1 v3ident=0123456789ABCDEF0123456789ABCDEF01234567 127.0.0.1:1 89ABCDEF0123456789ABCDEF0123456789ABCDEF'
}

member() { "$tool" --dir "$net_dir/client" "$@"; }
setting() # KEY VALUE
{
	sed -i "/^$1 /d" client/restante.conf && echo "$1 = $2" >>client/restante.conf
}
status() { member --json status | tee status; }
says() { status | grep -q "$1"; }
# The pid of the tor that reads this torrc.
tor_pid() { pgrep -f -- "^[^ ]*tor .*-f $1 "; }
own_pid() { tor_pid "$net_dir/client/tor/torrc"; }
no_own() { ! own_pid; }
start_agent()
{
	"$tool" --dir "$net_dir/client" agent --key-file key >agent.log 2>&1 &
	agent=$!
	net_wait 20 grep -q ready agent.log
}
run_out() { member agent --key-file key; } # an agent that is refused

init()
{
	make_charter && head -c 32 /dev/zero >key && echo "$line" >authorization && alone >alone.torrc || return 1
	member init --charter draft --key-file key --authorize authorization &&
	    setting tor-config "$net_dir/alone.torrc" && [ "$(stat -c %a client/entry.key)" = 600 ]
}
other_service()
{
	sed 's/^a/b/' authorization | member authorize --key-file key - >said 2>&1 && return 1
	grep -q misspelt said
}
nobody_listens() # no TCP port of the tor, by its own open sockets
{
	pid=$(own_pid) || return 1
	for inode in $(ls -l "/proc/$pid/fd" | sed -n 's/.*socket:\[\([0-9]*\)\].*/\1/p'); do
		awk -v i="$inode" '$10 == i && $4 == "0A" { found = 1 } END { exit !found }' \
		    /proc/net/tcp /proc/net/tcp6 && { echo "inode $inode listens"; return 1; }
	done
	return 0
}
private()
{
	[ "$(stat -c %a client/tor)" = 700 ] && [ "$(stat -c %a client/tor/data)" = 700 ] &&
	    [ "$(stat -c %a "$XDG_RUNTIME_DIR"/restante-*-tor)" = 700 ]
}
no_secret()
{
	! grep -rqiE 'aaaqeaye|AAECAwQFBgcICQoLDA0ODw' client/tor client/restante.conf agent.log &&
	    ! find client/tor -name '*log*' | grep -q .
}
kill_tor() { kill -9 "$(own_pid)"; }
again() { says '"starts":2' && says '"authorization":"given"'; }
kill_agent()
{
	kill -9 "$agent" && { wait "$agent" 2>/dev/null; agent=; net_wait 20 no_own; }
}
stop_agent()
{
	member stop && wait "$agent" && agent= && no_own && ! ls "$XDG_RUNTIME_DIR"/restante-*-tor
}
start_named()
{
	mkdir -m 700 named && : >empty && { alone; echo "DataDirectory $net_dir/named
ControlSocket $net_dir/named/control
SocksPort unix:$net_dir/named/socks ExtendedErrors
CookieAuthentication 1
ClientOnly 1
Log err file /dev/null"; } >named/torrc
	"$tor" --defaults-torrc empty -f "$net_dir/named/torrc" --quiet &
	named=$!
	net_wait 20 test -S named/control
}
use_named()
{
	sed -i '/^tor-config/d' client/restante.conf
	setting tor named && setting tor-control "unix:$net_dir/named/control" &&
	    setting tor-socks "unix:$net_dir/named/socks" && start_agent &&
	    net_wait 20 says '"own":false,.*"authorization":"given"'
}
# tor forgets keys when it is reloaded (Debian does so every day) and when it is told NEWNYM
ask_named() { "${PYTHON:-python3}" "$torctl" control named/control named/control_auth_cookie "$@"; }
named_has_key() { ask_named ONION_CLIENT_AUTH_VIEW | grep -q 'CLIENT .* x25519:'; }
given_again() { named_has_key && ask_named "$1" && net_wait 40 named_has_key; }
named_stays() { member stop && wait "$agent" && agent= && kill -0 "$named" && no_own; }
refused() # TEXT
{
	run_out >said 2>&1 && return 1
	cat said
	grep -q -e "$1" said
}
without_tor()
{
	sed -i '/^tor-control/d;/^tor-socks/d' client/restante.conf
	setting tor own && setting tor-program /nowhere/tor && refused 'package `tor`'
}
direct() { setting transport direct && refused 'through tor only'; }

must 'a directory for an onion entrance, with its key' init
check 'a misspelt key is refused' other_service
must 'the agent starts' start_agent
must 'its tor answers, and has the key' net_wait 20 says '"state":"connecting",.*"authorization":"given"'
check 'status for people' sh -c "'$tool' --dir '$net_dir/client' status | grep -q '^tor  *connecting, [0-9]* %'"
check 'no second agent, and the tor stays' refused 'another'
check 'nothing listens on TCP' nobody_listens
check 'only its owner can enter' private
check 'the key is nowhere in the clear, and nothing is logged' no_secret
check 'the tor is killed' kill_tor
check 'it is started again and has the key again' net_wait 20 again
check 'the agent is killed: its tor is gone' kill_agent
check 'the agent starts on what was left' start_agent
check 'its tor answers again' net_wait 20 says '"authorization":"given"'
check 'the agent is stopped: no tor, no socket' stop_agent
must 'a tor of somebody else' start_named
check 'is used, and takes the key' use_named
check 'is reloaded: it has the key again' given_again 'SIGNAL RELOAD'
check 'takes new circuits: it has the key again' given_again 'SIGNAL NEWNYM'
check 'and stays when the agent goes' named_stays
check 'no tor: a sentence that says what to install' without_tor
check 'an onion entrance is not dialled directly' direct
