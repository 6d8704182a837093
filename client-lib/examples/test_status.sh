#!/bin/sh
# The example over the public interface, run on a directory of its own.
. "${srcdir:-.}/tests/scripts/tap.sh"

example=$PWD/client-lib/examples/status
charter=$PWD/common/charter/tool/restante-charter
[ -x "$charter" ] || tap_skip_all 'restante-charter is not built'
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

# Public keys of throw-away seeds: what restante-mix init would print.
{
	"$charter" create --name 'Example network' --not-after 2099-01-01 draft
	"$charter" add-node --layer 0 draft 'restante-node 1 mix identity=cfe27ff4d51eb9379c66c282ebe9654aa3a49e467d73aec2f2d7f88f9675f9b4 link=335b8c8f89eaf07379007e8e77580e2d4646a82be381d1451c5582feaf154b7b address=127.0.0.1:1'
	"$charter" add-node --layer 1 draft 'restante-node 1 mix identity=da950460257286b45a567fbe912b13cf0e1f917f0d29ee9a9ad95b26feff281d link=0308e9e63614ddbcb371d918a055727bf0c23c64778da5fab28a88ca7c61bd0e address=127.0.0.1:2'
	"$charter" add-node --layer 2 draft 'restante-node 1 mix identity=ab0d3b28b9777cd48f33bda548e1832f4cac7dab761e7fea24e7033f3bb57c13 link=c077a521d9e11a4c32df8c93495cae61dffa3b6570412f20efb71837c1083c66 address=127.0.0.1:3'
	"$charter" add-node draft 'restante-node 1 gateway identity=39b7f53d45c8fd72159a0d00300f64b673315aa8a45a76b1b4420eaae098f00c link=092daad32bff5f3d21f9d3f38e309a4d285909179e2d1d3f5f27d9077216650d address=127.0.0.1:4 entrance=127.0.0.1:5'
	"$charter" set draft threshold 1
	"$charter" add-authority draft "$("$charter" keygen ann)"
	"$charter" sign --key ann draft
} >made 2>&1 || { sed 's/^/# /' made; echo 'Bail out! no charter'; exit 1; }
head -c 32 /dev/zero >key
head -c 32 /dev/urandom >other

# expect name code pattern command...
expect()
{
	expect_name=$1 expect_code=$2 expect_pattern=$3
	shift 3
	"$@" >out 2>&1 </dev/null
	got=$?
	finding=
	[ "$got" = "$expect_code" ] || finding="exit code $got, not $expect_code; "
	grep -qe "$expect_pattern" out || finding="${finding}no \"$expect_pattern\": $(cat out)"
	tap_report "$expect_name" "$finding"
}

tap_plan 6
expect 'a directory is made and opened' 0 'network Example network, epoch' \
    "$example" directory key draft
expect 'it is opened again, offline' 0 '^offline, not verified' "$example" directory key
expect 'another key file does not open it' 1 'wrong passphrase or key file' "$example" directory other
expect 'it is not made twice' 1 'exists already' "$example" directory key draft
expect 'no directory, no client' 1 '^open: ' "$example" nowhere key
expect 'its usage is told' 64 '^usage: ' "$example"
