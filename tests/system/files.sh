#!/bin/sh
# Damaged files: a sentence that says which file and what to do, an exit code
# that fits, no crash, and the damaged file is left as it was found.
. "${srcdir:-.}/tests/system/lib.sh"

test_begin 28

gateway_bin=$net_bin/gateway/restante-gateway
mix_bin=$net_bin/mix/restante-mix
charter_bin=$net_bin/common/charter/tool/restante-charter

# A network that has run, so that everything there is to be damaged exists.
start()
{
	net_make slot 100ms round 200ms people 2 time-scale 20 && net_start &&
	    test_members alice bob && test_introduce alice bob &&
	    net_client alice send bob --wait stored hello || return 1
	net_stop
	for at in gateway mix1 alice; do
		mv "$net_dir/$at" "$net_dir/$at.good" || return 1
	done
}

size_of() { wc -c <"$1"; }
byte_at() { od -An -v -tu1 -j "$2" -N 1 "$1" | tr -d ' '; }
put_byte() { printf '%b' "\\0$(printf %o "$3")" | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null; }

# flip FILE: one bit, behind the eight bytes of the format, where the seed says.
flip()
{
	where=$((8 + $(pick "$test_seed" 1 $(($(size_of "$1") - 8)))))
	put_byte "$1" "$where" $(($(byte_at "$1" "$where") ^ 4))
	echo "flipped a bit of byte $where"
}

damage() # HOW FILE
{
	case $1 in
	empty) : >"$2" ;;
	cut) truncate -s $(($(size_of "$2") / 2)) "$2" ;;
	shorn) truncate -s -1 "$2" ;;
	oversized) head -c 3000000 /dev/zero >>"$2" ;;
	flipped) flip "$2" ;;
	newer) put_byte "$2" 6 9 ;;
	unreadable) rm "$2" && mkdir "$2" ;; # root reads whatever its mode is
	esac
}

# run WHO: the program whose directory this is. Its exit code; 124: it runs.
run()
{
	case $1 in
	gateway) set -- "$gateway_bin" run --config "$net_dir/gateway.conf" ;;
	mix1) set -- "$mix_bin" run --config "$net_dir/mix1.conf" ;;
	alice) set -- "$net_bin/client-lib/restante" --dir "$net_dir/alice" agent --key-file "$net_dir/alice.key" ;;
	esac
	XDG_RUNTIME_DIR=$net_dir timeout -s TERM -k 5 2 "$@" >"$net_dir/said" 2>&1 </dev/null
}

# said CODE TEXT...: the program went with this code, and a sentence with all the texts.
said()
{
	cat "$net_dir/said"
	[ "$code" -eq "$1" ] || { echo "exit code $code, not $1"; return 1; }
	shift
	for text in "$@"; do
		grep -q -e "$text" "$net_dir/said" || { echo "nothing about: $text"; return 1; }
	done
}

# refuses WHO FILE NAME HOW...: for each kind of damage, the program names the file and goes.
refuses()
{
	who=$1 file=$2 name=$3
	shift 3
	for how in "$@"; do
		echo "-- $file $how"
		rm -rf "${net_dir:?}/$who"
		cp -a "$net_dir/$who.good" "$net_dir/$who"
		damaged=$net_dir/$who/$file
		damage "$how" "$damaged"
		[ -d "$damaged" ] || cp "$damaged" "$net_dir/before"
		run "$who"
		code=$?
		case $how in
		unreadable) said 74 "$name" || return 1 ;;
		newer) said 65 "$name" 'newer version' 'upgrade' || return 1 ;;
		*) said 65 "$name" || return 1 ;;
		esac
		[ "$(grep -c . "$net_dir/said")" -eq 1 ] || { echo 'more than a sentence'; return 1; }
		[ -d "$damaged" ] || cmp "$net_dir/before" "$damaged" || return 1
	done
}

# Nothing is wrong with the good copies: the rest of this test says something.
all_run()
{
	for who in gateway mix1 alice; do
		cp -a "$net_dir/$who.good" "$net_dir/$who"
		run "$who"
		code=$?
		said 124 || return 1
	done
}

only() { ls "$net_dir/$1" | grep "^$2"; }

check "a network leaves its files" start
check "all programs run on them" all_run

