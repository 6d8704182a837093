"""First contact, from section 11 of docs/protocol.md alone."""

import base64
import hashlib
import struct

from nacl.bindings import (
    crypto_aead_xchacha20poly1305_ietf_decrypt,
    crypto_aead_xchacha20poly1305_ietf_encrypt,
    crypto_scalarmult,
    crypto_scalarmult_base,
)

from vectors import Bad, Random, same

PREFIX = "restante:"
BODY = struct.Struct("<B32sQ32sHH32s32s32sq")
assert BODY.size == 181

FIELDS = (
    # name in vectors, bytes (0: a number)
    ("inviter-secret", 32),
    ("one-time-secret", 32),
    ("acceptor-secret", 32),
    ("ephemeral", 32),
    ("network-id", 32),
    ("epoch-block-round", 0),
    ("epoch-block-hash", 32),
    ("gateway", 0),
    ("inviter-mailbox", 0),
    ("pre-shared-secret", 32),
    ("expiry", 0),
    ("acceptor-mailbox", 0),
    ("f", 32),
    ("attempt", 0),
    ("record-size", 0),
)
RESULTS = ("text", "record", "to-inviter", "to-acceptor", "safety-number")


def blake2b(size, data, key=b""):
    return hashlib.blake2b(data, digest_size=size, key=key).digest()


def kdf(key, label, data=b""):
    return blake2b(32, label + data, key)


# ---- the invitation ----


def invitation_text(c):
    body = BODY.pack(
        1,
        c["network-id"],
        c["epoch-block-round"],
        c["epoch-block-hash"],
        c["gateway"],
        c["inviter-mailbox"],
        crypto_scalarmult_base(c["inviter-secret"]),
        crypto_scalarmult_base(c["one-time-secret"]),
        c["pre-shared-secret"],
        c["expiry"],
    )
    text = base64.urlsafe_b64encode(body + blake2b(32, body)[:4]).rstrip(b"=")
    return PREFIX.encode() + text


def read_invitation(text):
    if not text.startswith(PREFIX.encode()):
        raise Bad("no invitation")
    raw = base64.urlsafe_b64decode(text[len(PREFIX) :] + b"==")
    body, check = raw[:181], raw[181:]
    same("check sum", check, blake2b(32, body)[:4])
    names = ("format", "network", "round", "hash", "gateway", "mailbox", "identity", "one_time", "psk", "expiry")
    return dict(zip(names, BODY.unpack(body)))


# ---- the answer ----


def first_key(psk, one, two, e, network):
    return kdf(psk, b"restante/accept/k1", one + two + e + network)


def streams(invite, dh, f, acceptor, mailbox):
    """Secrets of the streams to the inviter and to the acceptor."""
    k2 = kdf(
        invite["psk"],
        b"restante/accept/k2",
        dh
        + f
        + invite["identity"]
        + acceptor
        + invite["one_time"]
        + invite["network"]
        + struct.pack("<HH", invite["mailbox"], mailbox),
    )
    return kdf(k2, b"restante/stream/to-inviter"), kdf(k2, b"restante/stream/to-acceptor")


def accept_tag(psk, attempt):
    return blake2b(16, b"restante/accept/tag" + bytes([attempt]), psk)


def accept(invite, c):
    """The acceptor's record and stream secrets."""
    identity = crypto_scalarmult_base(c["acceptor-secret"])
    e = crypto_scalarmult_base(c["ephemeral"])
    one = crypto_scalarmult(c["ephemeral"], invite["one_time"])
    two = crypto_scalarmult(c["ephemeral"], invite["identity"])
    k1 = first_key(invite["psk"], one, two, e, invite["network"])
    answer = struct.pack("<B32sH32s", 1, identity, c["acceptor-mailbox"], c["f"])
    answer += bytes(c["record-size"] - 64 - len(answer))
    sealed = crypto_aead_xchacha20poly1305_ietf_encrypt(answer, None, blake2b(24, e), k1)
    dh = crypto_scalarmult(c["acceptor-secret"], invite["one_time"])
    record = e + accept_tag(invite["psk"], c["attempt"]) + sealed
    return (record,) + streams(invite, dh, c["f"], identity, c["acceptor-mailbox"])


def open_answer(invite, record, attempt, inviter_secret, one_time_secret):
    """The inviter's view: the acceptor's identity and mailbox, and the stream secrets."""
    same("tag", record[32:48], accept_tag(invite["psk"], attempt))
    e = record[:32]
    one, two = crypto_scalarmult(one_time_secret, e), crypto_scalarmult(inviter_secret, e)
    k1 = first_key(invite["psk"], one, two, e, invite["network"])
    answer = crypto_aead_xchacha20poly1305_ietf_decrypt(record[48:], None, blake2b(24, e), k1)
    kind, identity, mailbox, f = struct.unpack("<B32sH32s", answer[:67])
    same("format", kind, 1)
    same("padding", answer[67:], bytes(len(answer) - 67))
    dh = crypto_scalarmult(one_time_secret, identity)
    return (identity, mailbox) + streams(invite, dh, f, identity, mailbox)


def safety_number(a, b, network):
    if int.from_bytes(a, "little") > int.from_bytes(b, "little"):
        a, b = b, a
    h = blake2b(64, b"restante/safety-number/1" + network + a + b)
    groups = (int.from_bytes(h[5 * g : 5 * g + 5], "big") % 100000 for g in range(12))
    return " ".join("%05d" % g for g in groups).encode()


# ---- known answers ----


def results(c):
    text = invitation_text(c)
    record, to_inviter, to_acceptor = accept(read_invitation(text), c)
    number = safety_number(
        crypto_scalarmult_base(c["inviter-secret"]),
        crypto_scalarmult_base(c["acceptor-secret"]),
        c["network-id"],
    )
    return dict(zip(RESULTS, (text, record, to_inviter, to_acceptor, number)))


def check(f):
    count = 0
    while f.more():
        c = {name: f.bytes(name) if size else f.number(name) for name, size in FIELDS}
        theirs = {name: f.bytes(name) for name in RESULTS}
        for name, ours in results(c).items():
            same(name, theirs[name], ours)
        opened = open_answer(
            read_invitation(theirs["text"]), theirs["record"], c["attempt"], c["inviter-secret"], c["one-time-secret"]
        )
        identity = crypto_scalarmult_base(c["acceptor-secret"])
        same("what the inviter reads", opened, (identity, c["acceptor-mailbox"], theirs["to-inviter"], theirs["to-acceptor"]))
        count += 1
    if count == 0:
        raise Bad("no case")


def make(f):
    r = Random("restante reference contact")
    for n in range(6):
        c = {name: r.bytes(size) if size else 0 for name, size in FIELDS}
        c["epoch-block-round"] = r.number(0, 2**64 - 1)
        c["expiry"] = r.number(0, 2**42)
        for name in ("gateway", "inviter-mailbox", "acceptor-mailbox"):
            c[name] = r.number(0, 65535)
        c["attempt"] = 15 - 3 * n
        c["record-size"] = 4096 if n == 0 else 1024
        f.case("attempt %d, records of %d bytes" % (c["attempt"], c["record-size"]))
        for name, size in FIELDS:
            (f.bytes if size else f.number)(name, c[name])
        for name, value in results(c).items():
            f.bytes(name, value)
