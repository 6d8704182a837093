#!/usr/bin/env python3
"""Peers that mean no good, at a unix socket: hundreds of connections that say
nothing, or nonsense, or start a handshake and do not go on.

usage: peers.py ADDRESS COUNT SEED SECONDS [RECORDING]

RECORDING is the first message of a true handshake. Prints, as one line of JSON
at the end, how many connections of each kind were opened, refused, closed by
the other side and how late the last of these was. A connection that is closed
is not opened again; the last kind, `churn`, comes back as soon as it can.
"""
import errno
import json
import random
import resource
import select
import socket
import sys
import time

KINDS = ("silent", "half-open", "garbage", "cut", "trickle", "replay", "replay-junk", "churn")


class Peer:
    def __init__(self, kind, address, rng, first):
        self.kind, self.rng, self.first = kind, rng, first
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(2)
        self.sock.connect(address)
        self.sock.setblocking(False)
        self.began = time.monotonic()
        self.sent = 0

    def start(self):
        """What it says at once."""
        if self.kind == "half-open":
            self.put(self.first[:100])
            self.sock.shutdown(socket.SHUT_WR)
        elif self.kind == "garbage":
            self.put(self.rng.randbytes(self.rng.randrange(1, 30000)))
        elif self.kind == "cut":
            self.put(self.first[:self.rng.randrange(1, len(self.first))])
        elif self.kind == "replay":
            self.put(self.first)
        elif self.kind == "replay-junk":
            self.put(self.first + self.rng.randbytes(3 * len(self.first)))

    def turn(self):
        """Once a second."""
        if self.kind == "trickle" and self.sent < len(self.first):
            self.put(self.first[self.sent:self.sent + 1])
            self.sent += 1

    def put(self, data):
        try:
            self.sock.send(data)
        except OSError:
            pass  # it is closed already, or takes no more: the reader notices

    def ended(self):
        """Whether the other side has closed it; what it says is read and thrown away."""
        try:
            return not self.sock.recv(65536)
        except BlockingIOError:
            return False
        except OSError:
            return True


class Crowd:
    def __init__(self, address, rng, first):
        self.address, self.rng, self.first = address, rng, first
        self.peers = {}
        self.tally = {k: {"opened": 0, "refused": 0, "closed": 0, "latest": 0.0} for k in KINDS}

    def open(self, kind):
        seen = self.tally[kind]
        try:
            p = Peer(kind, self.address, self.rng, self.first)
        except OSError as e:
            if e.errno not in (errno.ECONNREFUSED, errno.EAGAIN, errno.ECONNRESET, None):
                raise
            seen["refused"] += 1
            return
        seen["opened"] += 1
        p.start()
        self.peers[p.sock] = p

    def close(self, p):
        seen = self.tally[p.kind]
        seen["closed"] += 1
        seen["latest"] = max(seen["latest"], round(time.monotonic() - p.began, 1))
        del self.peers[p.sock]
        p.sock.close()
        if p.kind == "churn":
            self.open("churn")

    def run(self, until):
        poll, next_turn = 0.2, time.monotonic()
        while time.monotonic() < until:
            poller = select.poll()
            by_fd = {s.fileno(): p for s, p in self.peers.items()}
            for fd, p in by_fd.items():
                poller.register(fd, select.POLLIN | select.POLLHUP)
            for fd, _ in poller.poll(poll * 1000):
                if by_fd[fd].ended():
                    self.close(by_fd[fd])
            if time.monotonic() >= next_turn:
                next_turn += 1
                for p in list(self.peers.values()):
                    p.turn()


def main(address, count, seed, seconds, recording=None):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    rng = random.Random(int(seed))
    first = open(recording, "rb").read() if recording else rng.randbytes(4404)
    crowd = Crowd(address, rng, first)
    for i in range(int(count)):
        crowd.open(KINDS[i % len(KINDS)])
    print("opened", flush=True)
    crowd.run(time.monotonic() + float(seconds))
    for kind in KINDS:
        crowd.tally[kind]["left"] = sum(p.kind == kind for p in crowd.peers.values())
    print(json.dumps(crowd.tally), flush=True)


main(*sys.argv[1:])
