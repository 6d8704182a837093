"""Blocks of the journal, from section 8 of docs/protocol.md alone."""

import hashlib
import struct

from nacl import exceptions
from nacl.bindings import crypto_sign, crypto_sign_open, crypto_sign_seed_keypair

from vectors import Bad, Random, same

RECORD_BYTES = 1024  # of these vectors
GOOD, MALFORMED, SIGNATURE = 0, 1, 2


def blake2b(size, data):
    return hashlib.blake2b(data, digest_size=size).digest()


def split(data, size):
    if len(data) % size:
        raise Bad("not a multiple of %d bytes" % size)
    return [data[i : i + size] for i in range(0, len(data), size)]


def listed(case):
    """Lines of mailboxes and digests, from records and notes."""
    lines, digests = [], set(split(case["notes"], 8))
    for number, records in case["mailboxes"]:
        each = split(records, RECORD_BYTES)
        lines.append((number, len(each), blake2b(32, records)))
        digests |= {blake2b(8, record) for record in each}
    return lines, sorted(digests)


def encode(case, version=1, lines=None, digests=None):
    """lines, digests: instead of what follows from records and notes."""
    own_lines, own_digests = listed(case)
    lines = own_lines if lines is None else lines
    digests = own_digests if digests is None else digests
    out = struct.pack("<BHQ", version, case["gateway"], case["round"])
    out += case["previous"] + case["previous_epoch"]
    out += struct.pack("<H", len(case["entries"]))
    for kind, data in case["entries"]:
        out += struct.pack("<BI", kind, len(data)) + data
    out += struct.pack("<H", len(lines))
    for number, count, digest in lines:
        out += struct.pack("<HH", number, count) + digest
    return out + struct.pack("<H", len(digests)) + b"".join(digests)


class Cursor:
    def __init__(self, data):
        self.data = data

    def take(self, size):
        if len(self.data) < size:
            raise ValueError("truncated")
        out, self.data = self.data[:size], self.data[size:]
        return out

    def unpack(self, form):
        return struct.unpack(form, self.take(struct.calcsize(form)))


def require(rule):
    if not rule:
        raise ValueError


def ascend(items):
    return all(a < b for a, b in zip(items, items[1:]))


def decode(data):
    """ValueError for a block that is refused."""
    c = Cursor(data)
    require(len(data) <= 4 << 20)
    version, gateway, round_number = c.unpack("<BHQ")
    previous, previous_epoch = c.take(32), c.take(32)
    require(version == 1)
    entries = []
    for _ in range(c.unpack("<H")[0]):
        kind, length = c.unpack("<BI")
        require(kind in (1, 2, 3) and len(entries) < 16)
        entries.append((kind, c.take(length)))
    lines = [c.unpack("<HH") + (c.take(32),) for _ in range(c.unpack("<H")[0])]
    digests = [c.take(8) for _ in range(c.unpack("<H")[0])]
    require(not c.data)
    require(ascend([line[0] for line in lines]) and all(line[1] for line in lines))
    require(ascend(digests))
    founding = not any(previous)
    require(not (founding and any(previous_epoch)))
    if founding or any(previous_epoch):
        require(not lines and not digests)
    return gateway, round_number, previous, previous_epoch, entries, lines, digests


def signed_bytes(network_id, gateway, round_number, previous, previous_epoch, digest):
    epoch_block = any(previous_epoch) or not any(previous)
    label = b"restante/epoch-block/1" if epoch_block else b"restante/block/1"
    return label + network_id + struct.pack("<HQ", gateway, round_number) + digest


def judge(case):
    try:
        block = decode(case["block"])
    except ValueError:
        return MALFORMED
    digest = blake2b(32, case["block"])
    message = signed_bytes(case["network_id"], *block[:4], digest)
    try:
        crypto_sign_open(case["signature"] + message, crypto_sign_seed_keypair(case["seed"])[0])
    except exceptions.CryptoError:
        return SIGNATURE
    return GOOD


def sign(case, digest):
    names = ("network_id", "gateway", "round", "previous", "previous_epoch")
    message = signed_bytes(*(case[name] for name in names), digest)
    return crypto_sign(message, crypto_sign_seed_keypair(case["seed"])[1])[:64]


# ---- known answers ----


def read(f):
    case = {
        "network_id": f.bytes("network-id"),
        "seed": f.bytes("identity-seed"),
        "gateway": f.number("gateway"),
        "round": f.number("round"),
        "previous": f.bytes("previous"),
        "previous_epoch": f.bytes("previous-epoch"),
    }
    case["entries"] = [(f.number("kind"), f.bytes("entry")) for _ in range(f.number("entries"))]
    case["mailboxes"] = [
        (f.number("mailbox"), f.bytes("records")) for _ in range(f.number("mailboxes"))
    ]
    for name in ("notes", "block", "hash", "signature"):
        case[name] = f.bytes(name)
    case["verdict"] = f.number("verdict")
    return case


