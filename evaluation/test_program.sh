#!/bin/sh
# restante-evaluate as people run it: results, exit codes, and what it refuses.
. "${srcdir:-.}/tests/scripts/tap.sh"

top=$(cd "${srcdir:-.}" && pwd)
evaluate=$PWD/evaluation/restante-evaluate
[ -x "$evaluate" ] || tap_skip_all 'restante-evaluate is not built'
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

# expect name code pattern command...: the pattern is in what it prints or complains.
expect()
{
	expect_name=$1 expect_code=$2 expect_pattern=$3
	shift 3
	"$@" >out 2>&1 </dev/null
	got=$?
	finding=
	[ "$got" = "$expect_code" ] || finding="exit code $got, not $expect_code; "
	grep -qe "$expect_pattern" out || finding="${finding}no \"$expect_pattern\": $(cat out)"
	! grep -qiwE '[-+]?(nan|inf)' out || finding="${finding}NaN: $(cat out)"
	tap_report "$expect_name" "$finding"
}

# scenario file line...
scenario()
{
	scenario_file=$1
	shift
	{
		echo 'restante-scenario 1'
		printf '%s\n' people=20 contacts=5 warm-up=2min duration=5min 'messages-per-day = 2000' \
		    mailboxes=2 lookback=1min targets=40
		[ $# -eq 0 ] || printf '%s\n' "$@"
	} >"$scenario_file"
}

# same name directory directory file...
same()
{
	same_name=$1 a=$2 b=$3
	shift 3
	tap_report "$same_name" "$(for file; do
		cmp "$a/$file" "$b/$file" 2>&1
	done)"
}

tap_plan 129
scenario small
scenario silent 'target-rule = real'
sed -i.bak 's/^messages-per-day.*/messages-per-day = 0/' silent
scenario counted 'cover = counted'

expect 'the default scenario is printed' 0 '^restante-scenario 1$' "$evaluate" scenario
"$evaluate" scenario >defaults
expect 'and can be read' 0 '^people = 200$' "$evaluate" run --print-scenario defaults
"$evaluate" run --print-scenario defaults >once
"$evaluate" run --print-scenario once >twice
tap_report 'what is printed prints itself' "$(cmp once twice 2>&1)"
expect 'another seed' 0 '^seed = 77$' "$evaluate" run --print-scenario --seed 77 small

expect 'a run prints a table' 0 '^entropy  *user  *bit  *[1-9]' "$evaluate" run -o one small
expect 'it is not overwritten' 1 'one is not empty' "$evaluate" run -o one small
expect 'but with --force' 0 '^network_delay' "$evaluate" run -o one --force small
expect 'a second run' 0 '^entropy' "$evaluate" run -o two small
same 'gives the same bytes' one two manifest.json trace.csv truth.csv targets.csv summary.csv \
    summary.json entropy.svg delay.svg
expect 'with real onions' 0 '^entropy' "$evaluate" run --crypto -o onions small
same 'the same again' one onions trace.csv truth.csv targets.csv summary.csv summary.json \
    entropy.svg delay.svg
expect 'without a trace' 0 '^entropy' "$evaluate" run --no-trace -o bare small
tap_report 'there is none' "$(ls bare | grep -E 'trace|truth')"
same 'and nothing else changes' one bare targets.csv summary.csv entropy.svg
tap_report 'the manifest has the right hashes' "$(command -v b2sum >/dev/null 2>&1 || exit 0
	for file in one/*.csv one/*.svg one/summary.json; do
		hash=$(b2sum -l 256 "$file" | cut -d ' ' -f 1)
		grep -q "\"name\":\"${file#one/}\",\"bytes\":[0-9]*,\"blake2b_256\":\"$hash\"" \
		    one/manifest.json || echo "$file"
	done)"
tap_report 'no directory is left half made' "$(ls -d ./*.partial* one/*.partial* 2>/dev/null)"
mkdir here target one.partial other.partial
ln -s target link
ln -s nowhere dangling
echo mine >other.partial/trace.csv
expect 'into the current directory' 0 '^entropy' \
    sh -c 'cd here && exec "$1" run --no-trace -o . ../small' - "$evaluate"
expect 'through a link' 0 '^entropy' "$evaluate" run --no-trace -o link small
same 'to where that leads' here target manifest.json
tap_report 'which stays one' "$([ -L link ] || ls -d link; ls -d ./*/*.partial 2>/dev/null)"
expect 'not through a link to nothing' 74 'cannot use dangling' "$evaluate" run -o dangling small
expect 'a directory of its own name' 0 '^entropy' "$evaluate" run -o other small
tap_report 'is let alone' "$(cat other.partial/trace.csv | grep -vx mine; ls -d other.partial-* 2>/dev/null)"
mkdir taken taken/summary.csv
expect 'a directory where a file must come' 1 'taken/summary.csv is a directory' \
    "$evaluate" run --force -o taken small
