"""Renewal of stream secrets, from section 10 of docs/protocol.md alone."""

import struct

from nacl.bindings import crypto_scalarmult, crypto_scalarmult_base

from record import ACK, FIELDS, blake2b, decode, encode, open_record, seal
from vectors import Bad, Random, same

SIZE = 512
STEP = (
    # name in vectors, bytes (0: a number)
    ("records-before", 0),
    ("fresh-secret", 32),
    ("renewal-secret", 32),
)
RESULTS = (("root", 32), ("fresh", 32), ("renewal", 32), ("id", 8), ("secret", 32))


def renew(secret, generation, fresh_secret, renewal_secret):
    """From the secret of the generation before: what RESULTS names."""
    root = blake2b(32, b"restante/stream/root", secret)
    fresh, renewal = crypto_scalarmult_base(fresh_secret), crypto_scalarmult_base(renewal_secret)
    dh = crypto_scalarmult(fresh_secret, renewal)
    same("DH of both sides", crypto_scalarmult(renewal_secret, fresh), dh)
    transcript = dh + fresh + renewal + struct.pack("<I", generation)
    return {
        "root": root,
        "fresh": fresh,
        "renewal": renewal,
        "id": blake2b(8, b"restante/renewal/id" + renewal),
        "secret": blake2b(32, b"restante/stream/renew" + transcript, root),
    }


def results(case):
    """The outcome of each renewal, and the first record of the last generation."""
    secret, steps, before = case["secret"], [], 0
    for i, step in enumerate(case["steps"]):
        steps.append(renew(secret, i + 1, step["fresh-secret"], step["renewal-secret"]))
        secret, before = steps[-1]["secret"], step["records-before"]
    header = {name: bytes(size) if size else 0 for name, size in FIELDS}
    header["peer-renewal-id"] = struct.pack("<Q", before)
    plaintext = encode(1, ACK, header, b"", SIZE, 0)
    return steps, secret, seal(plaintext, secret, 0, case["ephemeral"])


# ---- known answers ----


def read(f):
    case = {"secret": f.bytes("stream-secret"), "steps": [], "results": []}
    for _ in range(f.number("renewals")):
        case["steps"].append({name: f.bytes(name) if size else f.number(name) for name, size in STEP})
        case["results"].append({name: f.bytes(name) for name, _ in RESULTS})
    case["ephemeral"] = f.bytes("ephemeral")
    case["record"] = f.bytes("record")
    return case


def check(f):
    count = 0
    while f.more():
        case = read(f)
        steps, secret, record = results(case)
        same("renewals", case["results"], steps)
        same("record", case["record"], record)
        _, header, _ = decode(open_record(case["record"], secret, 0), SIZE)
        same("generation before", struct.unpack("<Q", header["peer-renewal-id"])[0], case["steps"][-1]["records-before"])
        count += 1
    if count == 0:
        raise Bad("no case")


def make(f):
    r = Random("restante/vectors/renewal")
    for count in (1, 3, 4):
        case = {"secret": r.bytes(32), "steps": []}
        for _ in range(count):
            step = {name: r.bytes(size) if size else r.number(1, 20) for name, size in STEP}
            case["steps"].append(step)
        case["ephemeral"] = r.bytes(32)
        steps, _, record = results(case)
        f.case("renewed %d times" % count)
        f.bytes("stream-secret", case["secret"])
        f.number("renewals", count)
        for step, result in zip(case["steps"], steps):
            for name, size in STEP:
                (f.bytes if size else f.number)(name, step[name])
            for name, _ in RESULTS:
                f.bytes(name, result[name])
        f.bytes("ephemeral", case["ephemeral"])
        f.bytes("record", record)
