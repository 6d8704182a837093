"""Known-answer files: one "name value" per line, in a fixed order.

A value is a decimal number or hexadecimal bytes ("-" for none). Lines that begin
with # and empty lines are for people.
"""

import hashlib


class Bad(Exception):
    """A vector file or a value in it is not what it should be."""


class Writer:
    def __init__(self, title):
        self.lines = ["# " + line for line in title]

    def case(self, text):
        self.lines += ["", "# " + text]

    def number(self, name, value):
        self.lines.append("%s %d" % (name, value))

    def bytes(self, name, value):
        self.lines.append("%s %s" % (name, value.hex() or "-"))

    def text(self):
        return "\n".join(self.lines) + "\n"


class Reader:
    def __init__(self, path):
        with open(path, encoding="ascii") as file:
            self.items = [line.split() for line in file if line.strip() and line[0] != "#"]
        self.items.reverse()

    def more(self):
        return bool(self.items)

    def _next(self, name):
        if not self.items or len(self.items[-1]) != 2 or self.items[-1][0] != name:
            raise Bad("expected %s, found %s" % (name, self.items[-1:]))
        return self.items.pop()[1]

    def number(self, name):
        return int(self._next(name))

    def bytes(self, name):
        value = self._next(name)
        return b"" if value == "-" else bytes.fromhex(value)


class Random:
    """Bytes that look random and are the same in every run: BLAKE2b of a counter."""

    def __init__(self, label):
        self.label = label.encode()
        self.count = 0

    def bytes(self, n):
        out = b""
        while len(out) < n:
            out += hashlib.blake2b(self.count.to_bytes(8, "little"), key=self.label).digest()
            self.count += 1
        return out[:n]

    def number(self, low, high):
        return low + int.from_bytes(self.bytes(8), "little") % (high - low + 1)


def same(what, got, want):
    if got != want:
        raise Bad("%s differs" % what)
