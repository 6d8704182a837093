#!/usr/bin/env python3
"""The scenario of bench_evaluate.c in SimPy, as the published simulators have it.

usage: simpy_model.py MESSAGES

Poisson senders, three layers of three stop-and-go mixes; nothing is kept of what an
adversary sees, which is SimPy's best case. Prints events and messages a second of
CPU time.
"""
import random
import sys
import time

import simpy

LAYERS, WIDTH, MEAN_S, RATE = 3, 3, 10.0, 20.0


def message(env, held):
    for layer in range(LAYERS):
        mix = layer * WIDTH + random.randrange(WIDTH)
        held[mix] += 1
        yield env.timeout(random.expovariate(1 / MEAN_S))
        held[mix] -= 1


def senders(env, held, count):
    for _ in range(count):
        yield env.timeout(random.expovariate(RATE))
        env.process(message(env, held))


def main(count):
    random.seed(1)
    env = simpy.Environment()
    env.process(senders(env, [0] * (LAYERS * WIDTH), count))
    events, began = 0, time.process_time()
    while env.peek() != float("inf"):
        env.step()
        events += 1
    spent = time.process_time() - began
    print("%.6g %.6g" % (events / spent, count / spent))


main(int(sys.argv[1]))