all='empty cut shorn oversized flipped newer unreadable'
for who in gateway mix1; do
	key=$(only "$who" key-) replay=$(only "$who" replay-)
	check "$who: nodekeys" refuses "$who" nodekeys nodekeys $all
	check "$who: batches" refuses "$who" batches batches $all
	check "$who: the key of an epoch" refuses "$who" "$key" "$key" empty cut shorn oversized flipped newer
	check "$who: the replay set" refuses "$who" "$replay" "$replay" newer
done
check "mix1: the chain" refuses mix1 chain chain $all
sheet=$(only mix1 sheet-)
check "mix1: a sheet" refuses mix1 "$sheet" "$sheet" empty cut shorn oversized flipped newer
check "gateway: the epoch blocks" refuses gateway journal/epochs 'epoch blocks' newer
day=$(only gateway/journal day-)
check "gateway: a day's key" refuses gateway "journal/key-${day#day-}" "$day" empty cut shorn oversized flipped
check "gateway: a day's database" refuses gateway "journal/$day/CURRENT" "$day" empty cut flipped
check "alice: state" refuses alice state state $all
check "alice: state.key" refuses alice state.key state.key $all
check "alice: vault" refuses alice vault vault empty cut shorn oversized newer unreadable
check "alice: charter" refuses alice charter charter empty cut shorn oversized flipped unreadable
check "alice: archive" refuses alice archive/CURRENT archive empty cut flipped

# ---- the charter, for everybody who reads one ----

# Each reader of a charter refuses this one with a sentence that names it.
charter_refused() # TEXT [CODE of verify]
{
	for reader in gateway mix verify init; do
		echo "-- $reader"
		case $reader in
		gateway) "$gateway_bin" run --config "$net_dir/bad.gateway.conf" --check-config ;;
		mix) "$mix_bin" run --config "$net_dir/bad.mix.conf" --check-config ;;
		verify) "$charter_bin" verify "$net_dir/bad.charter" ;;
		init) net_client carol init --charter "$net_dir/bad.charter" --key-file "$net_dir/alice.key" ;;
		esac >"$net_dir/said" 2>&1
		code=$?
		case $reader in
		verify) said "${2:-1}" bad.charter "$1" ;;
		*) said 65 bad.charter "$1" ;;
		esac || return 1
		[ ! -e "$net_dir/carol/vault" ] || return 1
	done
}
bad_charters()
{
	for who in gateway mix; do
		printf 'state = %s\ncharter = %s\n' "$net_dir/$who" "$net_dir/bad.charter" >"$net_dir/bad.$who.conf"
	done
	while IFS='|' read -r edit text; do
		echo "== $edit"
		sed "$edit" "$net_dir/charter" >"$net_dir/bad.charter"
		charter_refused "$text" || return 1
	done <<-'X'
		1s/1$/2/|newer
		/^slot/d|line
		s/^slot = .*/slot = 5ms/|slot
		s/^name = .*/name = Elsewhere/|signature
		/^signature/d|signature
		$d|signature
		$s/.$//|line
		2s/^/x/|line
		$a trailing|line
		s/$/\r/|line
	X
	: >"$net_dir/bad.charter"
	charter_refused line || return 1
	head -c 3000000 "$net_dir/charter" /dev/zero >"$net_dir/bad.charter"
	charter_refused . 66
}

# ---- configuration ----

config_says() # PROGRAM CODE TEXT CONFIGURATION
{
	echo "-- $3"
	printf '%b' "$4" >"$net_dir/bad.conf"
	"$1" run --config "$net_dir/bad.conf" --check-config >"$net_dir/said" 2>&1
	code=$?
	said "$2" bad.conf "$3"
}
bad_configurations()
{
	for program in "$gateway_bin" "$mix_bin"; do
		base="state = $net_dir/x\ncharter = $net_dir/charter\n"
		config_says "$program" 78 'line 3.*did you mean' "${base}thread = 2\n" &&
		    config_says "$program" 78 'line 3' "${base}threads = 65\n" &&
		    config_says "$program" 78 'line 3' "${base}threads = many\n" &&
		    config_says "$program" 78 'line 3' "${base}charter = /x\n" &&
		    config_says "$program" 78 'line 3' "${base}threads\n" &&
		    config_says "$program" 78 'line 3' "${base}log-level = loud\n" &&
		    config_says "$program" 78 'charter' "state = $net_dir/x\n" &&
		    config_says "$program" 78 'line 3' "${base}threads = \0012\n" || return 1
		"$program" run --config "$net_dir/absent.conf" >"$net_dir/said" 2>&1
		code=$?
		said 78 absent.conf || return 1
	done
}
good_configurations()
{
	"$gateway_bin" run --config "$net_dir/gateway.conf" --check-config &&
	    "$mix_bin" run --config "$net_dir/mix1.conf" --check-config || return 1
	for program in "$gateway_bin" "$mix_bin"; do
		"$program" --default-config >/dev/null && "$program" --describe-config >/dev/null || return 1
	done
}