def write(f, text, case):
    f.case(text)
    f.bytes("network-id", case["network_id"])
    f.bytes("identity-seed", case["seed"])
    f.number("gateway", case["gateway"])
    f.number("round", case["round"])
    f.bytes("previous", case["previous"])
    f.bytes("previous-epoch", case["previous_epoch"])
    f.number("entries", len(case["entries"]))
    for kind, data in case["entries"]:
        f.number("kind", kind)
        f.bytes("entry", data)
    f.number("mailboxes", len(case["mailboxes"]))
    for number, records in case["mailboxes"]:
        f.number("mailbox", number)
        f.bytes("records", records)
    for name in ("notes", "block", "hash", "signature"):
        f.bytes(name, case[name])
    f.number("verdict", case["verdict"])


def check(f):
    count = 0
    while f.more():
        case = read(f)
        same("verdict", judge(case), case["verdict"])
        if case["verdict"] == GOOD:
            same("block", encode(case), case["block"])
            same("hash", blake2b(32, case["block"]), case["hash"])
            same("signature", sign(case, case["hash"]), case["signature"])
        count += 1
    if count == 0:
        raise Bad("no case")


def random_case(r, entries=(), mailboxes=(), notes=0, previous=True, epoch=False):
    """entries: (kind, bytes); mailboxes: (number, records)."""
    return {
        "network_id": r.bytes(32),
        "seed": r.bytes(32),
        "gateway": r.number(0, 65535),
        "round": r.number(0, 2**64 - 1),
        "previous": r.bytes(32) if previous else bytes(32),
        "previous_epoch": r.bytes(32) if epoch else bytes(32),
        "entries": [(kind, r.bytes(size)) for kind, size in entries],
        "mailboxes": [(number, r.bytes(count * RECORD_BYTES)) for number, count in mailboxes],
        "notes": r.bytes(8 * notes),
    }


def finish(case, block=None, verdict=GOOD):
    block = encode(case) if block is None else block
    digest = blake2b(32, block)
    return dict(case, block=block, hash=digest, signature=sign(case, digest), verdict=verdict)


def make_good(f, r):
    write(f, "nothing happened", finish(random_case(r)))
    write(f, "the founding block", finish(random_case(r, [(2, 250)], previous=False)))
    case = random_case(r, [(2, 200), (1, 300)], epoch=True)
    write(f, "an epoch block", finish(case))
    case = random_case(r, [(1, 100)], [(0, 1), (1, 2), (65535, 1)], notes=3)
    write(f, "a sheet, records and notes", finish(case))


def make_bad(f, r):
    quiet = random_case(r)
    founding = random_case(r, [(2, 9)], previous=False)
    epoch = random_case(r, [(2, 9)], epoch=True)
    line, other = (5, 1, r.bytes(32)), (6, 1, r.bytes(32))
    low, high = sorted((r.bytes(8), r.bytes(8)))
    good = encode(quiet)
    for text, case, block in (
        ("a later version", quiet, encode(quiet, version=2)),
        ("version 0", quiet, encode(quiet, version=0)),
        ("an unknown entry", quiet, encode(dict(quiet, entries=[(4, b"")]))),
        ("entry 0", quiet, encode(dict(quiet, entries=[(0, b"")]))),
        ("17 entries", quiet, encode(dict(quiet, entries=[(3, b"")] * 17))),
        ("a mailbox without records", quiet, encode(quiet, lines=[(5, 0, bytes(32))])),
        ("mailboxes out of order", quiet, encode(quiet, lines=[other, line])),
        ("a mailbox twice", quiet, encode(quiet, lines=[line, line])),
        ("digests out of order", quiet, encode(quiet, digests=[high, low])),
        ("a digest twice", quiet, encode(quiet, digests=[low, low])),
        ("an epoch block with digests", epoch, encode(epoch, digests=[low])),
        ("an epoch block with a mailbox", epoch, encode(epoch, lines=[line])),
        ("a founding block with digests", founding, encode(founding, digests=[low])),
        (
            "a founding block with an epoch block before it",
            founding,
            encode(dict(founding, previous_epoch=r.bytes(32))),
        ),
        ("a byte left over", quiet, good + b"\0"),
        ("cut short", quiet, good[:-1]),
    ):
        write(f, text, finish(case, block, MALFORMED))


def make_forged(f, r):
    case = finish(random_case(r, notes=1))
    for text, changed in (
        ("another network", dict(case, network_id=r.bytes(32))),
        ("another gateway's key", dict(case, seed=r.bytes(32))),
        ("one bit of the block", dict(case, block=case["block"][:-1] + bytes([case["block"][-1] ^ 1]))),
    ):
        write(f, text, dict(changed, verdict=SIGNATURE))


def make(f):
    r = Random("restante/vectors/block")
    make_good(f, r)
    make_bad(f, r)
    make_forged(f, r)
