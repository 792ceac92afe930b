"""Writes the blocklists beside this file: see README.md. Needs the package `cryptography`.

    make.py debian FILE...      from the output of `generate`, named rsa-*.txt, ec-P256-*.txt or ec-P384-*.txt
    make.py published PATH...   from every private key in these files, folders and zip archives
"""

import hashlib
import re
import sys
import zipfile
from collections import Counter
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, rsa

CURVES = {"P256": ec.SECP256R1(), "P384": ec.SECP384R1(), "P521": ec.SECP521R1()}
PREFIX = 6
KINDS = Counter()


def spki(public_key):
    info = serialization.PublicFormat.SubjectPublicKeyInfo
    return public_key.public_bytes(serialization.Encoding.DER, info)


def write(name, keys):
    prefixes = sorted({hashlib.sha256(key).digest()[:PREFIX] for key in keys})
    Path(__file__).with_name(name).write_bytes(b"".join(prefixes))
    print(name, len(prefixes), "keys", KINDS)


def debian(files):
    for file in map(Path, files):
        curve = CURVES.get(file.name.split("-")[1])
        for line in file.read_text().splitlines():
            number = int(line.split()[1], 16)
            if curve:
                yield spki(ec.derive_private_key(number, curve).public_key())
            else:
                yield spki(rsa.RSAPublicNumbers(65537, number).public_key())


def files(paths):
    for path in map(Path, paths):
        if path.is_dir():
            yield from ((file.name, file.read_bytes()) for file in path.rglob("*") if file.is_file())
        elif zipfile.is_zipfile(path):
            archive = zipfile.ZipFile(path)
            yield from ((name, archive.read(name)) for name in archive.namelist())
        else:
            yield path.name, path.read_bytes()


def loads(data):
    """The private keys that are a file, or stand in one as PEM. Keys under a password are left out."""
    try:
        yield serialization.load_der_private_key(data, None)
    except Exception:
        pass
    for block in re.findall(rb"-----BEGIN [A-Z ]*(?:PRIVATE|TESTING) KEY-----.*?-----END [A-Z ]*-----", data, re.DOTALL):
        block = block.replace(b"\\n", b"\n").replace(b"TESTING", b"PRIVATE")
        load = serialization.load_ssh_private_key if b"OPENSSH" in block else serialization.load_pem_private_key
        try:
            yield load(block, None)
        except Exception:
            pass


def vectors(name, text):
    """The public keys of the forms that NIST's and other vectors have: points, octets, moduli."""
    curve = None
    fields = {}
    for line in text.splitlines():
        if section := re.match(r"\[(?:B\.|[KB]-|P-192|P-224)", line):
            curve = curve if line.startswith("[B.") else None
        elif section := re.match(r"\[(P-256|P-384|P-521)", line):
            curve = CURVES[section[1].replace("-", "")]
        if field := re.match(r"(d|Qx|Qy|n|e|pk) = ([0-9a-fA-F]+)$", line.strip()):
            fields[field[1]] = field[2]
            if field[1] == "Qy" and curve and "d" in fields:
                point = ec.EllipticCurvePublicNumbers(int(fields["Qx"], 16), int(fields["Qy"], 16), curve)
                yield point.public_key()
            if field[1] == "pk" and "MLDSA" in name:
                kind = {"44": mldsa.MLDSA44PublicKey, "65": mldsa.MLDSA65PublicKey, "87": mldsa.MLDSA87PublicKey}
                yield kind[re.search(r"MLDSA_(\d\d)", name)[1]].from_public_bytes(bytes.fromhex(field[2]))
        if field := re.match(r"[0-9a-f]{64}([0-9a-f]{64}):([0-9a-f]{64}):", line):
            yield ed25519.Ed25519PublicKey.from_public_bytes(bytes.fromhex(field[2]))
    # RSA vectors write their numbers in the lines after a title.
    for modulus in re.findall(r"# (?:RSA modulus|Modulus)[^\n]*\n((?:[0-9a-f ]+\n)+)", text):
        number = int(re.sub(r"\s", "", modulus), 16)
        if number.bit_length() >= 2048:
            yield rsa.RSAPublicNumbers(65537, number).public_key()


def published(paths):
    for name, data in files(paths):
        keys = [key.public_key() for key in loads(data)]
        if re.search(r"(SigGen\.txt|KeyPair\.rsp|sign\.input|kat_MLDSA|\.fax|vec.*\.txt)", name):
            keys += vectors(name, data.decode())
        if name == "published-rfc.pem":
            blocks = re.findall(rb"-----BEGIN PUBLIC KEY-----.*?-----END PUBLIC KEY-----", data, re.DOTALL)
            keys += map(serialization.load_pem_public_key, blocks)
        for key in keys:
            is_small = isinstance(key, rsa.RSAPublicKey) and not 2048 <= key.key_size <= 4096
            is_other = isinstance(key, ec.EllipticCurvePublicKey) and type(key.curve) not in map(type, CURVES.values())
            if not is_small and not is_other:
                KINDS[type(key).__name__] += 1
                yield spki(key)


match sys.argv[1:]:
    case ["debian", *paths]:
        write("debian-weak.bin", debian(paths))
    case ["published", *paths]:
        write("published.bin", published(paths))
    case _:
        sys.exit(__doc__)