tap_report 'is left alone' "$(ls taken | grep -vx summary.csv)"
expect 'a summary as JSON' 0 '^{"format":"restante-summary","version":1,' \
    "$evaluate" run --json small
expect 'progress is shown on demand' 0 '100 %' "$evaluate" run --progress small

expect 'cover that is counted: the same figures, no trace' 64 'add --no-trace' \
    "$evaluate" run -o whole counted
expect 'which is said before' 0 '^entropy  *message  *bit  *[1-9]' \
    "$evaluate" run --no-trace -o whole counted
scenario bad 'cover = counted' 'sending = poisson'
expect 'cover that cannot be counted: by the sending law' 65 "for 'sending = slots'" "$evaluate" run bad
scenario bad 'cover = counted' 'strategy-1 = threshold packets=5'
expect 'by the strategy' 65 'layer 1 has another' "$evaluate" run bad
scenario bad 'cover = counted'
expect 'with onions' 65 'no packets to encrypt' "$evaluate" run --crypto bad
scenario bad 'slot = 2h'
expect 'slots longer than a session' 65 "'slot' is out of range; .* at most 1h" "$evaluate" run bad

expect 'zero traffic: an honest empty result' 2 'no target was observed: nobody sent a message' \
    "$evaluate" run -o none silent
tap_report 'which is written' "$(grep -q '"status":"empty"' none/summary.json || echo missing)"
scenario no-targets 'target-rule = any'
sed -i.bak 's/^targets=.*/targets=0/' no-targets
expect 'no targets: the rest is told' 0 'none was asked for' "$evaluate" run no-targets

scenario bad 'peple = 5'
expect 'an unknown key' 65 "bad, line 10: unknown key 'peple'; did you mean 'people'" \
    "$evaluate" run bad
scenario bad
sed -i.bak 's/^people=.*/people=1/' bad
expect 'one person' 65 "bad, line 2: value out of range of 'people'; it must be .* 2 to" \
    "$evaluate" run bad
scenario bad 'strategy = sieve'
expect 'an unknown strategy' 65 'bad, line 10: strategy is not a strategy' "$evaluate" run bad
scenario bad 'zipf = nan'
expect 'no number' 65 "bad, line 10: bad value of 'zipf'; it must be .* 0 to 10" \
    "$evaluate" run bad
scenario bad 'workload = recorded' 'recording = talk.csv'
expect 'a recording that is not there' 1 'talk.csv' "$evaluate" run bad
printf '5,1,2\n1,2,3\n' >talk.csv
expect 'a recording out of order' 65 'talk.csv, line 2: earlier' "$evaluate" run bad
printf 't,sender,receiver\n130,1,2\n150,2,3\n' >talk.csv
expect 'a recording' 0 '^packets_per_message  *message  *packets  *2 ' "$evaluate" run bad
tap_report 'all of it' "$(grep 'left out' out)"
printf '130,1,2\n150,2,3\n421,3,4\n500,1,2\n' >talk.csv
expect 'a recording longer than the run' 0 '2 of the 4 messages in talk.csv .* left out' \
    "$evaluate" run bad
