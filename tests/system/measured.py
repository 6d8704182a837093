#!/usr/bin/env python3
"""Messages with the times at which they were queued and shown, against a plan.

usage: measured.py send SECONDS PERIOD OUT NAME COMMAND...   sends "NAME N" at random times, with the
                                      period in the mean: COMMAND... TEXT; a line "NAME N TIME" when taken
       measured.py follow OUT         reads `restante --json inbox --follow`: a line "TEXT TIME" when shown
       measured.py judge PLAN SENT SHOWN BYTES SECONDS WIDE
                                      compares with the output of `restante-evaluate plan --json`
"""
import json
import math
import random
import subprocess
import sys
import time


def send(seconds, period, out, name, *command):
    until, number = time.time() + float(seconds), 0
    with open(out, "a", encoding="utf-8") as f:
        while True:
            time.sleep(random.expovariate(1 / float(period)))
            if time.time() > until:
                return 0
            number += 1
            text = "%s %d" % (name, number)
            if subprocess.run(list(command) + [text], stdout=subprocess.DEVNULL).returncode == 0:
                f.write("%s %.3f\n" % (text, time.time()))
                f.flush()


def follow(out):
    with open(out, "a", encoding="utf-8") as f:
        for line in sys.stdin:
            m = json.loads(line)
            if m.get("direction") == "in" and "text" in m:
                f.write("%s %.3f\n" % (m["text"], time.time()))
                f.flush()
    return 0


def times(path):
    found = {}
    for line in open(path, encoding="utf-8"):
        words = line.split()
        if len(words) == 3:
            found.setdefault((words[0], words[1]), float(words[2]))
    return found


def percentile(values, share):
    """With the ranks between which it is, 95 times of 100 (binomial)."""
    n, deviation = len(values), math.sqrt(len(values) * share * (1 - share))
    at = [int(share * n + k * 1.96 * deviation) for k in (0, -1, 1)]
    return [values[min(max(i, 0), n - 1)] for i in at]


def judge(plan, sent, shown, counted, seconds, wide):
    plan = json.load(open(plan, encoding="utf-8"))
    figure = {(f["group"], f["figure"]): f["value"] for f in plan["figures"]}
    began, ended = times(sent), times(shown)
    delays = sorted(ended[k] - began[k] for k in began if k in ended)
    wide, bad = float(wide), []

    def compare(what, told, got, low, high, slack):
        print("# %-28s plan %10.2f   measured %10.2f  [%.2f, %.2f]" % (what, told, got, low, high))
        if not low - slack <= told <= high + slack:
            bad.append(what)

    print("# %d of %d messages were shown" % (len(delays), len(began)))
    if len(delays) < 100 or len(delays) < 0.9 * len(began):
        bad.append("too few messages")
        delays = delays or [0]
    mean = sum(delays) / len(delays)
    error = 1.96 * math.sqrt(sum((d - mean) ** 2 for d in delays) / len(delays) ** 2)
    compare("delay, mean [s]", figure["delay", "shown_mean"] / 1000, mean, mean - error, mean + error,
            wide * mean)
    for name, share in (("p50", 0.5), ("p95", 0.95)):
        got = percentile(delays, share)
        compare("delay, %s [s]" % name, figure["delay", "shown_" + name] / 1000, *got, wide * got[0])
    ways = [figure["client", w + p] for w in ("up_", "down_") for p in ("headers", "noise")]
    told = (sum(ways) + figure["client", "up_records"] + figure["client", "down_stream"]) / 86400
    got = float(counted) / float(seconds)
    compare("one client [bytes/s]", told, got, got, got, 0.1 * got)
    for what in bad:
        print("off: " + what)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit({"send": send, "follow": follow, "judge": judge}[sys.argv[1]](*sys.argv[2:]))
