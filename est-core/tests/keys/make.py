"""Makes the keys in this directory: SubjectPublicKeyInfo in hexadecimal, each with a flaw or, as `-twin`, just without.

`debian-weak-*` are the keys of process 1001 as `src/pkix/key/blocklist/generate.c` makes them, `published-*` those of
RFC 9500 and RFC 9216; the rest is made here.

`python3 make.py`, which needs nothing but Python and `openssl` (for the encodings of `ec-*`).
The primes come from a seeded generator, so that the same files come out again.
"""

import random
import subprocess
from math import isqrt
from pathlib import Path

RANDOM = random.Random(7030)
HERE = Path(__file__).parent


def is_prime(n):
    for p in (2, 3, 5, 7, 11, 13, 17, 19, 23, 29):
        if n % p == 0:
            return n == p
    d, s = n - 1, 0
    while d % 2 == 0:
        d, s = d // 2, s + 1
    for _ in range(16):
        x = pow(RANDOM.randrange(2, n - 1), d, n)
        if x in (1, n - 1):
            continue
        for _ in range(s - 1):
            x = x * x % n
            if x == n - 1:
                break
        else:
            return False
    return True


def next_prime(n):
    n |= 1
    while not is_prime(n):
        n += 2
    return n


def prime(bits):
    """A prime whose two highest bits are set."""
    return next_prime(3 << bits - 2 | RANDOM.getrandbits(bits - 2))


def root_prime(bits, exponent):
    """A prime whose power has exactly so many bits."""
    low, high = 1, 1 << bits
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if middle**exponent < 3 << bits - 2 else (low, middle)
    return next_prime(low)


def tlv(tag, *contents):
    body = b"".join(contents)
    if len(body) < 128:
        return bytes([tag, len(body)]) + body
    length = len(body).to_bytes(2, "big").lstrip(b"\0")
    return bytes([tag, 0x80 | len(length)]) + length + body


def spki(algorithm, key):
    return tlv(0x30, tlv(0x30, bytes.fromhex(algorithm)), tlv(3, b"\0", key))


