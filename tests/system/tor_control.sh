#!/bin/sh
# A real tor, alone and without a network: authentication, replies of every
# form, events; it is killed and started anew (with a new cookie), stopped
# (nothing answers), and owned. Its SOCKS port takes our user name.
. "${srcdir:-.}/tests/system/lib.sh"

PATH=$PATH:/usr/sbin:/sbin
command -v tor >/dev/null 2>&1 || {
	echo '1..0 # SKIP tor is not installed'
	exit 0
}
test_begin 14
chmod 700 "$net_dir"
probe=$net_bin/tests/system/tor_probe
tor_pid='' probe_pid=''
trap 'end_all; test_end' EXIT

# end PID: the process is gone afterwards, whatever state it was in.
end()
{
	[ -n "$1" ] || return 0
	kill -CONT "$1" 2>/dev/null
	kill -KILL "$1" 2>/dev/null
	wait "$1" 2>/dev/null
	return 0
}

end_all()
{
	end "$probe_pid"
	end "$tor_pid"
}

# The authority is a closed port of this machine: no packet leaves it.
write_torrc()
{
	: >"$net_dir/empty"
	mkdir -m 700 "$net_dir/data"
	cat >"$net_dir/torrc" <<END
TestingTorNetwork 1
DirAuthority x orport=1 v3ident=0000000000000000000000000000000000000001 127.0.0.1:1 0000000000000000000000000000000000000002
DataDirectory $net_dir/data
ControlSocket $net_dir/control
CookieAuthentication 1
SocksPort unix:$net_dir/socks ExtendedErrors
ShutdownWaitLength 0
Log notice file $net_dir/tor.log
END
}

start_tor()
{
	tor --defaults-torrc "$net_dir/empty" -f "$net_dir/torrc" --hush >"$net_dir/tor.out" 2>&1 &
	tor_pid=$!
}

start_probe()
{
	"$probe" control "unix:$net_dir/control" "$@" >"$net_dir/probe" 2>&1 &
	probe_pid=$!
}

# said COUNT PATTERN: the probe said so at least so often.
said() { [ "$(grep -c -- "$2" "$net_dir/probe")" -ge "$1" ]; }
hears() { net_wait "$1" said "$2" "$3" || { cat "$net_dir/probe"; return 1; }; }

no_tor_yet()
{
	start_probe
	hears 20 3 "^lost not found: nobody listens at unix:$net_dir/control"
}

first_ready()
{
	start_tor
	hears 60 1 '^ready [0-9]'
}

kill_and_restart()
{
	cp "$net_dir/data/control_auth_cookie" "$net_dir/cookie.old"
	end "$tor_pid"
	start_tor
	hears 90 2 '^ready ' && ! cmp -s "$net_dir/cookie.old" "$net_dir/data/control_auth_cookie"
}

stop_it()
{
	kill -STOP "$tor_pid"
	hears 60 1 '^lost timed out: .* has not answered for 20 seconds'
}

go_on()
{
	kill -CONT "$tor_pid"
	hears 120 3 '^ready '
}

wrong_cookie()
{
	head -c 32 /dev/zero >"$net_dir/data/control_auth_cookie"
	end "$probe_pid"
	start_probe
	hears 20 3 '^lost authentication failed: .*does not know the cookie' && ! said 1 '^ready'
}

few_dials() { [ "$(grep -c '^lost' "$net_dir/probe")" -le 8 ]; }

short_cookie()
{
	printf short >"$net_dir/data/control_auth_cookie"
	end "$probe_pid"
	start_probe
	hears 20 2 '^lost .*exactly 32 bytes, this file has fewer'
}

# A SOCKS port that did not take the user name would say "not possible now".
bad_onion()
{
	"$probe" socks "unix:$net_dir/socks" \
	    aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.onion:443 >"$net_dir/socks.out"
	cat "$net_dir/socks.out"
	grep -qx 'down invalid argument' "$net_dir/socks.out"
}

gone() { ! kill -0 "$tor_pid" 2>/dev/null; }

owned()
{
	end_all
	start_tor
	start_probe own
	hears 60 1 '^ready ' || return 1
	end "$probe_pid"
	probe_pid=''
	net_wait 20 gone
}

write_torrc
check 'nobody listens: said each time' no_tor_yet
must 'authenticated once tor is there' first_ready
check 'the version is answered' hears 20 1 '^answer 250 version=0\.'
check 'a data block comes whole' hears 20 1 '^text 250, [1-9][0-9]* bytes'
check 'an unknown key is refused, not fatal' hears 20 1 '^answer 552 '
check 'an event comes' hears 20 1 '^event SIGNAL DUMP'
check 'killed and started anew: the new cookie is read' kill_and_restart
check 'stopped: the deadline ends the connection' stop_it
check 'going on: authenticated again' go_on
check 'a SOCKS port takes our name and tells a bad address' bad_onion
check 'a wrong cookie: no proof is shown' wrong_cookie
check 'and no busy loop' few_dials
check 'a short cookie' short_cookie
check 'an owned tor ends with its owner' owned
