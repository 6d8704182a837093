"""Records and streams, from section 10 of docs/protocol.md alone."""

import hashlib
import struct

from nacl import exceptions
from nacl.bindings import (
    crypto_aead_xchacha20poly1305_ietf_decrypt,
    crypto_aead_xchacha20poly1305_ietf_encrypt,
    crypto_scalarmult_base,
)

from vectors import Bad, Random, same

ACK, TEXT, FILE = 0, 1, 2
HEADER = struct.Struct("<BBHQQIIQQ128s32s32s8sQ32s64sI")
assert HEADER.size == 352

# What becomes of a record whose tag is known.
GOOD, MALFORMED, AEAD = 0, 1, 2

FIELDS = (
    # name in vectors, bytes (0: a number)
    ("behind", 0),
    ("number", 0),
    ("message", 0),
    ("fragment", 0),
    ("of", 0),
    ("next-missing", 0),
    ("highest-index", 0),
    ("map", 128),
    ("own-renewal", 32),
    ("fresh", 32),
    ("peer-renewal-id", 8),
    ("epoch-block-round", 0),
    ("epoch-block-hash", 32),
    ("epoch-block-signature", 64),
)


def blake2b(size, data, key=b""):
    return hashlib.blake2b(data, digest_size=size, key=key).digest()


def keys_at(secret, index):
    """Tag and message key of an index."""
    for _ in range(index):
        secret = blake2b(32, b"restante/stream/next", secret)
    return (
        blake2b(16, b"restante/stream/tag", secret),
        blake2b(32, b"restante/stream/message", secret),
    )


def encode(version, kind, header, content, record_size, length):
    values = [header[name] for name, _ in FIELDS]
    plaintext = HEADER.pack(version, kind, *values, length) + content
    return plaintext + bytes(record_size - 64 - len(plaintext))


def row_allows(kind, header, length):
    """The table of types."""
    number, message, behind = header["number"], header["message"], header["behind"]
    if kind == ACK:
        fields = (number, message, behind, header["fragment"], header["of"], length)
        return not any(fields)
    return (
        kind in (TEXT, FILE)
        and behind < number < 2**62
        and behind <= 1024
        and 1 <= message < 2**62
        and header["fragment"] < header["of"]
    )


def decode(plaintext, record_size):
    """Type, header and content; ValueError for what a reader refuses."""
    version, kind, *values, length = HEADER.unpack(plaintext[:352])
    header = dict(zip((name for name, _ in FIELDS), values))
    if version != 1 or length > record_size - 416 or not row_allows(kind, header, length):
        raise ValueError
    if any(plaintext[352 + length :]):
        raise ValueError
    return kind, header, plaintext[352 : 352 + length]


def seal(plaintext, secret, index, ephemeral):
    tag, key = keys_at(secret, index)
    e = crypto_scalarmult_base(ephemeral)
    nonce = blake2b(24, e)
    return e + tag + crypto_aead_xchacha20poly1305_ietf_encrypt(plaintext, None, nonce, key)


def open_record(record, secret, index):
    tag, key = keys_at(secret, index)
    same("tag", record[32:48], tag)
    nonce = blake2b(24, record[:32])
    return crypto_aead_xchacha20poly1305_ietf_decrypt(record[48:], None, nonce, key)


# ---- known answers ----


def read(f):
    case = {
        "secret": f.bytes("stream-secret"),
        "index": f.number("index"),
        "ephemeral": f.bytes("ephemeral"),
        "record_size": f.number("record-size"),
        "type": f.number("type"),
    }
    case["header"] = {name: f.bytes(name) if size else f.number(name) for name, size in FIELDS}
    case["content"] = f.bytes("content")
    case["record"] = f.bytes("record")
    case["digest"] = f.bytes("digest")
    case["verdict"] = f.number("verdict")
    return case


def write(f, text, case):
    f.case(text)
    f.bytes("stream-secret", case["secret"])
    f.number("index", case["index"])
    f.bytes("ephemeral", case["ephemeral"])
    f.number("record-size", case["record_size"])
    f.number("type", case["type"])
    for name, size in FIELDS:
        (f.bytes if size else f.number)(name, case["header"][name])
    f.bytes("content", case["content"])
    f.bytes("record", case["record"])
    f.bytes("digest", blake2b(8, case["record"]))
    f.number("verdict", case["verdict"])


