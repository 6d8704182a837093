#!/bin/sh
# restante-charter as people run it: a whole ceremony, and every refusal with
# its sentence and exit code.
. "${srcdir:-.}/tests/scripts/tap.sh"

tool=$PWD/common/charter/tool/restante-charter
[ -x "$tool" ] || tap_skip_all 'restante-charter is not built'
corpus=$(cd "$srcdir/tests/fuzz/corpus" && pwd) || exit 1
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

# Public keys of throw-away seeds: what restante-mix init would print.
mix0='restante-node 1 mix identity=cfe27ff4d51eb9379c66c282ebe9654aa3a49e467d73aec2f2d7f88f9675f9b4 link=335b8c8f89eaf07379007e8e77580e2d4646a82be381d1451c5582feaf154b7b address=127.0.0.1:7001'
mix1='restante-node 1 mix identity=da950460257286b45a567fbe912b13cf0e1f917f0d29ee9a9ad95b26feff281d link=0308e9e63614ddbcb371d918a055727bf0c23c64778da5fab28a88ca7c61bd0e address=127.0.0.1:7002'
mix2='restante-node 1 mix identity=ab0d3b28b9777cd48f33bda548e1832f4cac7dab761e7fea24e7033f3bb57c13 link=c077a521d9e11a4c32df8c93495cae61dffa3b6570412f20efb71837c1083c66 address=127.0.0.1:7003'
gateway='restante-node 1 gateway identity=39b7f53d45c8fd72159a0d00300f64b673315aa8a45a76b1b4420eaae098f00c link=092daad32bff5f3d21f9d3f38e309a4d285909179e2d1d3f5f27d9077216650d address=127.0.0.1:7004 entrance=unix:/run/restante/entrance'
registrar='restante-node 1 registrar identity=c47cdb4e0c154bdc5f21aa40eae11a0ad406eb313be8454d4d9b387205fd61df link=295029b75ef1df0e1d8e6827c008a8fe0d8c379d6ebb84305741fbf5f5bab82a entrance=127.0.0.1:7600'

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

# same name file file: the two must not differ.
same()
{
	tap_report "$1" "$(cmp "$2" "$3" 2>&1)"
}

tap_plan 87

# ---- a ceremony ----
expect 'create makes a draft' 0 '' "$tool" create --name 'Example agency' --not-after 2099-01-01 draft
expect 'create does not overwrite' 73 'draft: exists already' "$tool" create --name Other draft
expect 'create needs a name' 64 '--name is missing' "$tool" create other
expect 'create refuses a date in the past' 1 'has passed' "$tool" create --name A --not-after 2001-01-01 other
expect 'create refuses what is no date' 1 'is not a time' "$tool" create --name A --not-after soon other
expect 'create needs a directory' 73 'cannot be created' "$tool" create --name A no/such/directory/file
expect 'a draft is not yet a charter' 1 '2 authorities must sign, but there are 0' "$tool" verify draft
for i in 1 2 3; do
	expect "keygen makes key $i" 0 '^restante-authority 1 [0-9a-f]\{64\}$' "$tool" keygen "key$i"
	cp out "public$i"
	expect "authority $i is added" 0 '' "$tool" add-authority draft "$(cat "public$i")"
