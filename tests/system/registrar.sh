#!/bin/sh
# restante-registrar as a real process: its commands, and kill -9 at any moment while two
# wallets with one code fetch: each batch goes to one of them, and stays its own.
# RESTANTE_KILLS says how many.
. "${srcdir:-.}/tests/system/lib.sh"

kills=${RESTANTE_KILLS:-100}
test_begin 15
echo "# $kills kills"

registrar() # COMMAND...
{
	command=$1
	shift
	"$net_bin/registrar/restante-registrar" "$command" --config "$net_dir/registrar.conf" "$@"
}

# A network whose nodes need not run; many batches, and epochs that do not end meanwhile.
make_network()
{
	net_authorities && net_nodes || return 1
	"$net_bin/registrar/restante-registrar" init --dir "$net_dir/registrar" \
	    --entrance "unix:$net_dir/tokens.sock" >"$net_dir/registrar.pub" || return 1
	net_charter create --name "$(basename "$net_dir")" "$net_dir/draft" || return 1
	for i in 1 2 3; do
		net_charter add-authority "$net_dir/draft" "$(cat "$net_dir/authority$i.pub")" >/dev/null || return 1
	done
	net_charter set "$net_dir/draft" stamps 100000 epoch 240h >/dev/null || return 1
	for i in 0 1 2; do
		net_charter add-node --layer "$i" "$net_dir/draft" "$(cat "$net_dir/mix$i.pub")" >/dev/null || return 1
	done
	for i in gateway registrar; do
		net_charter add-node "$net_dir/draft" "$(cat "$net_dir/$i.pub")" >/dev/null || return 1
	done
	printf 'state = %s\ncharter = %s\ntransport = loopback\nlog-level = warning\n' \
	    "$net_dir/registrar" "$net_dir/charter" >"$net_dir/registrar.conf"
	net_sign
}

start() { net_spawn registrar "$net_bin/registrar/restante-registrar" run --config "$net_dir/registrar.conf"; }
listening() { [ -S "$net_dir/registrar/desk" ] && registrar list >/dev/null 2>&1; }
started() { start && net_wait 30 listening; }

fetch() # WALLET FIRST COUNT
{
	"$net_bin/tests/system/registrar_client" "$net_dir/charter" "$net_dir/seeds" "$(cat "$net_dir/code")" "$@"
}

# What the gateway would know of the keys.
copy_seeds()
{
	mkdir -m 0700 "$net_dir/seeds" && cp "$net_dir/registrar/seeds" "$net_dir/seeds/seeds"
}
has_seeds() { [ -s "$net_dir/registrar/seeds" ]; }

enrol() { registrar enrol anna >"$net_dir/code" && grep -q '^restante-code:' "$net_dir/code"; }
refuses_twice() { ! registrar enrol anna >"$net_dir/twice" 2>&1 && grep -q 'anna is enrolled' "$net_dir/twice"; }
lists() { registrar list --json | grep -qx '\[{"number":1,"name":"anna"}\]' && [ "$(registrar list)" = '1 anna' ]; }
status() { registrar status --json >"$net_dir/status"; grep -q '"members":1,"seeds":5,' "$net_dir/status"; }
one_each()
{
	fetch 1 0 3 >"$net_dir/first" && fetch 2 0 3 >"$net_dir/second" && fetch 1 0 3 >"$net_dir/third" &&
	    [ "$(grep -c ' 0 ' "$net_dir/first")" -eq 3 ] && [ "$(grep -c ' 5 -$' "$net_dir/second")" -eq 3 ] &&
	    cmp "$net_dir/first" "$net_dir/third"
}

# Each round both wallets want batches that the round before may have begun with.
kill_all_over()
{
	pick "$test_seed" "$kills" 300 >"$net_dir/pauses"
	round=0
	while read -r pause; do
		rm -f "$net_dir/tokens.sock"
		start
		wallet=$((1 + round % 2))
		fetch "$wallet" $((8 + 3 * (round / 2))) 40 | sed "s/^/$wallet /" >>"$net_dir/answers" &
		client=$!
		while [ ! -S "$net_dir/tokens.sock" ]; do
			sleep 0.02
		done
		sleep "$(awk -v p="$pause" 'BEGIN { print p / 1000 }')"
		net_kill KILL registrar
		wait "$client"
		round=$((round + 1))
	done <"$net_dir/pauses"
}

# One wallet to a batch, and always the same tokens.
nobody_got_more()
{
	awk '$3 == 0 && ($2 in who) && who[$2] != $1 { print "batch", $2, "went to both"; bad = 1 }
	    $3 == 0 && ($2 in what) && what[$2] != $4 { print "batch", $2, "changed"; bad = 1 }
	    $3 == 0 { who[$2] = $1; what[$2] = $4; n++ }
	    $3 != 0 && $3 != 5 { print "status", $3; bad = 1 }
	    END { print n + 0, "answers"; exit bad || n == 0 }' "$net_dir/answers"
}

# All batches that were touched: one of the two gets each, the one who had it, and the same tokens.
nobody_lost_any()
{
	last=$(awk '$2 > most { most = $2 } END { print most + 0 }' "$net_dir/answers")
	for wallet in 1 2; do
		fetch "$wallet" 0 $((last + 1)) | sed "s/^/$wallet /" >"$net_dir/final$wallet" || return 1
	done
	awk -v last="$last" 'FILENAME ~ /answers$/ && $3 == 0 { had[$2] = $1; what[$2] = $4 }
	    FILENAME ~ /final/ && $3 == 0 { n[$2]++; if (($2 in had) && (had[$2] != $1 || what[$2] != $4)) { print "lost", $2; bad = 1 } }
	    END { for (i = 0; i <= last; i++) if (n[i] != 1) { print "batch", i, "went to", n[i] + 0; bad = 1 } exit bad }' \
	    "$net_dir/answers" "$net_dir/final1" "$net_dir/final2"
}

revoke() { registrar revoke anna && [ -z "$(registrar list)" ]; }
# A code that is nobody's ends the connection.
revoked() { fetch 1 0 1 >"$net_dir/revoked"; grep -qx '0 2 -' "$net_dir/revoked"; }
stops()
{
	pid=$(cat "$net_dir/registrar.pid")
	kill -TERM "$pid" && wait "$pid"
}
no_secret_in_log() { ! grep -qF -e "$(cut -c15- "$net_dir/code")" -e anna "$net_dir/registrar.log"; }

must "a charter with a registrar" make_network
check "the configuration is checked" registrar run --check-config
must "it starts" started
must "its seeds are on the disk" net_wait 10 has_seeds
must "they can be copied" copy_seeds
must "anna is enrolled" enrol
check "once" refuses_twice
check "she is listed" lists
check "status shows members and seeds" status
check "a batch is given once, and again to whom it was given" one_each
net_kill KILL registrar
kill_all_over >/dev/null 2>&1
check "nobody got more than the allotment" nobody_got_more
grep -h answers "$net_dir/check.out" | sed 's/^/# /'
must "it starts after all that" started
check "nobody lost any" nobody_lost_any
check "anna is revoked, and fetches nothing" eval 'revoke && revoked'
check "it ends by itself, and its log tells nobody" eval 'stops && no_secret_in_log'
test_logs