printf '130;1;2\n150,2,3\n' >talk.csv
expect 'one whose first line is none of names' 65 'talk.csv, line 1' "$evaluate" run -o early bad
tap_report 'before anything is made' "$(ls -d early* 2>/dev/null)"
rm talk.csv
mkfifo talk.csv
expect 'a recording that never comes' 74 'talk.csv: not a regular file' "$evaluate" run bad
rm talk.csv
printf 't,sender,receiver\n130,1,2\n150,2,3\n' >talk.csv
mkdir sub
sed 's/talk/sub/' bad >sub/recorded
mv talk.csv sub/sub.csv
expect 'a recording beside its scenario' 0 '^entropy' "$evaluate" run -o away sub/recorded
(cd sub && "$evaluate" run -o ../there recorded >/dev/null)
same 'wherever it is run from' away there manifest.json targets.csv
"$evaluate" run --print-scenario sub/recorded >sub/again
expect 'also if it was printed' 0 '^entropy' "$evaluate" run sub/again
expect 'and in a sweep' 0 '^sub.csv,entropy' "$evaluate" sweep sub/recorded recording=sub.csv
sed '/^recording/d' sub/recorded >sub/open
expect 'which may be what adds it' 0 '^sub.csv,entropy' "$evaluate" sweep sub/open recording=sub.csv
scenario bad 'cover = counted'
expect 'an option is checked like a key' 65 'no packets to encrypt' \
    "$evaluate" run --print-scenario --crypto bad
expect 'no file' 1 'cannot open nowhere' "$evaluate" run nowhere
expect 'no sense' 64 'force' "$evaluate" run --force small

# ---- sweep ----

grid() { "$evaluate" sweep small people=10,20,30 'strategy=timed,timed-dynamic-pool min=2 rate=0.6' "$@"; }
expect 'a sweep prints a table' 0 '^10,timed,entropy,user,bit,' grid
grid --jobs 1 >one.csv
grid --jobs 3 -o three.csv >/dev/null
expect 'a table is not overwritten' 1 'three.csv is there already' grid -o three.csv
expect 'but with --force, if it comes that far' 65 "'1' in the axis" \
    "$evaluate" sweep small people=1 --force -o three.csv
scenario stopped 'workload = recorded' 'recording = absent.csv'
expect 'nor by a sweep that fails' 1 absent "$evaluate" sweep stopped seed=1,2 --force -o three.csv
tap_report 'which does not depend on --jobs' "$(cmp one.csv three.csv 2>&1; ls ./*.csv.partial* 2>/dev/null)"
ln -s four.csv five.csv
echo old >four.csv
"$evaluate" sweep small people=10 --force -o five.csv
tap_report 'a table through a link is where that leads' "$([ -L five.csv ] || echo no link; grep -q ^10,entropy four.csv || cat four.csv)"
expect 'no file at all' 74 'no regular file' "$evaluate" sweep small people=10 --force -o /dev/null
expect 'nothing to force' 64 'force is for --output' "$evaluate" sweep small people=10 --force
cp sub/sub.csv 'sub/a"b c.csv'
expect 'values with quotes' 0 '^"a""b c.csv",entropy,' "$evaluate" sweep sub/open 'recording=a"b c.csv'
tap_report 'has every point of the grid, the last key turning fastest' \
    "$(tail -n +2 one.csv | cut -d, -f1,2 | uniq | tr '\n' ';' |
	grep -vFx '10,timed;10,"timed-dynamic-pool min=2 rate=0.6";20,timed;20,"timed-dynamic-pool min=2 rate=0.6";30,timed;30,"timed-dynamic-pool min=2 rate=0.6";')"
"$evaluate" run -o point small >/dev/null
tap_report 'and at each the figures of its own run' \
    "$(tail -n +2 point/summary.csv >point.rows
	"$evaluate" sweep small people=20 | tail -n +2 | sed 's/^20,//' | cmp - point.rows 2>&1)"
expect 'its progress is shown on demand' 0 '6 of 6 runs' grid --progress
expect 'no key of a scenario' 65 "no key 'peple'" "$evaluate" sweep small peple=3
expect 'no value for it' 65 "'1' in the axis 'people=10,1': .*'people'; it must be .* 2 to" \
    "$evaluate" sweep small seed=5 people=10,1