done
tap_report 'key files are for the owner alone' "$(find . -name 'key?' ! -perm 600)"
cp key1 key1.before
expect 'keygen does not overwrite' 73 'exists already' "$tool" keygen key1
same 'the key is still there' key1 key1.before
expect 'an authority is added once' 1 'there already' "$tool" add-authority draft "$(cat public1)"
expect 'an incomplete draft is not signed' 1 'layer 0 has no mix' "$tool" sign --key key1 draft
expect 'a mix needs a layer' 64 'needs --layer from 0 (first) to 2' "$tool" add-node draft "$mix0"
expect 'the layer must exist' 64 'needs --layer' "$tool" add-node draft --layer 3 "$mix0"
expect 'a gateway has no layer' 64 'no --layer' "$tool" add-node draft --layer 0 "$gateway"
expect 'mix 0 is added' 0 '^node 1$' "$tool" add-node draft --layer 0 "$mix0"
expect 'a node is added once' 1 'have the same key' "$tool" add-node draft --layer 1 "$mix0"
# shellcheck disable=SC2086 # as a shell that forgot the quotes passes it
expect 'words of a line are joined' 0 '^node 2$' "$tool" add-node --layer 1 draft $mix1
expect 'mix 2 is added' 0 '^node 3$' "$tool" add-node draft --layer 2 "$mix2"
printf '%s\n' "$gateway" | "$tool" add-node draft - >out 2>&1
tap_report 'a line comes by standard input' "$(grep -vx 'node 4' out)"
expect 'an empty input is no line' 66 'no public line' "$tool" add-node draft -
cp draft with-registrar
expect 'a registrar has no layer' 64 'a registrar has no --layer' "$tool" add-node with-registrar --layer 0 "$registrar"
expect 'a registrar is added' 0 '^node 5$' "$tool" add-node with-registrar "$registrar"
expect 'a registrar is shown' 0 '^node 5 .*registrar, entrance 127.0.0.1:7600, identity' "$tool" show with-registrar
expect 'one gateway is enough' 1 'have the same key' "$tool" add-node draft "$gateway"
expect 'a mangled line is refused' 1 'copy the node' "$tool" add-node draft --layer 0 "${mix0%??????????????????????????}"
expect 'a newer line is refused by name' 1 'restante-node 2: made by a newer' "$tool" add-node draft --layer 0 'restante-node 2 x'

# ---- parameters ----
expect 'people bring pieces along' 0 '^pieces = 4$' "$tool" set draft people 200
expect 'and may be few again' 0 '^pieces = 2$' "$tool" set draft people 125
expect 'fewer pieces are refused' 1 'set it to at least 2' "$tool" set draft pieces 1
expect 'several at once' 0 '' "$tool" set draft slot 4s round 8s strategy.1 'timed-pool min=20'
expect 'every strategy is taken' 0 '' "$tool" set draft strategy.0 'stop-and-go mean=2s' strategy.1 'binomial rate=0.8 mean=100 deviation=40' strategy.2 'timed-dynamic-pool min=2 rate=0.6 rule=gmix'
expect 'and a wrong one explained' 1 'write "threshold-pool packets=N min=M" (packets 1 to' "$tool" set draft strategy.0 'threshold-pool packets=5'
expect 'and the former come again' 0 '' "$tool" set draft strategy.0 'timed-dynamic-pool min=2 rate=0.6' strategy.1 'timed-pool min=20' strategy.2 'timed-dynamic-pool min=2 rate=0.6 rule=mixminion'
expect 'ranges are named' 1 'from 20ms to 10min' "$tool" set draft slot 9h
expect 'an unknown name is refused' 1 'unknown parameter "slott"' "$tool" set draft slott 4s
expect 'a value is missing' 64 'each name needs a value' "$tool" set draft slot 4s round
expect 'name and threshold are set too' 0 '' "$tool" set draft name 'Example office' threshold 2
expect 'a founding charter has no start' 1 'no from-epoch' "$tool" set draft from-epoch 7
expect 'layers with mixes cannot go' 1 'remove it, or set layers' "$tool" set draft layers 2
cp draft before
expect 'a refused change' 1 'out of range' "$tool" set draft people 100 slot 9h
same 'changes nothing' draft before
expect 'strategies are explained' 0 '^stop-and-go mean=DURATION$' "$tool" parameters
expect 'parameters are explained' 0 '^    20ms to 10min; default 5s$' "$tool" parameters

# ---- a disk that takes nothing ----
# Every write fails, also to a file of output; so the output comes by a pipe.
said=$(
	trap '' XFSZ
	ulimit -f 0
	"$tool" set draft people 100 2>&1
)
code=$?
tap_report 'a failed write is told' "$([ $code = 73 ] || echo "exit code $code"
    printf '%s\n' "$said" | grep -q 'draft: cannot be updated: File too large' || echo "$said")"
same 'and leaves the old draft' draft before
said=$(
	trap '' XFSZ
	ulimit -f 0
	"$tool" keygen unwritten 2>&1
)
tap_report 'a key that was not written is not announced' "$(printf '%s\n' "$said" | grep '^restante-authority')"
tap_report 'nothing is left behind' "$(find . -name 'draft.*' -o -name unwritten)"

