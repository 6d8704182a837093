#!/bin/sh
# A full disk, and one that refuses every write, at a mix, the gateway and a
# member while messages flow: nothing crashes, somebody is told, nothing that
# was taken is lost, and all recover by themselves.
. "${srcdir:-.}/tests/system/lib.sh"

disk_bytes=$((24 << 20))

# Whether this machine lets us mount a file system that can also be made immutable.
can_mount()
{
	[ "$(id -u)" -eq 0 ] || return 1
	for tool in mkfs.ext4 chattr losetup; do
		command -v "$tool" >/dev/null 2>&1 || return 1
	done
	mkdir "$net_dir/probe" && put_on_disk probe || return 1
	chattr +i "$net_dir/probe" && chattr -i "$net_dir/probe"
	probed=$?
	umount "$net_dir/probe"
	return "$probed"
}

# put_on_disk NAME: this directory gets a small disk of its own.
put_on_disk()
{
	mv "$net_dir/$1" "$net_dir/$1.was" && mkdir "$net_dir/$1" &&
	    truncate -s "$disk_bytes" "$net_dir/$1.disk" &&
	    mkfs.ext4 -q -m 0 -O ^has_journal "$net_dir/$1.disk" &&
	    mount -o loop,nodelalloc "$net_dir/$1.disk" "$net_dir/$1" || return 1
	# what the file system keeps back would let a small file through
	device=$(basename "$(findmnt -no SOURCE "$net_dir/$1")")
	echo 0 >"/sys/fs/ext4/$device/reserved_clusters"
	rm -rf "$net_dir/$1/lost+found"
	chmod 700 "$net_dir/$1"
	cp -a "$net_dir/$1.was/." "$net_dir/$1"
}

unmount_all()
{
	chattr -R -i "$net_dir/gateway" "$net_dir/mix1" "$net_dir/alice" 2>/dev/null
	for at in gateway mix1 alice probe; do
		mountpoint -q "$net_dir/$at" && umount "$net_dir/$at"
	done
}

PATH=$PATH:/usr/sbin:/sbin
net_dir=$(mktemp -d "$(test_scratch)/rst.XXXXXX")
if ! can_mount >/dev/null 2>&1; then
	rm -rf "$net_dir"
	echo '1..0 # SKIP cannot mount file systems here'
	exit 0
fi
rm -rf "$net_dir"
test_begin 20
trap 'net_stop; unmount_all; rm -rf "$net_dir"' EXIT

start()
{
	net_make slot 100ms round 200ms people 2 time-scale 20 || return 1
	put_on_disk gateway && put_on_disk mix1 || return 1
	net_start
	net_wait 60 net_ready && net_member alice && put_on_disk alice || return 1
	test_members bob && net_start_agent alice && net_wait 60 net_online alice &&
	    test_introduce alice bob
}

# fill NAME: not a block is left.
fill()
{
	mkdir "$net_dir/$1/filler" || return 1
	cat /dev/zero >"$net_dir/$1/filler/0" 2>/dev/null
	at=0
	while at=$((at + 1)) && [ "$at" -lt 1000 ]; do
		{ echo x >"$net_dir/$1/filler/$at"; } 2>/dev/null || return 0
	done
	return 1
}
empty() { rm -r "$net_dir/$1/filler"; }
# Sockets have no such flag, and a file may go meanwhile: what counts is that none can be made.
immutable() { find "$net_dir/$2" ! -type s -exec chattr "$1" {} +; }
freeze() { immutable +i "$1"; ! touch "$net_dir/$1/probe"; }
thaw() { immutable -i "$1"; }

# Alarms of this kind in a log, more than before the trouble.
count_of() { grep -c " $2" "$net_dir/$1.log"; }
more_of() { [ "$(count_of "$1" "$2")" -gt "$3" ]; }

alive() { for one in gateway mix0 mix1 mix2 alice bob; do kill -0 "$(net_pid "$one")" || return 1; done; }
has_alarm() { net_client alice --json status | grep -q '"alarms":\[[^]]*"disk"'; }
no_alarm() { net_client alice --json status | grep -q '"alarms":\[\]'; }

# Messages go on being sent; each one that was taken is written down.
sent=0
send_some()
{
	for each in 1 2 3; do
		sent=$((sent + 1))
		net_client alice send bob "alice $sent" && echo "$sent" >>"$net_dir/alice.taken" || return 1
	done
}
all_came() { [ "$(test_received bob)" = "$(sed 's/^/alice /' "$net_dir/alice.taken")" ]; }

# node_trouble NAME HOW UNDO: the alarm, then recovery.
node_trouble()
{
	before=$(count_of "$1" 'alarm [a-z]*-failed')
	recovered=$(count_of "$1" "[a-z]*-recovered")
	check "$1, $2: the disk refuses" "$2" "$1"
	check "$1, $2: messages are taken and an alarm is logged" node_suffers "$1" "$before"
	"$3" "$1"
	check "$1, $2: it recovers, and everything arrives once and in order" \
	    node_recovers "$1" "$recovered"
}
node_suffers() { send_some && net_wait 20 more_of "$1" 'alarm [a-z]*-failed' "$2" && alive; }
node_recovers()
{
	net_wait 30 more_of "$1" "[a-z]*-recovered" "$2" && net_wait 150 all_came && alive
}

# A member's agent takes nothing that it cannot write down.
member_trouble()
{
	check "alice, $1: the disk refuses" "$1" alice
	(send_some) >"$net_dir/waiting" 2>&1 &
	sender=$!
	check "alice, $1: the agent says so" net_wait 20 has_alarm
	check "alice, $1: nothing is called queued that is not on the disk" not_taken
	"$2" alice
	wait "$sender"
	sent=$((sent + 3))
	check "alice, $1: it recovers, and everything arrives once and in order" member_recovers
}
not_taken() { [ ! -s "$net_dir/waiting" ] && kill -0 "$sender" && alive; }
member_recovers() { net_wait 60 no_alarm && net_wait 150 all_came && alive; }

check "a network with small disks starts" start
check "a message arrives" eval 'send_some && net_wait 150 all_came'
node_trouble mix1 fill empty
node_trouble gateway freeze thaw
node_trouble gateway fill empty
member_trouble fill empty

# However many attempts there are before it recovers: one alarm for each kind of write.
flood() { [ "$(count_of "$1" 'alarm [a-z]*-failed')" -gt $((2 + 2 * $(count_of "$1" '[a-z]*-recovered'))) ]; }
no_floods() { ! flood gateway && ! flood mix1; }
check "the logs have few alarms, not one for each attempt" no_floods
member_trouble freeze thaw
test_logs
