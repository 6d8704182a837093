#!/bin/sh
# restante as people run it, without a network: directories, locks, the agent's
# life, and every refusal with its sentence and exit code.
. "${srcdir:-.}/tests/scripts/tap.sh"

tool=$PWD/client-lib/restante
charter=$PWD/common/charter/tool/restante-charter
{ [ -x "$tool" ] && [ -x "$charter" ]; } || tap_skip_all 'restante is not built'
work=$(mktemp -d) || exit 1
trap 'kill "$agent" 2>/dev/null; rm -rf "$work"' EXIT
agent=
cd "$work" || exit 1
unset RESTANTE_DIR XDG_DATA_HOME
HOME=$work/home XDG_RUNTIME_DIR=$work
export HOME XDG_RUNTIME_DIR

# Public keys of throw-away seeds: what restante-mix init would print.
{
	"$charter" create --name 'Example network' --not-after 2099-01-01 draft
	"$charter" add-node --layer 0 draft 'restante-node 1 mix identity=cfe27ff4d51eb9379c66c282ebe9654aa3a49e467d73aec2f2d7f88f9675f9b4 link=335b8c8f89eaf07379007e8e77580e2d4646a82be381d1451c5582feaf154b7b address=127.0.0.1:1'
	"$charter" add-node --layer 1 draft 'restante-node 1 mix identity=da950460257286b45a567fbe912b13cf0e1f917f0d29ee9a9ad95b26feff281d link=0308e9e63614ddbcb371d918a055727bf0c23c64778da5fab28a88ca7c61bd0e address=127.0.0.1:2'
	"$charter" add-node --layer 2 draft 'restante-node 1 mix identity=ab0d3b28b9777cd48f33bda548e1832f4cac7dab761e7fea24e7033f3bb57c13 link=c077a521d9e11a4c32df8c93495cae61dffa3b6570412f20efb71837c1083c66 address=127.0.0.1:3'
	"$charter" add-node draft 'restante-node 1 gateway identity=39b7f53d45c8fd72159a0d00300f64b673315aa8a45a76b1b4420eaae098f00c link=092daad32bff5f3d21f9d3f38e309a4d285909179e2d1d3f5f27d9077216650d address=127.0.0.1:4 entrance=127.0.0.1:5'
	"$charter" set draft threshold 1
	"$charter" add-authority draft "$("$charter" keygen ann)"
	cp draft unsigned
	"$charter" sign --key ann draft
} >made 2>&1 || { sed 's/^/# /' made; echo 'Bail out! no charter'; exit 1; }
head -c 32 /dev/zero >key
head -c 31 /dev/zero >short
echo 'a long enough passphrase' >words

# crowd NUMBER: status, beside so many connections to the agent that say nothing.
crowd()
{
	python3 -c 'import glob, socket, subprocess, sys
peers = [socket.socket(socket.AF_UNIX) for i in range(int(sys.argv[1]))]
for peer in peers:
    peer.connect(glob.glob("restante-*")[0])
sys.exit(subprocess.run([sys.argv[2], "status"]).returncode)' "$1" "$tool"
}

# expect name code pattern command...: standard input is /dev/null or $input.
input=/dev/null
expect()
{
	expect_name=$1 expect_code=$2 expect_pattern=$3
	shift 3
	"$@" >out 2>&1 <"$input"
	got=$?
	finding=
	[ "$got" = "$expect_code" ] || finding="exit code $got, not $expect_code; "
	if [ -z "$expect_pattern" ]; then
		[ ! -s out ] || finding="${finding}unexpected output: $(cat out)"
	else
		grep -qe "$expect_pattern" out || finding="${finding}no \"$expect_pattern\": $(cat out)"
	fi
	tap_report "$expect_name" "$finding"
}

