#!/usr/bin/env python3
"""A wire with an observer: relays connections from one unix socket to another.

usage: relay.py LISTEN TARGET DIRECTORY

Writes, into DIRECTORY, `capture` (all bytes, both directions), and at the end
of each connection a line of `up.trace` and `down.trace`: its number, bytes and,
for each second of its life, how many bytes passed.
"""
import json
import os
import select
import signal
import socket
import sys
import time


class Wire:
    def __init__(self, number, client, target):
        self.number, self.client, self.began = number, client, time.monotonic()
        self.server = socket.socket(socket.AF_UNIX)
        self.server.connect(target)
        self.bytes = {"up": 0, "down": 0}
        self.seconds = {"up": {}, "down": {}}

    def pass_on(self, source, capture):
        """Relay what is there; False when the connection has ended."""
        way = "up" if source is self.client else "down"
        sink = self.server if way == "up" else self.client
        try:
            data = source.recv(65536)
            if not data:
                return False
            sink.sendall(data)
        except OSError:
            return False
        capture.write(data)
        self.bytes[way] += len(data)
        second = int(time.monotonic() - self.began)
        self.seconds[way][second] = self.seconds[way].get(second, 0) + len(data)
        return True

    def end(self, directory):
        for way in ("up", "down"):
            with open(os.path.join(directory, way + ".trace"), "a", encoding="utf-8") as f:
                f.write(json.dumps({"connection": self.number, "bytes": self.bytes[way],
                                    "seconds": self.seconds[way]}) + "\n")
        self.client.close()
        self.server.close()


def main(listen, target, directory):
    # The end is a byte in the loop: no trace is lost to a signal that comes between two lines.
    told, teller = socket.socketpair()
    teller.setblocking(False)
    signal.set_wakeup_fd(teller.fileno())
    signal.signal(signal.SIGTERM, lambda *_: None)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(listen)
    listener.listen()
    wires, number = {}, 0
    with open(os.path.join(directory, "capture"), "ab", buffering=0) as capture:
        try:
            while True:
                ready, _, _ = select.select([told, listener] + list(wires), [], [])
                if told in ready:
                    break
                for s in ready:
                    if s is listener:
                        number += 1
                        client, _ = listener.accept()
                        try:
                            w = Wire(number, client, target)
                        except OSError:
                            client.close()
                            continue
                        wires[w.client] = wires[w.server] = w
                    elif s in wires and not wires[s].pass_on(s, capture):
                        w = wires[s]
                        del wires[w.client], wires[w.server]
                        w.end(directory)
        finally:
            for w in set(wires.values()):
                w.end(directory)


main(*sys.argv[1:4])