def judge(case):
    same("length", len(case["record"]), case["record_size"])
    try:
        plaintext = open_record(case["record"], case["secret"], case["index"])
    except exceptions.CryptoError:
        return AEAD
    try:
        kind, header, content = decode(plaintext, case["record_size"])
    except ValueError:
        return MALFORMED
    same("type", kind, case["type"])
    same("header", header, case["header"])
    same("content", content, case["content"])
    return GOOD


def check(f):
    count = 0
    while f.more():
        case = read(f)
        same("verdict", judge(case), case["verdict"])
        same("digest", blake2b(8, case["record"]), case["digest"])
        if case["verdict"] == GOOD:
            size = case["record_size"]
            content = case["content"]
            plaintext = encode(1, case["type"], case["header"], content, size, len(content))
            record = seal(plaintext, case["secret"], case["index"], case["ephemeral"])
            same("record", record, case["record"])
        count += 1
    if count == 0:
        raise Bad("no case")


def random_header(r, kind):
    header = {name: r.bytes(size) if size else 0 for name, size in FIELDS}
    for name in ("next-missing", "highest-index", "epoch-block-round"):
        header[name] = r.number(0, 2**64 - 1)
    if kind != ACK:
        header["behind"] = r.number(0, 1024)
        header["number"] = r.number(header["behind"] + 1, 2**62 - 1)
        header["message"] = r.number(1, 2**62 - 1)
        header["of"] = r.number(1, 2**32 - 1)
        header["fragment"] = r.number(0, header["of"] - 1)
    return header


def random_case(r, kind, record_size, index, content_bytes, lies=None):
    """lies: fields of the header, or version, length and padding, of one who breaks rules."""
    lies = dict(lies or {})
    case = {
        "secret": r.bytes(32),
        "index": index,
        "ephemeral": r.bytes(32),
        "record_size": record_size,
        "type": kind,
        "header": random_header(r, kind),
        "content": r.bytes(content_bytes),
        "verdict": MALFORMED if lies else GOOD,
    }
    version, length = lies.pop("version", 1), lies.pop("length", content_bytes)
    padding, kind = lies.pop("padding", b"\0"), lies.pop("type", kind)
    case["header"].update(lies)
    plaintext = encode(version, kind, case["header"], case["content"], record_size, length)
    if length == content_bytes < record_size - 416:
        plaintext = plaintext[:-1] + padding
    case["record"] = seal(plaintext, case["secret"], index, case["ephemeral"])
    return case


def make(f):
    r = Random("restante/vectors/record")
    write(f, "the first text of a stream", random_case(r, TEXT, 1024, 0, 608))
    write(f, "an acknowledgement alone", random_case(r, ACK, 1024, 3, 0))
    write(f, "a manifest", random_case(r, FILE, 4096, 12, 60))
    write(f, "far into a stream", random_case(r, TEXT, 1500, 99, 1))
    for text, kind, content_bytes, lies in (
        ("a later version", TEXT, 9, {"version": 2}),
        ("an unknown type", TEXT, 0, {"type": 3}),
        ("text number 0", TEXT, 9, {"behind": 0, "number": 0}),
        ("a number too large", TEXT, 9, {"number": 2**62}),
        ("number not above behind", TEXT, 9, {"behind": 7, "number": 7}),
        ("behind too large", TEXT, 9, {"behind": 1025, "number": 5000}),
        ("message 0", FILE, 9, {"message": 0}),
        ("a message too large", FILE, 9, {"message": 2**62}),
        ("fragment beyond the last", FILE, 9, {"of": 4, "fragment": 4}),
        ("an acknowledgement with a number", ACK, 0, {"number": 1}),
        ("an acknowledgement with content", ACK, 1, {"length": 1}),
        ("content too long", TEXT, 608, {"length": 609}),
        ("a byte after the content", TEXT, 9, {"padding": b"\x80"}),
    ):
        write(f, text, random_case(r, kind, 1024, 0, content_bytes, lies))
    case = random_case(r, TEXT, 1024, 0, 9)
    damaged = case["record"][:-1] + bytes([case["record"][-1] ^ 1])
    write(f, "a damaged record", dict(case, record=damaged, verdict=AEAD))
