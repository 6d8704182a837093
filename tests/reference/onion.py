"""The onion packet, from section 4 of docs/protocol.md alone."""

import hashlib
import struct

from nacl import exceptions
from nacl.bindings import (
    crypto_aead_chacha20poly1305_ietf_decrypt,
    crypto_aead_chacha20poly1305_ietf_encrypt,
    crypto_scalarmult,
    crypto_scalarmult_base,
)

from vectors import Bad, Random, same

SUITE = 1
NONCE = bytes(12)
DROP, DEPOSIT, NOTE = 0, 1, 2

# What becomes of a packet at a node.
OPENED, POINT, AEAD, RESERVED, COMMAND = 0, 1, 2, 3, 4


class Refused(Exception):
    def __init__(self, verdict, layer):
        super().__init__("verdict %d at layer %d" % (verdict, layer))
        self.verdict = verdict
        self.layer = layer


def packet_bytes(record_size, mixes):
    return record_size + 68 + 48 * (mixes + 1) + 8 * mixes


def blake2b(size, key, data=b"", salt=b"", person=b""):
    return hashlib.blake2b(data, digest_size=size, key=key, salt=salt, person=person).digest()


def derive(shared, epoch, layer, sheet_hash, ct, pk):
    """AEAD key and replay tag."""
    m = blake2b(
        32,
        shared,
        b"restante/onion/1" + struct.pack("<BIB", SUITE, epoch, layer) + sheet_hash + ct + pk,
    )
    k = blake2b(32, m, salt=struct.pack("<Q", 1), person=b"rst.aead")
    tag = blake2b(16, m, salt=struct.pack("<Q", 2), person=b"rst.rply")
    return k, tag


def command(kind, mailbox, stamp, body):
    return struct.pack("<BBH", kind, 0, mailbox) + stamp + body


def wrap(inner, ephemeral, pk, epoch, layer, sheet_hash):
    ct = crypto_scalarmult_base(ephemeral)
    key, tag = derive(crypto_scalarmult(ephemeral, pk), epoch, layer, sheet_hash, ct, pk)
    return ct + crypto_aead_chacha20poly1305_ietf_encrypt(inner, None, NONCE, key), tag


def build(hops, innermost, epoch, sheet_hash, reserved_at=None):
    """Hops are dictionaries; returns the packet and the replay tag of every hop.

    A sender who breaks the rules sets the reserved bytes of one route.
    """
    tags = []
    packet = innermost
    for layer in reversed(range(len(hops))):
        hop = hops[layer]
        if layer < len(hops) - 1:
            reserved = 1 if layer == reserved_at else 0
            route = struct.pack("<HHI", hops[layer + 1]["node"], reserved, hop["delay"])
            packet = route + packet
        pk = crypto_scalarmult_base(hop["sk"])
        packet, tag = wrap(packet, hop["ephemeral"], pk, epoch, layer, sheet_hash)
        tags.insert(0, tag)
    return packet, tags


def parse_command(inner, record_size):
    kind, zero, mailbox = struct.unpack("<BBH", inner[:4])
    stamp, body = inner[4:68], inner[68:]
    assert len(body) == record_size
    used = {DROP: 0, NOTE: 8}
    if zero != 0 or kind not in (DROP, DEPOSIT, NOTE):
        raise ValueError
    if kind in used and (mailbox or any(stamp) or any(body[used[kind]:])):
        raise ValueError
    return kind, mailbox, stamp, body


def open_layer(packet, sk, epoch, layer, sheet_hash):
    """Returns what the AEAD held and the replay tag."""
    ct, sealed = packet[:32], packet[32:]
    try:
        shared = crypto_scalarmult(sk, ct)
    except exceptions.CryptoError:
        raise Refused(POINT, layer) from None
    key, tag = derive(shared, epoch, layer, sheet_hash, ct, crypto_scalarmult_base(sk))
    try:
        return crypto_aead_chacha20poly1305_ietf_decrypt(sealed, None, NONCE, key), tag
    except exceptions.CryptoError:
        raise Refused(AEAD, layer) from None


def peel(case):
    """Takes a packet the whole way; returns the command's parts."""
    packet, last = case["packet"], len(case["hops"]) - 1
    for layer, hop in enumerate(case["hops"]):
        same("length at layer %d" % layer, len(packet), packet_bytes(case["record_size"], last - layer))
        inner, tag = open_layer(packet, hop["sk"], case["epoch"], layer, case["sheet_hash"])
        same("replay tag", tag, hop["tag"])
        if layer == last:
            break
        node, zero, delay = struct.unpack("<HHI", inner[:8])
        if zero != 0:
            raise Refused(RESERVED, layer)
        same("route", (node, delay), (case["hops"][layer + 1]["node"], hop["delay"]))
        packet = inner[8:]
    try:
        return parse_command(inner, case["record_size"])
    except ValueError:
        raise Refused(COMMAND, last) from None


# ---- known answers ----