tap_plan 59
# ---- directories ----
expect 'a charter is needed' 64 'charter is missing' "$tool" init
expect 'the charter must be there' 1 'charter cannot be read' "$tool" init -c nothing --key-file key
expect 'an unsigned charter is refused' 65 'signature' "$tool" init -c unsigned --key-file key
expect 'a mailbox of the network' 65 'mailboxes 0 to 0' "$tool" init -c draft -m 1 --key-file key
expect 'a key file has 32 bytes at least' 65 '32 to 4095 bytes' "$tool" init -c draft --key-file short
expect 'one lock only' 64 'either' "$tool" init -c draft --key-file key --passphrase-file words
expect 'without a terminal nobody is asked' 64 'no terminal' setsid "$tool" init -c draft
expect 'init under the home directory' 0 "$work/home/.local/share/restante is ready" \
    "$tool" init -c draft --key-file key
expect 'it has only its owner' 0 '^700$' stat -c %a home/.local/share/restante
expect 'not a second time' 1 'choose an empty one' "$tool" init -c draft --key-file key
expect 'init elsewhere, as JSON' 0 "^{\"directory\":\"$work/other\"}\$" \
    "$tool" --json --dir other init -c draft --passphrase-file words

# ---- the client authorization of an onion entrance ----
onion=aoqqpp7tzyil4hlq3umoos6atft6jvrqtosq2xy53sdgiesvgg4bqead
key=aaaqeayeaudaocajbifqydiob4ibceqtcqkrmfyydenbwha5dypq
echo "$onion:descriptor:x25519:$key" >line
echo "25njqamcweflpvkl73j4szahhihoc4xt3ktcgjnpaingr5yhkenl5sid:descriptor:x25519:$key" >elsewhere
sed "s/^/x/" line >misspelt
cp unsigned onion-charter
sed -i "s/entrance=127.0.0.1:5/entrance=$onion.onion:80/" onion-charter
"$charter" sign --key ann onion-charter >/dev/null 2>&1
expect 'a key for a network without an onion entrance' 65 'no onion service' \
    "$tool" authorize --key-file key line
expect 'init with a key' 0 'is ready' "$tool" --dir onion init -c onion-charter --key-file key --authorize line
expect 'it is the owner'"'"'s alone' 0 '^600$' stat -c %a onion/entry.key
expect 'and sealed' 1 '' grep -aqi -e "$key" -e "$onion" onion/entry.key
expect 'init with a bad key leaves a directory' 65 'not authorized.*restante authorize' \
    "$tool" --dir half init -c onion-charter --key-file key --authorize misspelt
input=line
expect 'then it is given' 0 'is kept' "$tool" --dir half authorize --key-file key
expect 'or by name' 0 'is kept' "$tool" --dir half authorize --key-file key -
input=/dev/null
expect 'nothing is no key' 65 'one line of' "$tool" --dir half authorize --key-file key
expect 'a key of another service' 65 'another onion service' \
    "$tool" --dir onion authorize --key-file key elsewhere
expect 'a file that is not there' 1 'cannot be read' "$tool" --dir onion authorize --key-file key absent
expect 'a key made here' 0 '^[a-z2-7]\{52\}$' "$tool" --dir onion authorize --key-file key --public
expect 'a key made here, as JSON' 0 '"authorized":true,"public_key":"[a-z2-7]*"}' \
    "$tool" --json --dir onion authorize --key-file key --public
expect 'either made or given' 64 'takes no file' "$tool" --dir onion authorize --public line
echo 'tor-program = /nowhere/tor' >>onion/restante.conf
sed -i '/^tor-program = tor$/d' onion/restante.conf
expect 'no tor, no agent' 1 'install the package `tor`' "$tool" --dir onion agent --key-file key
sed -i 's/^transport = auto/transport = direct/' onion/restante.conf
expect 'an onion entrance is not dialled' 65 'through tor only' "$tool" --dir onion agent --key-file key

