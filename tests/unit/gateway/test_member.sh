#!/bin/sh
# restante-gateway as people run it before it runs: init with and without an onion
# service, groups of members, and each refusal with its sentence and exit code.
. "${srcdir:-.}/tests/scripts/tap.sh"

gateway=$PWD/gateway/restante-gateway
[ -x "$gateway" ] || tap_skip_all 'restante-gateway is not built'
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

# expect name code pattern command...: the exit code, and a line of output that
# matches (or no output at all for an empty pattern).
expect()
{
	expect_name=$1 expect_code=$2 expect_pattern=$3
	shift 3
	"$@" >out 2>&1 </dev/null
	got=$?
	finding=
	[ "$got" = "$expect_code" ] || finding="exit code $got, not $expect_code; "
	if [ -z "$expect_pattern" ]; then
		[ ! -s out ] || finding="${finding}unexpected output"
	else
		grep -qe "$expect_pattern" out || finding="${finding}no \"$expect_pattern\""
	fi
	[ -z "$finding" ] || finding="$finding
$(cat out)"
	tap_report "$expect_name" "$finding"
}

member()
{
	"$gateway" member --config conf "$@"
}

tap_plan 26

printf 'state = %s/g\ncharter = %s/charter\nentrance = unix:%s/in\n' "$work" "$work" "$work" >conf
key=mfrggzdfmztwq2lkmfrggzdfmztwq2lkmfrggzdfmztwq2lkmfra
name='[a-z2-7]\{56\}'

expect 'a group before there is a key is refused' 1 'no key of an onion service' member add early
rm -rf g
expect 'init makes an onion address' 0 "entrance=$name\\.onion:80\$" \
    "$gateway" init --dir g --address 127.0.0.1:7004
onion=$(sed 's/.*entrance=\(.*\)\.onion.*/\1/' out)
cp g/onionkey onionkey
expect 'init again changes nothing' 1 'has keys already' "$gateway" init --dir g --address 127.0.0.1:7004
rm g/nodekeys
expect 'an onion key that is there is kept' 0 "entrance=$onion\\.onion:81\$" \
    "$gateway" init --dir g --address 127.0.0.1:7004 --onion-port 81
tap_report 'and is the same file' "$(cmp onionkey g/onionkey 2>&1)"
expect 'init with an entrance makes none' 0 'entrance=unix:/run/in$' \
    "$gateway" init --dir h --address 127.0.0.1:7004 --entrance unix:/run/in
tap_report 'and no file of one' "$(ls h | grep onionkey)"
expect 'an onion address is no entrance to give' 64 'onion address of its own' \
    "$gateway" init --dir i --address 127.0.0.1:7004 --entrance "$onion.onion:80"

expect 'a list of nobody is empty' 0 '' member list
expect 'a new pair is printed in the form of tor' 0 "^$onion:descriptor:x25519:[a-z2-7]\\{52\\}\$" \
    member add beta
secret=$(sed 's/.*://' out)
tap_report 'the private half is kept nowhere' "$(grep -rl "$secret" g)"
expect 'a given key is taken in silence' 0 '' member add alpha --key "$(echo $key | tr a-z A-Z)"
expect 'the list is sorted' 0 "^alpha $key\$" member list
tap_report 'it has both' "$([ "$(wc -l <out)" = 2 ] && [ "$(sed -n 2p out | cut -d' ' -f1)" = beta ] || cat out)"
tap_report 'and is the file' "$(cmp out g/members 2>&1)"
expect 'the list in JSON' 0 '^\[{"name":"alpha","key":"'$key'"},{"name":"beta","key":"[a-z2-7]*"}\]$' \
    member list --json
expect 'a name twice is refused' 1 'a group alpha already' member add alpha
expect 'a key twice is refused' 1 'alpha has this key' member add gamma --key $key
expect 'a bad name is refused' 64 'name is 1 to 32' member add Alpha
expect 'the name of the probe is refused' 64 "gateway's own" member add probe
expect 'a bad key is refused' 64 '52 characters' member add gamma --key short
expect 'removing nobody is refused' 1 'no group of this name' member remove gamma
expect 'a group is removed' 0 '' member remove beta
expect 'another word is refused' 64 'member add NAME' member drop beta
expect 'add without a name is refused' 64 'member add NAME' member add
echo 'beta' >>g/members
expect 'a damaged file is named, with the line' 65 'members, line 2' member list