check "charters that are newer, edited, unsigned, cut or junk are refused by all" bad_charters
check "bad configurations are refused with their line" bad_configurations
check "good ones pass --check-config" good_configurations

# ---- authority keys and public lines ----

charter_says() # CODE TEXT arguments...
{
	wanted=$1 about=$2
	shift 2
	"$charter_bin" "$@" >"$net_dir/said" 2>&1
	code=$?
	said "$wanted" "$about"
}
bad_authority_keys()
{
	for how in empty cut shorn oversized flipped newer; do
		echo "-- $how"
		cp "$net_dir/authority1.key" "$net_dir/bad.key"
		damage "$how" "$net_dir/bad.key"
		cp "$net_dir/draft" "$net_dir/unsigned"
		charter_says 1 . sign --key "$net_dir/bad.key" "$net_dir/unsigned" &&
		    cmp "$net_dir/draft" "$net_dir/unsigned" || return 1
	done
	charter_says 66 none.key sign --key "$net_dir/none.key" "$net_dir/unsigned" &&
	    charter_says 73 authority1.key keygen "$net_dir/authority1.key"
}
bad_lines()
{
	line=$(cat "$net_dir/mix0.pub")
	for bad in "" "$(echo "$line" | cut -c 1-60)" "$line x" "$(echo "$line" | tr '0' 'g')" "$line
$line"; do
		cp "$net_dir/draft" "$net_dir/unsigned"
		charter_says 1 . add-node --layer 0 "$net_dir/unsigned" "$bad" &&
		    cmp "$net_dir/draft" "$net_dir/unsigned" || return 1
	done
}
check "damaged authority keys sign nothing" bad_authority_keys
check "damaged public lines add nothing" bad_lines

# ---- who may not ----

wrong_secret()
{
	rm -rf "$net_dir/alice"
	cp -a "$net_dir/alice.good" "$net_dir/alice"
	head -c 32 /dev/urandom >"$net_dir/wrong.key"
	net_client alice agent --key-file "$net_dir/wrong.key" >"$net_dir/said" 2>&1
	code=$?
	said 1 'wrong key file' || return 1
	echo 'correct horse battery' >"$net_dir/right.txt"
	echo 'incorrect horse' >"$net_dir/wrong.txt"
	net_client alice passphrase --key-file "$net_dir/alice.key" \
	    --new-passphrase-file "$net_dir/right.txt" || return 1
	net_client alice agent --passphrase-file "$net_dir/wrong.txt" >"$net_dir/said" 2>&1
	code=$?
	said 1 'wrong passphrase'
}
# Two of a kind on one directory: the second says so and goes.
twice()
{
	cp -a "$net_dir/alice.good/." "$net_dir/alice"
	for who in gateway mix1; do
		rm -rf "${net_dir:?}/$who"
		cp -a "$net_dir/$who.good" "$net_dir/$who"
		net_start_node "$who"
	done
	net_start_agent alice
	for who in gateway mix1 alice; do
		: >"$net_dir/said"
		net_wait 20 refused_as_second "$who" || { echo "$who"; return 1; }
	done
	kill -0 "$(net_pid gateway)" && kill -0 "$(net_pid mix1)" && kill -0 "$(net_pid alice)"
}
refused_as_second()
{
	run "$1"
	code=$?
	said 75 'another'
}
no_directory()
{
	printf 'state = %s\ncharter = %s\n' "$net_dir/nowhere" "$net_dir/charter" >"$net_dir/none.conf"
	for program in "$mix_bin" "$gateway_bin"; do
		[ "$program" = "$mix_bin" ] || echo 'transport = loopback' >>"$net_dir/none.conf"
		"$program" run --config "$net_dir/none.conf" >"$net_dir/said" 2>&1
		code=$?
		said 1 init || return 1
	done
	net_client nobody agent --key-file "$net_dir/alice.key" >"$net_dir/said" 2>&1
	code=$?
	said 1 'restante init'
}
check "a wrong passphrase or key file is called so" wrong_secret
check "a second process on a directory is refused" twice
net_stop
check "a directory that was never made: the sentence says how" no_directory