# ---- enrolment ----
# A code of a secret and the first bytes of a network id, by docs/protocol.md alone.
code_for()
{
	python3 -c 'import base64, hashlib, sys
b = b"\1" + bytes.fromhex(sys.argv[1][:16]) + bytes(range(32))
b += hashlib.blake2b(b, digest_size=32).digest()[:4]
print("restante-code:" + base64.urlsafe_b64encode(b).decode().rstrip("="))' "$1"
}
code_for "$("$charter" show draft | sed -n 's/^network id *//p')" >code
code_for 0123456789abcdef >strange
sed 's/AAECAwQF/AAECAwQG/' code >mistyped
expect 'init with a code' 0 'is ready' "$tool" --dir member init -c draft --key-file key --enrol code
expect 'a code' 0 'enrolled' "$tool" --dir member enrol --key-file key "$(cat code)"
input=code
expect 'or on standard input' 0 'enrolled' "$tool" --dir member enrol --key-file key
input=/dev/null
expect 'a mistyped code' 65 'mistyped' "$tool" --dir member enrol --key-file key mistyped
expect 'a code of another network' 65 'another network' "$tool" --dir member enrol --key-file key strange
expect 'init with a bad code leaves a directory' 65 'not enrolled.*restante enrol' \
    "$tool" --dir half2 init -c draft --key-file key --enrol mistyped

# ---- locks ----
expect 'a wrong passphrase is told' 1 'wrong passphrase' "$tool" --dir other agent --passphrase-file key
expect 'the lock is changed' 0 'locked with the new' "$tool" --dir other passphrase \
    --passphrase-file words --new-key-file key
expect 'the former one is gone' 1 'locked by a key file' "$tool" --dir other agent --passphrase-file words
expect 'a key may come from a pipe' 0 'locked with the new' sh -c \
    "head -c 32 /dev/zero | '$tool' --dir other passphrase --key-file /dev/stdin --new-passphrase-file words"

# ---- the agent ----
expect 'no directory, no agent' 1 'restante init' "$tool" --dir nowhere agent --key-file key
expect 'without an agent commands say so' 1 'start it with `restante agent`' "$tool" status
"$tool" agent --key-file key >agent.out 2>&1 &
agent=$!
tries=0
until grep -q ready agent.out || [ "$tries" -gt 200 ]; do
	tries=$((tries + 1))
	"$tool" status >/dev/null 2>&1 || "$charter" parameters >/dev/null
done
expect 'it says that it is ready' 0 ready cat agent.out
expect 'status' 0 'not connected' "$tool" status
expect 'status as JSON' 0 '"network":"Example network","online":false' "$tool" --json status
expect 'its socket has only its owner' 0 '^600$' sh -c 'stat -c %a restante-*'
expect 'no second agent' 75 'another' "$tool" agent --key-file key
expect 'an invitation needs a verified journal' 1 'has not been verified' "$tool" invite Ann
expect 'half an invitation' 65 'incomplete' "$tool" accept Ann restante:AAAA
expect 'no invitation at all' 64 'no invitation was given' "$tool" accept Ann
expect 'no key while it runs' 75 'stop it first' "$tool" authorize --key-file key line
expect 'no tor is needed' 0 '"tor":null' "$tool" --json status
expect 'an unknown contact' 1 'no contact of that name' "$tool" send Ann hello
expect 'a verb that is none' 64 'not "marry"' "$tool" contacts marry Ann
expect 'a verb without its name' 64 'takes a name' "$tool" contacts verify
expect 'an empty list' 0 '' "$tool" contacts
expect 'no message yet' 0 '' "$tool" inbox
expect 'nothing to save' 1 'not found' "$tool" inbox --save 3 --to x
expect 'where to save' 64 'say where' "$tool" inbox --save 3
expect 'retention is set' 0 '' "$tool" inbox --retention 30d
expect 'a crowd that fills the places of the agent is told' 75 'too many commands' crowd 64
expect 'and has them only while it is there' 0 'not connected' "$tool" status
expect 'stop' 0 '' "$tool" stop
