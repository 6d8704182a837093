"""Founding records, from section 10 of docs/protocol.md alone."""

import struct

from nacl.bindings import crypto_scalarmult, crypto_scalarmult_base
from nacl.bindings import (
    crypto_aead_xchacha20poly1305_ietf_decrypt,
    crypto_aead_xchacha20poly1305_ietf_encrypt,
)

from contact import blake2b, kdf
from vectors import Bad, Random, same

SIZE = 1024
BODY = struct.Struct("<BBII32s32sQQ128sQQQQQQ128sQ128s")
assert BODY.size == 530

SECRETS = (("restart-secret", 32), ("founder-secret", 32), ("receiver-secret", 32), ("network-id", 32), ("answered-seed", 32), ("ephemeral", 32))
FIELDS = (
    # name in vectors, bytes (0: a number), in the order of the body
    ("flags", 0),
    ("generation", 0),
    ("attempt", 0),
    ("seed", 32),
    ("renewal", 32),
    ("next-missing", 0),
    ("highest-index", 0),
    ("map", 128),
    ("floor", 0),
    ("given-texts", 0),
    ("given-files", 0),
    ("done-texts", 0),
    ("done-files", 0),
    ("texts-top", 0),
    ("texts-map", 128),
    ("files-top", 0),
    ("files-map", 128),
)


def proof(c, body):
    if c["answered-seed"] == bytes(32):
        return bytes(32)
    return blake2b(32, b"restante/found/answer" + body, c["answered-seed"])


def found(c):
    """The record and the stream secret, as the founder makes them."""
    r, a, b = c["restart-secret"], c["founder-secret"], c["receiver-secret"]
    pa, pb = crypto_scalarmult_base(a), crypto_scalarmult_base(b)
    e, e_dh = crypto_scalarmult_base(c["ephemeral"]), crypto_scalarmult(c["ephemeral"], pb)
    same("DH of E", crypto_scalarmult(b, e), e_dh)
    ab = crypto_scalarmult(a, pb)
    tag = blake2b(16, b"restante/found/tag" + e_dh + e + pa + pb, r)
    key = kdf(r, b"restante/found/key", e_dh + ab + e + pa + pb + c["network-id"])
    plain = BODY.pack(1, *(c[name] for name, _ in FIELDS))
    plain += proof(c, plain)
    plain += bytes(SIZE - 64 - len(plain))
    sealed = crypto_aead_xchacha20poly1305_ietf_encrypt(plain, None, blake2b(24, e), key)
    stream = kdf(
        r,
        b"restante/found/stream",
        ab + c["seed"] + pa + pb + c["network-id"] + c["answered-seed"] + struct.pack("<I", c["generation"]),
    )
    return e + tag + sealed, stream, key


def check(f):
    count = 0
    while f.more():
        case = {}
        for name, size in SECRETS + FIELDS:
            case[name] = f.bytes(name) if size else f.number(name)
        record, stream, key = found(case)
        theirs = f.bytes("record")
        same("record", theirs, record)
        same("stream secret", f.bytes("stream-secret"), stream)
        plain = crypto_aead_xchacha20poly1305_ietf_decrypt(theirs[48:], None, blake2b(24, theirs[:32]), key)
        same("proof", plain[530:562], proof(case, plain[:530]))
        same("body", BODY.unpack(plain[:530])[1:], tuple(case[name] for name, _ in FIELDS))
        count += 1
    if count == 0:
        raise Bad("no case")


def make(f):
    r = Random("restante/vectors/founding")
    for text in ("lost", "in turn"):
        case = {name: r.bytes(size) if size else r.number(1, 100000) for name, size in SECRETS + FIELDS}
        case["flags"] = 1 if text == "lost" else 0
        if text == "lost":
            case["answered-seed"] = bytes(32)
        record, stream, _ = found(case)
        f.case(text)
        for name, size in SECRETS + FIELDS:
            (f.bytes if size else f.number)(name, case[name])
        f.bytes("record", record)
        f.bytes("stream-secret", stream)