# ---- signatures ----
cp draft copy1 && cp draft copy2
expect 'the first signs' 0 '^1 of 2 signatures$' "$tool" sign --key key1 copy1
expect 'nobody signs twice' 1 'has signed already' "$tool" sign --key key1 copy1
expect 'the second signs' 0 '^1 of 2 signatures$' "$tool" sign --key key2 copy2
expect 'one signature is too few' 1 '1 of the authorities signed, but 2 must' "$tool" verify copy1
expect 'signatures are gathered' 0 '^2 of 2 signatures$' "$tool" combine --output charter copy1 copy2
expect 'a charter is valid' 0 '^charter: valid: Example office, version 1, 2 signatures' "$tool" verify charter
expect 'combine does not overwrite' 73 'exists already' "$tool" combine --output charter copy1 copy2
expect 'a signed charter is not changed' 1 'restante-charter next' "$tool" set charter people 100
expect 'a change drops signatures' 0 '1 signatures no longer hold' "$tool" set copy1 people 100
expect 'different drafts do not mix' 1 'not the same draft' "$tool" combine --output mixed copy1 copy2
"$tool" keygen stranger >/dev/null
expect 'a stranger cannot sign' 1 "not one of the charter's authorities" "$tool" sign --key stranger copy2
chmod 640 key3
expect 'a readable key is refused' 1 'chmod 600' "$tool" sign --key key3 copy2
chmod 600 key3
expect 'a missing key is no input' 66 'no such file' "$tool" sign --key no-key copy2
expect 'a charter is no key' 1 'not a key file' "$tool" sign --key charter copy2

# ---- the next version ----
expect 'a successor is started' 0 '^version 2 from epoch 4000000$' "$tool" next --from-epoch 4000000 charter next
expect 'a node is replaced' 0 '' "$tool" remove-node next 2
expect 'under a new number' 0 '^node 5$' "$tool" add-node next --layer 1 \
    "$(printf '%s\n' "$mix1" | sed 's/:7002/:7012/')"
"$tool" sign --key key1 next >/dev/null && "$tool" sign --key key3 next >/dev/null
expect 'it follows' 0 'next: valid: Example office, version 2' "$tool" verify --previous charter next
expect 'a draft has no successor' 1 'authorities signed' "$tool" next draft other
expect 'show prints a draft' 0 '^node 4 .*gateway' "$tool" show draft
expect 'show prints JSON' 0 '"role":"gateway","layer":3' "$tool" show --json charter

# ---- evidence ----
lied=$corpus/evidence
two=$corpus/charter/two
successor=$corpus/charter/next
expect 'two blocks prove a lie' 0 '^The gateway of the network .* it signed two blocks for round 83124 ' \
    "$tool" verify-evidence "$two" "$lied/blocks"
expect 'two sheets prove a lie' 0 'two sheets for epoch 83124 .*the other 02000' "$tool" verify-evidence "$two" "$lied/sheets"
expect 'by a later charter too' 0 'two sheets for epoch' "$tool" verify-evidence "$successor" "$lied/sheets"
expect 'and by both' 0 'two sheets for epoch' "$tool" verify-evidence "$two" "$successor" "$lied/sheets"
expect 'each once' 1 'given twice' "$tool" verify-evidence "$successor" "$successor" "$lied/sheets"
expect 'as JSON' 0 '^{"proves":"sheets",.*"gateway":4,"epoch":83124,' \
    "$tool" verify-evidence --json "$two" "$lied/sheets"
expect 'not by another network' 1 'another network' "$tool" verify-evidence charter "$lied/sheets"
sed 's/^sheet = 83124/sheet = 83125/' "$lied/sheets" >changed
expect 'a changed file proves nothing' 1 'changed: is damaged\|changed: the evidence is damaged' \
    "$tool" verify-evidence "$two" changed
expect 'a charter is no evidence' 1 'no evidence' "$tool" verify-evidence "$two" key1
expect 'evidence is no charter' 1 'line 1' "$tool" verify-evidence "$lied/sheets" "$lied/sheets"
expect 'a missing file is no input' 66 'no such file' "$tool" verify-evidence "$two" no-file
expect 'a charter is needed' 64 'verify-evidence' "$tool" verify-evidence "$lied/sheets"
