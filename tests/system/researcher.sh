#!/bin/sh
# The worked examples of the researcher's guide: their commands run as they stand, and
# the tables below them are what comes out.
. "${srcdir:-.}/tests/scripts/tap.sh"

evaluate=$PWD/evaluation/restante-evaluate
[ -x "$evaluate" ] || tap_skip_all 'restante-evaluate is not built'
python=${PYTHON:-$(command -v python3 || true)}
[ -n "$python" ] || tap_skip_all 'no python3'
top=$(cd "${srcdir:-.}" && pwd)
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
PATH=${evaluate%/*}:$PATH
mkdir steps

# block NAME: what its commands complained of.
block() { sh -e steps/*-"$1" >"$1.out" 2>&1 </dev/null || { echo "exit code $?"; cat "$1.out"; }; }

# rows NAME: the rows of the guide's table that differ from the CSV; all of them are there.
rows()
{
	"$python" - "$1" "$top/docs/researcher.md" <<-'X'
		import csv, json, sys

		def table(path):
		    found = {}
		    for r in csv.DictReader(open(path)):
		        key = (r.get("target-rule", ""), r.get("sending", ""), r["strategy"], r["figure"], r["level"])
		        found[key] = r
		    return found

		def value(cell):
		    return float(cell.split()[0]), len(cell.split()[0].partition(".")[2])

		def check(what, cell, row, column, scale=1):
		    told, digits = value(cell)
		    got = float(row[column]) * scale
		    if abs(told - got) > 0.51 * 10 ** -digits:
		        print("%s: the guide has %s, the run %g" % (what, cell, got))

		def cells(first):
		    lines = open(sys.argv[2]).read().split(first, 1)[1].split("\n\n", 1)[0].splitlines()[2:]
		    return [[c.strip() for c in line.strip("|").split("|")] for line in lines]

		def pool():
		    t = table("pool.csv")
		    for name, paper, measured, delay in cells("| strategy | H, paper |"):
		        check(name, measured, t["", "", name, "entropy", "message"], "mean")
		        check(name, delay, t["", "", name, "network_delay", "message"], "mean", 0.001)
		        if abs(float(paper) - float(measured)) > 0.004:
		            print("%s: %s is not %s" % (name, measured, paper))
		    return 4

		def compare():
		    t = table("compare.csv")
		    full = {"timed-dynamic-pool": "timed-dynamic-pool min=2 rate=0.6",
		            "stop-and-go": "stop-and-go mean=10900ms"}
		    for sending, name, h, least, p5, delay, messages, packet, message in cells("| sending | strategy |"):
		        k = ("any", sending, full[name.split()[0]])
		        for cell, figure, level, column, scale in (
		                (h, "entropy", "user", "mean", 1), (least, "min_entropy", "user", "mean", 1),
		                (p5, "min_entropy", "user", "p5", 1), (messages, "entropy", "message", "mean", 1),
		                (delay, "network_delay", "message", "mean", 0.001),
		                (packet, "true_probability", "user", "mean", 100)):
		            check("%s %s, %s" % (sending, name, figure), cell, t[k + (figure, level)], column, scale)
		        check("%s %s, of messages" % (sending, name), message,
		            t["real", *k[1:], "true_probability", "user"], "mean", 100)
		        packets = float(t[k + ("packets_per_message", "message")]["mean"])
		        if not 341.5 < packets < 343.5:
		            print("%s %s: %g packets for a message" % (sending, name, packets))
		    return 4

		def attacks():
		    words = {"everybody online": "day", "office hours, writes in them": "office",
		            "office hours, writes at any time": "waiting",
		            "8 h online, 16 h offline, at random": "turns"}

		    def load(who, people, attack):
		        return json.load(open("%s-%s-%s.json" % (words[who], people, attack)))

		    def point(result, first, x):
		        curve = [c for c in result["curves"] if c["name"].startswith(first)][0]
		        return [p for p in curve["points"] if p["x"] == x][0]

		    def figure(result, name):
		        return [f for f in result["figures"] if f["name"] == name][0]

		    def interval(what, cell, row):
		        low, high = cell.split("(")[1].rstrip(")").split(" to ")
		        check(what, cell, row, "value")
		        check(what, low, row, "low")
		        check(what, high, row, "high")

		    for people, who, one, five, twenty, left, found, more in cells("| people | online |"):
		        game = load(who, people, "two-senders")
		        what = "%s people, %s" % (people, who)
		        check(what, one, point(game, "one of", 1), "value")
		        check(what, five, point(game, "one of", 5), "value")
		        interval(what, twenty, point(game, "one of", 20))
		        check(what, left, point(load(who, people, "intersection"), "suspects", 20), "value")
		        check(what, found, figure(load(who, people, "flow-matching"),
		            "true_positives_at_1e-2_20_records"), "value")
		        interval(what, more, figure(load(who, people, "disclosure"),
		            "who_writes_more_least_squares"))
		    keys = load("everybody online", 200, "partition")
		    mixes = load("everybody online", 200, "corrupt-mixes")
		    check("new keys", "7.6418", figure(keys, "least_entropy_under_new_keys"), "value")
		    check("old keys", "7.6411", figure(keys, "least_entropy_under_old_keys"), "value")
		    check("restart", "7.6418", figure(keys, "least_entropy_after_a_restart"), "value")
		    check("one mix", "7.619", point(mixes, "entropy", 1), "value")
		    check("two mixes", "7.578", point(mixes, "entropy", 2), "value")
		    return 8

		def gateway():
		    figures = {f["name"]: f for f in json.load(open("gateway.json"))["figures"]}

		    def interval(what, cell, row):
		        low, high = cell.split("(")[1].rstrip(")").split(" to ")
		        for told, column in (cell, "value"), (low, "low"), (high, "high"):
		            check("%s, %s" % (what, column), told, row, column)

		    for habit, online, ten, year, counts, named in cells("| habit | online |"):
		        check(habit + ", online", online, figures["online_" + habit], "value")
		        for cell, name in ((ten, "contact_two_%s_10_days"), (year, "contact_two_%s_365_days"),
		                (counts, "counts_two_%s_365_days"), (named, "contact_named_%s_365_days")):
		            interval(name % habit, cell, figures[name % habit])
		    if "an advantage of 1.00 (0.95 to 1.06) after ten days" not in open(sys.argv[2]).read():
		        print("the guide does not say what is lost")
		    interval("what talkers lose", "1.00 (0.95 to 1.06)", figures["talkers_lose_10_days"])
		    return 4

		name = sys.argv[1]
		head = {"gateway": "| habit | online |", "pool": "| strategy | H, paper |", "compare": "| sending | strategy |",
		    "attacks": "| people | online |"}[name]
		if len(cells(head)) != globals()[name]():
		    print("rows are missing in the guide")
	X
}

tap_plan 14
tap_report 'the guide has its examples' "$(awk -v out=steps -f "$top/tests/system/guide.awk" \
    "$top/docs/researcher.md" && ls steps | tr '\n' ' ' | grep -vFx '01-pool 02-compare 03-year 04-attacks 05-gateway 06-designs ')"
tap_report 'a published figure: the commands' "$(block pool)"
tap_report 'and its table' "$(rows pool)"
tap_report "Restante's default and Loopix-style mixing: the commands" "$(block compare)"
tap_report 'and their table' "$(rows compare)"
tap_report 'both have their plots' "$(for plot in restante loopix; do
	grep -q '</svg>' "$plot/entropy.svg" || echo "$plot"
done)"
tap_report 'a year of 200 people, with what the guide says of it' "$(block year; "$python" - <<-'X'
	import json

	summary = json.load(open("year.json"))
	found = {(f["figure"], f["level"]): f for f in summary["figures"]}
	delay = found["network_delay", "message"]
	told = (summary["counts"]["targets"], summary["parts"], round(delay["n"] / 1e6, 2),
	        round(delay["mean"] / 1e3), round(delay["p95"] / 1e3))
	if told != (512, 256, 3.65, 32, 67):
	    print(told)
	if summary["counts"]["sent"] != 200 * 365 * 86400 // 5:
	    print(summary["counts"])
X
)"
tap_report 'attacks over time: the commands' "$(block attacks)"
tap_report 'and their table' "$(rows attacks)"
tap_report 'the year of an agency, and its gateway: the commands' "$(block gateway)"
tap_report 'and their table' "$(rows gateway)"
tap_report 'three designs: the commands' "$(block designs)"
tap_report 'and their table' "$("$python" - "$top/docs/researcher.md" <<-'X'
	import csv, sys

	rows = open(sys.argv[1]).read().split("| design | mixes |", 1)[1].split("\n\n", 1)[0].splitlines()[2:]
	columns = [("message_delay", "message", "mean", 0.001), ("packets_per_message", "message", "mean", 1),
	           ("entropy", "user", "mean", 1), ("min_entropy", "user", "mean", 1),
	           ("min_entropy", "user", "p5", 1), ("entropy", "message", "mean", 1),
	           ("true_probability", "user", "mean", 100), ("traced", "message", "mean", 100)]
	if len(rows) != 6:
	    print("rows are missing in the guide")
	for row in rows:
	    cells = [c.strip() for c in row.strip("|").split("|")]
	    found = {(r["figure"], r["level"]): r for r in csv.DictReader(open("design-%s/summary.csv" % cells[0]))}
	    for cell, (figure, level, column, scale) in zip(cells[3:], columns):
	        if cell == "":
	            continue
	        told = cell.split()[0]
	        got = float(found[figure, level][column]) * scale
	        if abs(float(told) - got) > 0.51 * 10 ** -len(told.partition(".")[2]):
	            print("%s, %s: the guide has %s, the run %g" % (cells[0], figure, cell, got))
X
)"
tap_report 'the page has all of them' "$(for design in restante loopix katzenpost; do
	grep -q "design-$design-third" designs.html || echo "$design"
done)"
