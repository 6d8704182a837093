#!/bin/sh
# A lost directory and its backup, and an old copy of a directory, with real processes:
# contacts follow by themselves, nothing is shown twice, what is gone is counted.
. "${srcdir:-.}/tests/system/lib.sh"

test_begin 18

start() { net_make slot 50ms round 200ms people 2 time-scale 60 epoch 6min grace 30s && net_start; }
members() { test_members alice bob && test_introduce alice bob; }
said() { net_client "$1" send "$2" "$3"; }
came() { test_received "$1" | grep -qxF "$2"; }
comes() { net_wait 180 came "$1" "$2"; }
once() { [ "$(test_received "$1" | grep -cxF "$2")" = 1 ]; }
field() { net_client "$1" --json "$2" | grep -q "$3"; }
contact_says() { field "$1" contacts "$2"; }
settled() { contact_says alice '"restarting":false' && contact_says bob '"restarting":false'; }
delivered() { contact_says "$1" '"queued":0,"unacknowledged":0'; }

talk()
{
	said alice bob "a1" && said bob alice "b1" && comes bob a1 && comes alice b1
}

# With the agent running; another time with it stopped.
back_up() { net_client alice backup --backup-passphrase-file "$net_dir/words" "$net_dir/alice.backup"; }
refuses()
{
	! net_client alice backup --backup-passphrase-file "$net_dir/words" "$net_dir/alice.backup"
}
no_secret_name() { ! grep -q -a "alice\|bob" "$net_dir/alice.backup"; }

since() { said bob alice "b2" && said bob alice "b3" && comes alice b3 && net_wait 180 delivered bob; }

lose()
{
	net_kill KILL alice && mv "$net_dir/alice" "$net_dir/gone"
}

restore()
{
	net_client alice restore --backup-passphrase-file "$1" --key-file "$net_dir/alice.key" \
	    "$2" >"$net_dir/restored" 2>&1
}

wrong_ones()
{
	echo wrong >"$net_dir/wrong"
	! restore "$net_dir/wrong" "$net_dir/alice.backup" && grep -q "wrong passphrase" "$net_dir/restored" &&
	    head -c 900 "$net_dir/alice.backup" >"$net_dir/cut" && ! restore "$net_dir/words" "$net_dir/cut" &&
	    [ ! -e "$net_dir/alice/restante.conf" ]
}

again() { restore "$net_dir/words" "$net_dir/alice.backup" && ! restore "$net_dir/words" "$net_dir/alice.backup"; }
online() { net_start_agent alice && net_wait 90 net_online alice; }
after()
{
	said alice bob "a2" && said bob alice "b4" && comes bob a2 && comes alice b4 && net_wait 180 settled
}

copy() { net_client alice stop && net_wait 30 gone && cp -a "$net_dir/alice" "$net_dir/copy"; }
gone() { ! kill -0 "$(net_pid alice)" 2>/dev/null; }
more() { online && said bob alice "b5" && said alice bob "a3" && comes alice b5 && comes bob a3 && net_wait 180 delivered bob; }
roll_back()
{
	net_client alice stop && net_wait 30 gone && rm -rf "$net_dir/alice" &&
	    cp -a "$net_dir/copy" "$net_dir/alice" && online
}
on_again()
{
	said alice bob "a4" && said bob alice "b6" && comes bob a4 && comes alice b6 && net_wait 180 settled
}

must "a network of real processes starts" start
must "two members come online and meet" members
printf 'a passphrase of the backup\n' >"$net_dir/words"
must "they talk" talk
must "a backup is written while the agent runs" back_up
check "a backup does not overwrite another" refuses
check "it names nobody" no_secret_name
check "they talk on" since
must "a directory is lost" lose
check "a wrong passphrase and a cut file are refused, and leave nothing" wrong_ones
must "the backup is restored, into an empty directory only" again
must "the restored client comes online" online
must "messages go both ways again" after
check "what came in between is counted as lost" contact_says alice '"lost_messages":2'
check "the contact sees a restored device" contact_says bob '"peer_restored":true'
must "a copy of the directory is made, and life goes on" eval 'copy && more'
must "the old copy is put in its place" roll_back
check "it is noticed at once" field alice status '"restarted":"old copy"'
check "messages go both ways again, none twice" eval 'on_again && once bob a2 && once bob a3 &&
    once bob a4 && once alice b4 && once alice b6'
test_logs
