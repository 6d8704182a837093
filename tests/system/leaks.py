#!/usr/bin/env python3
"""Look for what must not be there: in files, byte by byte.

usage: leaks.py find NEEDLES PATH...      exit 1 if anything was found
       leaks.py invitation TEXT           the secrets of an invitation, as needles
       leaks.py frames TRACE SIZE         exit 1 unless a trace is whole frames

NEEDLES is a file with one needle a line: "text WORDS", "hex BYTES", or "after
SECONDS" (any later time, finer than a round, in the common spellings).
A text is looked for as it is, in hexadecimal, in base64 and in UTF-16; bytes as
they are, in hexadecimal and in base64.
"""
import base64
import json
import os
import re
import struct
import sys


def spellings(raw):
    """All forms in which a program may carelessly write these bytes."""
    yield raw
    yield raw.hex().encode()
    yield raw.hex().upper().encode()
    # base64 at each of the three alignments; the characters that depend on
    # neighbours are cut off
    for lead in range(3):
        text = base64.b64encode(b"\0" * lead + raw)
        body = text[(0, 2, 3)[lead]:]
        body = body.rstrip(b"=")[:-1]
        if len(body) >= 8:
            yield body
            yield body.translate(bytes.maketrans(b"+/", b"-_"))


def load_needles(path):
    exact, after = [], None
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            kind, _, value = line.rstrip("\n").partition(" ")
            if kind == "text":
                exact += [(value, s) for s in spellings(value.encode())]
                exact.append((value, value.encode("utf-16-le")))
            elif kind == "hex":
                exact += [(value[:8] + "...", s) for s in spellings(bytes.fromhex(value))]
            elif kind == "after":
                after = int(value)
    return exact, after


FINE_TIME = re.compile(rb"\d\d:\d\d:\d\d")


def find_times(data, after):
    """Times in seconds or finer: ISO text, decimal, and 64-bit integers."""
    for m in FINE_TIME.finditer(data):
        yield "a time of day, " + m.group().decode()
    for digits, unit in ((10, 1), (13, 1000), (16, 1000000)):
        for m in re.finditer(rb"(?<!\d)\d{%d}(?!\d)" % digits, data):
            if after * unit <= int(m.group()) < (after + 86400) * unit:
                yield "a decimal time, " + m.group().decode()
    for unit in (1000, 1000000, 1000000000):
        # the upper bytes of a 64-bit time are the same for hours: look for them
        low, high = after * unit, (after + 7200) * unit
        for order in ("<Q", ">Q"):
            yield from binary_times(data, low, high, order)


def binary_times(data, low, high, order):
    shift = 1
    while (low >> shift) != (high >> shift):
        shift += 1
    whole = (shift + 7) // 8
    if whole > 4:
        return
    for prefix in range(low >> (8 * whole), (high >> (8 * whole)) + 1):
        packed = struct.pack(order, prefix << (8 * whole))
        part = packed[whole:] if order == "<Q" else packed[:8 - whole]
        at = data.find(part)
        while at >= 0:
            start = at - whole if order == "<Q" else at
            if start >= 0 and start + 8 <= len(data):
                (value,) = struct.unpack_from(order, data, start)
                if low <= value < high:
                    yield "a binary time at byte %d" % start
            at = data.find(part, at + 1)


def files(paths):
    for path in paths:
        if os.path.isdir(path):
            for top, _, names in os.walk(path):
                for name in sorted(names):
                    yield os.path.join(top, name)
        else:
            yield path


def cmd_find(needle_file, paths):
    exact, after = load_needles(needle_file)
    found = looked = 0
    for path in files(paths):
        if not os.path.isfile(path):
            continue
        with open(path, "rb") as f:
            data = f.read()
        looked += len(data)
        names = os.path.basename(path).encode()
        for what, form in exact:
            if form in data or form in names:
                print("%s: %s" % (path, what))
                found += 1
        if after is not None:
            for what in find_times(data, after):
                print("%s: %s" % (path, what))
                found += 1
    print("looked through %d bytes, found %d" % (looked, found))
    return 1 if found or looked == 0 else 0


def cmd_invitation(text):
    body = text.split(":", 1)[1]
    raw = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
    # docs/protocol.md, "First contact": format, network, epoch block, gateway,
    # mailbox, identity, one-time key, psk, expiry
    at = 1 + 32 + 40 + 4
    for i in range(3):
        print("hex " + raw[at + 32 * i:at + 32 * (i + 1)].hex())
    return 0


def cmd_frames(trace, size):
    bad = count = 0
    with open(trace, encoding="utf-8") as lines:
        for line in lines:
            entry = json.loads(line)
            count += 1
            if entry["bytes"] % size != 0:
                print("connection %d: %d bytes are no whole frames of %d"
                      % (entry["connection"], entry["bytes"], size))
                bad += 1
    print("%d connections" % count)
    return 1 if bad or count == 0 else 0


def main(argv):
    if len(argv) > 3 and argv[1] == "find":
        return cmd_find(argv[2], argv[3:])
    if len(argv) == 3 and argv[1] == "invitation":
        return cmd_invitation(argv[2])
    if len(argv) == 4 and argv[1] == "frames":
        return cmd_frames(argv[2], int(argv[3]))
    sys.stderr.write(__doc__)
    return 64


sys.exit(main(sys.argv))
