"""RFC 9497, ristretto255-SHA512, mode 1, from the text of RFC 9496, 9380 and 9497 alone."""

import hashlib

from vectors import Bad, Random, same

# ---- ristretto255, RFC 9496 ----

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
SQRT_M1 = pow(2, (P - 1) // 4, P)
ONE_MINUS_D_SQ = (1 - D * D) % P
D_MINUS_ONE_SQ = (D - 1) * (D - 1) % P


def negative(x):
    return x % P & 1


def absolute(x):
    return -x % P if negative(x) else x % P


def sqrt_ratio_m1(u, v):
    r = u * v**3 * pow(u * v**7, (P - 5) // 8, P) % P
    check = v * r * r % P
    correct, flipped, flipped_i = check == u % P, check == -u % P, check == -u * SQRT_M1 % P
    if flipped or flipped_i:
        r = r * SQRT_M1 % P
    return correct or flipped, absolute(r)


SQRT_AD_MINUS_ONE = 25063068953384623474111414158702152701244531502492656460079210482610430750235
INVSQRT_A_MINUS_D = sqrt_ratio_m1(1, (-1 - D) % P)[1]
IDENTITY = (0, 1, 1, 0)


def add(a, b):
    (x1, y1, z1, t1), (x2, y2, z2, t2) = a, b
    e, g = (y1 - x1) * (y2 - x2), (y1 + x1) * (y2 + x2)
    c, d = 2 * D * t1 * t2, 2 * z1 * z2
    h, f, i, j = g - e, d - c, d + c, g + e
    return h * f % P, i * j % P, f * i % P, h * j % P


def multiply(scalar, point):
    result = IDENTITY
    for bit in bin(scalar)[2:]:
        result = add(result, result)
        if bit == "1":
            result = add(result, point)
    return result


def encode(point):
    x, y, z, t = point
    u1, u2 = (z + y) * (z - y) % P, x * y % P
    _, invsqrt = sqrt_ratio_m1(1, u1 * u2 * u2 % P)
    den1, den2 = invsqrt * u1 % P, invsqrt * u2 % P
    z_inv = den1 * den2 * t % P
    den_inv = den2
    if negative(t * z_inv):
        x, y, den_inv = y * SQRT_M1 % P, x * SQRT_M1 % P, den1 * INVSQRT_A_MINUS_D % P
    if negative(x * z_inv):
        y = -y % P
    return absolute(den_inv * (z - y)).to_bytes(32, "little")


def decode(data):
    s = int.from_bytes(data, "little")
    if s >= P or negative(s):
        raise Bad("not an element")
    ss = s * s % P
    u1, u2 = (1 - ss) % P, (1 + ss) % P
    v = (-(D * u1 * u1) - u2 * u2) % P
    square, invsqrt = sqrt_ratio_m1(1, v * u2 * u2 % P)
    den_x = invsqrt * u2 % P
    den_y = invsqrt * den_x * v % P
    x, y = absolute(2 * s * den_x), u1 * den_y % P
    t = x * y % P
    if not square or negative(t) or y == 0 or s == 0:
        raise Bad("not an element, or the identity")
    return x, y, 1, t


def map_to_curve(data):
    t = (int.from_bytes(data, "little") & (2**255 - 1)) % P
    r = SQRT_M1 * t * t % P
    u = (r + 1) * ONE_MINUS_D_SQ % P
    v = (-1 - r * D) * (r + D) % P
    square, s = sqrt_ratio_m1(u, v)
    c = -1
    if not square:
        s, c = -absolute(s * t) % P, r
    n = (c * (r - 1) * D_MINUS_ONE_SQ - v) % P
    w0, w1 = 2 * s * v % P, n * SQRT_AD_MINUS_ONE % P
    w2, w3 = (1 - s * s) % P, (1 + s * s) % P
    return w0 * w3 % P, w2 * w1 % P, w1 * w3 % P, w0 * w2 % P


# The generator's encoding, RFC 9496 appendix A.1.
BASE = decode(bytes.fromhex("e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76"))

# ---- hashing, RFC 9380 and RFC 9497 section 4.1 ----

CONTEXT = b"OPRFV1-\x01-ristretto255-SHA512"


def i2osp(n, size):
    return n.to_bytes(size, "big")


def sized(data):
    return i2osp(len(data), 2) + data


def sha512(data):
    return hashlib.sha512(data).digest()


def expand(message, dst):
    dst_prime = dst + i2osp(len(dst), 1)
    b0 = sha512(bytes(128) + message + i2osp(64, 2) + b"\0" + dst_prime)
    return sha512(b0 + b"\1" + dst_prime)


def hash_to_group(data):
    wide = expand(data, b"HashToGroup-" + CONTEXT)
    return add(map_to_curve(wide[:32]), map_to_curve(wide[32:]))


def hash_to_scalar(data, dst=b"HashToScalar-" + CONTEXT):
    return int.from_bytes(expand(data, dst), "little") % ORDER


# ---- the protocol, RFC 9497 section 3 ----


def derive_key(seed, info):
    for counter in range(256):
        sk = hash_to_scalar(seed + sized(info) + i2osp(counter, 1), b"DeriveKeyPair" + CONTEXT)
        if sk:
            return sk
    raise Bad("no key")


def composites(pk, blinded, evaluated):
    """The composites M and Z, the slow way, which needs no key."""
    seed = sha512(sized(pk) + sized(b"Seed-" + CONTEXT))
    m = z = IDENTITY
    for i, (c, d) in enumerate(zip(blinded, evaluated)):
        weight = hash_to_scalar(sized(seed) + i2osp(i, 2) + sized(c) + sized(d) + b"Composite")
        m, z = add(m, multiply(weight, decode(c))), add(z, multiply(weight, decode(d)))
    return m, z


def challenge(pk, m, z, t2, t3):
    return hash_to_scalar(sized(pk) + b"".join(sized(encode(e)) for e in (m, z, t2, t3)) + b"Challenge")


def evaluate(sk, blinded, r):
    pk = encode(multiply(sk, BASE))
    evaluated = [encode(multiply(sk, decode(b))) for b in blinded]
    m, z = composites(pk, blinded, evaluated)
    c = challenge(pk, m, z, multiply(r, BASE), multiply(r, m))
    return evaluated, c.to_bytes(32, "little") + ((r - c * sk) % ORDER).to_bytes(32, "little")


def verify(pk, blinded, evaluated, proof):
    c, s = (int.from_bytes(part, "little") for part in (proof[:32], proof[32:]))
    m, z = composites(pk, blinded, evaluated)
    t2 = add(multiply(s, BASE), multiply(c, decode(pk)))
    t3 = add(multiply(s, m), multiply(c, z))
    same("proof", challenge(pk, m, z, t2, t3), c)


def finalize(data, blind, evaluated):
    unblinded = encode(multiply(pow(blind, ORDER - 2, ORDER), decode(evaluated)))
    return sha512(sized(data) + sized(unblinded) + b"Finalize")


# ---- known answers ----


def scalar(data):
    return int.from_bytes(data, "little")


def results(case):
    sk = derive_key(case["seed"], case["info"])
    blinds = [scalar(b) for b in case["blinds"]]
    blinded = [encode(multiply(b, hash_to_group(i))) for b, i in zip(blinds, case["inputs"])]
    evaluated, proof = evaluate(sk, blinded, scalar(case["random"]))
    outputs = [finalize(i, b, e) for i, b, e in zip(case["inputs"], blinds, evaluated)]
    pk = encode(multiply(sk, BASE))
    verify(pk, blinded, evaluated, proof)
    return {"public": pk, "blinded": blinded, "evaluated": evaluated, "proof": proof, "outputs": outputs}


def check(f):
    count = 0
    while f.more():
        case = {"seed": f.bytes("seed"), "info": f.bytes("info"), "random": f.bytes("random")}
        case.update(inputs=[], blinds=[])
        got = {"public": f.bytes("public"), "blinded": [], "evaluated": [], "outputs": []}
        for _ in range(f.number("tokens")):
            case["inputs"].append(f.bytes("input"))
            case["blinds"].append(f.bytes("blind"))
            got["blinded"].append(f.bytes("blinded"))
            got["evaluated"].append(f.bytes("evaluated"))
            got["outputs"].append(f.bytes("output"))
        got["proof"] = f.bytes("proof")
        same("case %d" % count, got, results(case))
        count += 1
    if count == 0:
        raise Bad("no case")


def make(f):
    r = Random("restante/vectors/voprf")
    for info, tokens in ((b"", 1), (b"restante/ticket/1", 2), (b"restante/stamp/1", 5)):
        case = {"seed": r.bytes(32), "info": info}
        case["random"] = (scalar(r.bytes(64)) % ORDER).to_bytes(32, "little")
        case["inputs"] = [r.bytes(r.number(0, 64)) for _ in range(tokens)]
        case["blinds"] = [(scalar(r.bytes(64)) % ORDER).to_bytes(32, "little") for _ in range(tokens)]
        result = results(case)
        f.case("%d under one proof" % tokens)
        for name in ("seed", "info", "random"):
            f.bytes(name, case[name])
        f.bytes("public", result["public"])
        f.number("tokens", tokens)
        for i in range(tokens):
            f.bytes("input", case["inputs"][i])
            f.bytes("blind", case["blinds"][i])
            f.bytes("blinded", result["blinded"][i])
            f.bytes("evaluated", result["evaluated"][i])
            f.bytes("output", result["outputs"][i])
        f.bytes("proof", result["proof"])