def rsa(n, e=65537):
    integers = [tlv(2, number.to_bytes(number.bit_length() // 8 + 1, "big")) for number in (n, e)]
    return spki("06092a864886f70d0101010500", tlv(0x30, *integers))


def write(name, der):
    text = der.hex()
    lines = [text[at : at + 100] for at in range(0, len(text), 100)]
    (HERE / f"{name}.hex").write_text("\n".join(lines) + "\n")


# A factor of 751 is too small (BR 6.1.6), one of 757 is not.
cofactor = next_prime((3 << 2046) // 751 | RANDOM.getrandbits(1024))
write("rsa-small-factor", rsa(751 * cofactor))
write("rsa-small-factor-twin", rsa(757 * cofactor))

# ROCA: both primes are k*M + (65537^a mod M), M the product of the first 126 primes.
m = 1
for p in filter(is_prime, range(2, 702)):
    m *= p


def roca_prime():
    while True:
        rest = pow(65537, RANDOM.getrandbits(64), m)
        candidate = (3 << 1022) // m * m + m * RANDOM.getrandbits(50) + rest
        if candidate.bit_length() == 1024 and is_prime(candidate):
            return candidate


p, q = roca_prime(), roca_prime()
write("rsa-roca", rsa(p * q))
write("rsa-roca-twin", rsa(p * next_prime(q + 2)))

# Fermat: the difference of the primes decides how many rounds it takes, its square by eight times the root of n.
for bits in (2048, 4096):
    p = prime(bits // 2)
    for name, distance in (("next", 2), ("", 1 << bits // 4 + 4), ("-twin", 1 << bits // 4 + 6)):
        q = next_prime(p + distance)
        rounds = (p + q) // 2 - isqrt(p * q)
        assert (rounds <= 100) == (name != "-twin"), (name, rounds)
        write(f"rsa-close-primes-{bits}-next" if name == "next" else f"rsa-close-primes-{bits}{name}", rsa(p * q))

# Powers of one prime.
for exponent in (2, 3, 5, 7):
    p = root_prime(2048, exponent)
    write(f"rsa-power-{exponent}", rsa(p**exponent))
    write(f"rsa-power-{exponent}-twin", rsa(p ** (exponent - 1) * next_prime(p + (p >> 8))))

# Exponents, all with one ordinary modulus.
n = prime(1024) * prime(1024)
write("rsa-even-modulus", rsa(n - 1))
write("rsa-even-modulus-twin", rsa(n))
for name, e in (("65535", 65535), ("65538", 65538), ("257-bits", (1 << 256) + 1)):
    write(f"rsa-exponent-{name}", rsa(n, e))
for name, e in (("65539", 65539), ("256-bits", (1 << 256) - 1)):
    write(f"rsa-exponent-{name}-twin", rsa(n, e))

# A coordinate that is not reduced: the smallest x of the curve, plus p. Its twin is the point as it should be written.
CURVES = {
    "p256": (
        "06072a8648ce3d020106082a8648ce3d030107",
        2**256 - 2**224 + 2**192 + 2**96 - 1,
        0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B,
        32,
    ),
    "p384": (
        "06072a8648ce3d020106052b81040022",
        2**384 - 2**128 - 2**96 + 2**32 - 1,
        0xB3312FA7E23EE7E4988E056BE3F82D19181D9C6EFE8141120314088F5013875AC656398D8A2ED19D2A85C8EDD3EC2AEF,
        48,
    ),
    "p521": (
        "06072a8648ce3d020106052b81040023",
        2**521 - 1,
        0x0051953EB9618E1C9A1F929A21A0B68540EEA2DA725B99B315F3B8B489918EF109E156193951EC7E937B1652C0BD3BB1BF073573DF883D2C34F1EF451FD46B503F00,
        66,
    ),
}
for name, (algorithm, p, b, length) in CURVES.items():
    # Where x = 0 is on the curve, the y of the unreduced p + 0 shows it as well.
    squares = ((x, (x**3 - 3 * x + b) % p) for x in range(1, 100))
    x, square = next((x, square) for x, square in squares if pow(square, (p - 1) // 2, p) == 1)
    y = pow(square, (p + 1) // 4, p)
    assert y * y % p == square

    def point(x, y):
        return spki(algorithm, b"\4" + x.to_bytes(length, "big") + y.to_bytes(length, "big"))

    write(f"ec-coordinate-{name}", point(x + p, y))
    write(f"ec-coordinate-{name}-twin", point(x, y))
    # On the quadratic twist: an x whose right-hand side is no square, with the y of d*y^2 = x^3 - 3x + b, d = -1.
    squares = ((x, (x**3 - 3 * x + b) % p) for x in range(1, 100))
    x, square = next((x, square) for x, square in squares if pow(square, (p - 1) // 2, p) == p - 1)
    write(f"ec-twist-{name}", point(x, pow(p - square, (p + 1) // 4, p)))


# Encodings that OpenSSL makes of one key.
def openssl(arguments, data=None):
    return subprocess.run(["openssl", *arguments.split()], input=data or b"", capture_output=True, check=True).stdout


key = openssl("ecparam -name prime256v1 -genkey -noout")
for name, arguments in (
    ("ec-explicit-parameters", "-param_enc explicit"),
    ("ec-compressed", "-conv_form compressed"),
    ("ec-hybrid", "-conv_form hybrid"),
    ("ec-encodings-twin", ""),
):
    write(name, openssl(f"ec -pubout -outform DER {arguments}", key))

# Ed25519: y in the form p + 3 and so on, and reduced; then a y that is on no point of the curve.
p = 2**255 - 19
d = -121665 * pow(121666, -1, p)
on_curve = {y: pow((y * y - 1) * (d * y * y + 1), (p - 1) // 2, p) == 1 for y in range(2, 19)}
y = next(y for y, yes in on_curve.items() if yes)
write("ed25519-not-canonical", spki("06032b6570", (p + y).to_bytes(32, "little")))
write("ed25519-not-canonical-twin", spki("06032b6570", y.to_bytes(32, "little")))
y = next(y for y, yes in on_curve.items() if not yes)
write("ed25519-point-not-on-curve", spki("06032b6570", y.to_bytes(32, "little")))