def read(f):
    case = {"record_size": f.number("record-size"), "epoch": f.number("epoch")}
    case["sheet_hash"] = f.bytes("sheet-hash")
    case["hops"] = []
    for _ in range(f.number("hops")):
        case["hops"].append(
            {
                "node": f.number("node"),
                "delay": f.number("delay-ms"),
                "sk": f.bytes("secret-key"),
                "ephemeral": f.bytes("ephemeral"),
                "tag": f.bytes("replay-tag"),
            }
        )
    for name in ("command", "packet"):
        case[name] = f.bytes(name)
    case["verdict"], case["verdict_layer"] = f.number("verdict"), f.number("verdict-layer")
    return case


def write(f, text, case):
    f.case(text)
    f.number("record-size", case["record_size"])
    f.number("epoch", case["epoch"])
    f.bytes("sheet-hash", case["sheet_hash"])
    f.number("hops", len(case["hops"]))
    for hop in case["hops"]:
        f.number("node", hop["node"])
        f.number("delay-ms", hop["delay"])
        f.bytes("secret-key", hop["sk"])
        f.bytes("ephemeral", hop["ephemeral"])
        f.bytes("replay-tag", hop["tag"])
    f.bytes("command", case["command"])
    f.bytes("packet", case["packet"])
    f.number("verdict", case["verdict"])
    f.number("verdict-layer", case["verdict_layer"])


def check(f):
    """Builds each good packet anew and takes every packet the whole way."""
    count = 0
    while f.more():
        case = read(f)
        try:
            parts = peel(case)
            same("command", command(*parts), case["command"])
            verdict = (OPENED, len(case["hops"]) - 1)
        except Refused as refused:
            verdict = (refused.verdict, refused.layer)
        same("verdict", verdict, (case["verdict"], case["verdict_layer"]))
        if verdict[0] in (OPENED, COMMAND):
            packet, _ = build(case["hops"], case["command"], case["epoch"], case["sheet_hash"])
            same("packet", packet, case["packet"])
        count += 1
    if count == 0:
        raise Bad("no case")


def random_case(r, record_size, layers, inner, reserved_at=None):
    case = {
        "record_size": record_size,
        "epoch": r.number(0, 2**32 - 1),
        "sheet_hash": r.bytes(32),
        "hops": [
            {
                "node": r.number(0, 65535),
                "delay": r.number(0, 2**32 - 1),
                "sk": r.bytes(32),
                "ephemeral": r.bytes(32),
            }
            for _ in range(layers + 1)
        ],
        "command": inner,
        "verdict": OPENED,
        "verdict_layer": layers,
    }
    case["packet"], tags = build(
        case["hops"], inner, case["epoch"], case["sheet_hash"], reserved_at
    )
    for hop, tag in zip(case["hops"], tags):
        hop["tag"] = tag
    if reserved_at is not None:
        case["verdict"], case["verdict_layer"] = RESERVED, reserved_at
    return case


def damaged(case, verdict, at, change):
    packet = bytearray(case["packet"])
    packet[at : at + len(change)] = bytes(a ^ b for a, b in zip(packet[at:], change))
    return dict(case, packet=bytes(packet), verdict=verdict, verdict_layer=0)


def make_good(f, r):
    zeros = bytes(64)
    write(f, "a drop", random_case(r, 1024, 1, command(DROP, 0, zeros, bytes(1024))))
    note = r.bytes(8) + bytes(1016)
    write(f, "a note", random_case(r, 1024, 3, command(NOTE, 0, zeros, note)))
    deposit = command(DEPOSIT, 1, zeros, r.bytes(4096))
    write(f, "a deposit at the defaults", random_case(r, 4096, 3, deposit))
    deposit = command(DEPOSIT, 65535, r.bytes(64), r.bytes(1500))
    write(f, "eight layers, an odd size, a stamp", random_case(r, 1500, 8, deposit))


def make_bad(f, r):
    zeros, body = bytes(64), bytes(1024)
    good = random_case(r, 1024, 2, command(DROP, 0, zeros, body))
    write(f, "low order", damaged(good, POINT, 0, good["packet"][:32]))
    write(f, "another encoding of the same point", damaged(good, AEAD, 31, b"\x80"))
    write(f, "one bit of the seal", damaged(good, AEAD, len(good["packet"]) - 1, b"\x01"))
    drop = command(DROP, 0, zeros, body)
    write(f, "reserved bytes of the second route", random_case(r, 1024, 2, drop, reserved_at=1))
    for text, inner in (
        ("an unknown kind", command(3, 0, zeros, body)),
        ("a drop for a mailbox", command(DROP, 1, zeros, body)),
        ("a drop that carries something", command(DROP, 0, zeros, bytes(1023) + b"\x01")),
        ("a note with a stamp", command(NOTE, 0, bytes(63) + b"\x01", body)),
        ("a note of nine bytes", command(NOTE, 0, zeros, bytes(8) + b"\x01" + bytes(1015))),
    ):
        write(f, text, dict(random_case(r, 1024, 1, inner), verdict=COMMAND))


def make(f):
    r = Random("restante/vectors/onion")
    make_good(f, r)
    make_bad(f, r)