tap_report 'which is in no line of a file' "$(grep line out)"
expect 'none that is none of text' 65 "'sieve' in the axis 'strategy=timed,sieve': strategy is not" \
    "$evaluate" sweep small strategy=timed,sieve
expect 'none that brings a line of its own' 64 'no axis' "$evaluate" sweep small 'recording=a
people=3'
"$evaluate" sweep small 'people= 10, 20 ' >blanks.csv
"$evaluate" sweep small people=10,20 >bare.csv
tap_report 'blanks around values do not matter' "$(cmp blanks.csv bare.csv 2>&1)"
expect 'values that do not fit each other' 65 "people=4 .*'contacts' .* 1 to 3" \
    "$evaluate" sweep small people=4 seed=1,2
scenario wide
sed -i.bak 's/^people=.*/people=3/' wide
expect 'a scenario that fits only with the axis' 0 '^2,entropy' "$evaluate" sweep wide contacts=2
expect 'no axis' 64 'no axis' "$evaluate" sweep small people
expect 'an axis twice' 64 'given twice' "$evaluate" sweep small people=10 people=20
expect 'too large a grid' 65 'more than 10000 runs' "$evaluate" sweep small \
    "seed=$(seq -s, 1 101)" "people=$(seq -s, 10 109)"
expect 'a file that cannot be written' 74 'nowhere/x' "$evaluate" sweep small people=10 -o nowhere/x

# ---- attack ----

scenario gate 'adversary = gateway'
sed -i.bak 's/^duration.*/duration = 20min/' gate
attack() { "$evaluate" attack "$@"; }
expect 'the attacks' 0 '^two-senders: ' attack --list
tap_report 'are those of the manual and the formats' "$(attack --list | sed -n 's/^\([a-z-]*\): .*/\1/p' >names
	[ "$(wc -l <names)" -ge 6 ] || cat names
	while read -r name; do
		grep -qx ".It Cm $name" "$top/docs/man/restante-evaluate.1" || echo "manual: $name"
		grep -q "^| \`$name\` |" "$top/docs/evaluation-formats.md" || echo "formats: $name"
	done <names)"
expect 'an attack says what it was given' 0 '^adversary: The gateway' attack two-senders gate
expect 'and in a sentence what came out' 0 '^finding: By [1-9].* with an advantage of ' \
    attack two-senders gate
expect 'and leaves its results' 0 '^adversary:' attack two-senders gate -o attacked
tap_report 'all of them' "$([ "$(ls attacked | tr '\n' ' ')" = 'attack.csv attack.json plot-1.svg ' ] ||
	ls attacked)"
expect 'which are not overwritten' 1 'not empty' attack two-senders gate -o attacked
"$evaluate" run -o gated gate >/dev/null
for name in two-senders intersection disclosure; do
	attack --csv $name gate >simulated.csv
	attack --csv $name gated >read.csv
	tap_report "$name of a run's trace is that of its scenario" \
	    "$([ -s read.csv ] || echo nothing; cmp simulated.csv read.csv 2>&1)"
done
expect 'the trace of another adversary' 65 'adversary = gateway' attack two-senders one
expect 'a directory without a run' 74 'manifest.json' attack two-senders "$work"
expect 'another seed than the run' 64 'leave --seed out' attack two-senders gated --seed 77
expect 'no such attack' 64 'attack --list' attack guess gate
expect 'no scenario' 64 'name an attack and a scenario' attack two-senders
expect 'two forms at once' 64 'exclude each other' attack two-senders gate --json --csv
expect 'JSON' 0 '^{"format":"restante-attack"' attack intersection gate --json
scenario quiet 'adversary = gateway'
sed -i.bak 's/^messages-per-day.*/messages-per-day = 0/' quiet
expect 'nobody to look for' 65 'nobody wrote' attack two-senders quiet
expect 'a year is longer than this' 65 "set 'duration'" attack gateway gate
expect 'tags find nothing' 0 '^  tag_found  *0 ' attack active gate --trials 1

# ---- plan ----

expect 'a plan of the defaults' 0 '95 of 100 within  *8[0-9]' "$evaluate" plan
expect 'who writes much to one waits for the message before' 0 \
    'behind those written before it, half within  *44' "$evaluate" plan --to-contact 1000
expect 'in JSON, with a charter'"'"'s names' 0 '"strategy.2":"timed' "$evaluate" plan --json
expect 'a target that can be reached' 0 'restante-charter set DRAFT' "$evaluate" plan --people 200 \
    --delay-p95 1min --bytes-per-day 300MiB
expect 'one that is met' 0 'It is met' "$evaluate" plan --anonymity 100
expect 'one that cannot be' 2 'only 125 people' "$evaluate" plan --anonymity 126
expect 'which JSON says, too' 2 '"met":false,"change":null,"reason":"' "$evaluate" plan --json \
    --anonymity 126
expect 'a crowd of more than all' 64 'more than the 20 people' "$evaluate" plan --people 20 --crowd 21
expect 'no slot' 64 'slot is not a duration' "$evaluate" plan --slot soon
expect 'a network that cannot be' 65 'round must divide' "$evaluate" plan --round 7s
expect 'people who write too much' 65 'the journal takes' "$evaluate" plan --messages 5000

# ---- report ----

"$evaluate" run --no-trace --output shown small >/dev/null
"$evaluate" sweep small people=20,30 >shown.csv
expect 'a page of results' 0 'min-entropy, people' "$evaluate" report shown shown.csv
cp out page.html
tap_report 'it takes nothing from elsewhere, and runs nothing' "$(grep -nE \
    '<script|<img|<link|src=|href=|url\(|@import|[[:space:]]on[a-z]+=' page.html)"
tap_report 'and is whole' "$(grep -q '^</html>$' page.html || echo cut off
	[ "$(grep -c '<section>' page.html)" = 2 ] || echo sections)"
echo >>shown/summary.json
expect 'what was changed since is told' 0 'summary.json has been changed since the run' "$evaluate" report shown
tap_report 'a page into a file' "$("$evaluate" report -o shown.html shown.csv 2>&1; [ -s shown.html ] || echo none)"
expect 'which is there' 1 'is there already' "$evaluate" report -o shown.html shown.csv
tap_report 'and may be replaced' "$("$evaluate" report -o shown.html --force --title 'a <b>' shown.csv 2>&1)"
tap_report 'its title is text' "$(grep -q '<h1>a &lt;b&gt;</h1>' shown.html || head -c 300 shown.html)"
expect 'nothing of a directory without results' 1 'neither manifest.json nor attack.json' \
    "$evaluate" report .
expect 'nor of what is no table' 65 'no table of a sweep' "$evaluate" report small

# ---- verify ----

check() { "$evaluate" verify --seed 3 "$@" 1.3 2.1 2.5 2.10 T12; }
expect 'references are met' 0 '^[0-9]* ok, 0 failed, seed 3$' check --jobs 2
check --jobs 1 >one.txt
check --jobs 2 >two.txt
tap_report 'which does not depend on --jobs' "$(cmp one.txt two.txt 2>&1)"
check --jobs 1 --json >one.json
check -j 3 --json >three.json
tap_report 'nor does JSON' "$(cmp one.json three.json 2>&1)"
tap_report 'the order is the list'"'"'s' "$(check --list | cut -c1-40 | sed 's/ *$//' >listed
	sed -n 's/^[okFAILED]*  *\(.\{42\}\).*/\1/p' one.txt | sed '1d;s/ *$//' | uniq >printed
	[ -s listed ] && cmp listed printed 2>&1)"
expect 'a case that nothing has, on threads' 64 'verify --list' "$evaluate" verify --jobs 2 nothing
expect 'no number of jobs' 64 "bad value of 'jobs'; .* 0 to 256" "$evaluate" verify --jobs many 1.3
expect 'too many jobs' 64 "out of range of 'jobs'; .* 0 to 256" "$evaluate" verify --jobs 257 1.3
expect 'less than none' 64 "out of range of 'jobs'; .* 0 to 256" "$evaluate" verify --jobs=-1 1.3
