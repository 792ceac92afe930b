//! What `openssl cms` of 3.0 does not undo, undone with other primitives: those of PyPI's `cryptography`, and a reader
//! of DER in thirty lines. It shares nothing with ours: neither key derivation nor what goes into it.

use std::fs;

use est_backends::{FileSigner, Signer};
use est_core::cms::Capabilities;
use est_core::pkix::{KeyType, Oid, oid};
use est_testkit::der;
use est_testkit::peers::Directory;
use est_testkit::python::Python;
use zeroize::Zeroizing;

use crate::key_generation::{Client, Kind, certificate, enveloped, generate, generator, to};

/// Opens `envelope.der` with the private key in `key.raw` and writes the key inside to `key.der`; checks the signature.
const OPEN: &str = r#"
import hashlib, sys
from cryptography import x509
from cryptography.hazmat.primitives import hashes, keywrap, padding, serialization
from cryptography.hazmat.primitives.asymmetric import ec, mlkem, x25519
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.x963kdf import X963KDF

def values(octets):
    while octets:
        tag, length, at = octets[0], octets[1], 2
        if length & 0x80:
            at += length & 0x7F
            length = int.from_bytes(octets[2:at], "big")
        yield tag, octets[at : at + length], octets[: at + length]
        octets = octets[at + length :]

def parts(octets): return [contents for _, contents, _ in values(octets)]
def whole(octets): return [everything for _, _, everything in values(octets)]
def oid(dotted): return x509.ObjectIdentifier(dotted)
def name(octets):
    arcs, arc = [], 0
    for octet in octets:
        arc = arc << 7 | octet & 0x7F
        if not octet & 0x80:
            arcs += [arc] if arcs else [min(arc // 40, 2), arc - 40 * min(arc // 40, 2)]
            arc = 0
    return ".".join(map(str, arcs))

AES = "2.16.840.1.101.3.4.1."
wrap_length = {AES + "5": 16, AES + "45": 32}
content_type, explicit = parts(parts(open("envelope.der", "rb").read())[0])
data = list(values(parts(explicit)[0]))
version, recipients, content = data[0][1], data[1][1], parts(data[2][1])
(tag, info, _), = values(recipients)
private = open("key.raw", "rb").read()
if tag == 0xA1:
    _, originator, scheme, keys = parts(info)
    algorithm, public = parts(parts(originator)[0])
    kdf_name, wrap = parts(scheme)
    hash_ = {"1": hashes.SHA256, "2": hashes.SHA384, "3": hashes.SHA512}[name(kdf_name).removeprefix("1.3.132.1.11.")]()
    length = wrap_length[name(parts(wrap)[0])]
    rid, encrypted = parts(parts(keys)[0])
    assert parts(rid) == [b"a key's own name"], rid
    if sys.argv[1] == "x25519":
        assert algorithm == bytes.fromhex("06032b656e")
        secret = x25519.X25519PrivateKey.from_private_bytes(private).exchange(x25519.X25519PublicKey.from_public_bytes(public[1:]))
    else:
        own = serialization.load_der_private_key(private, None)
        secret = own.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(own.curve, public[1:]))
    bits = (8 * length).to_bytes(4, "big")
    shared = whole(scheme)[1] + bytes([0xA2, 6, 4, 4]) + bits
    kek = X963KDF(hash_, length, bytes([0x30, len(shared)]) + shared).derive(secret)
else:
    assert tag == 0xA4, tag
    kind, kem_info = parts(info)
    assert name(kind) == "1.2.840.113549.1.9.16.13.3", name(kind)
    zero, rid, kem, ciphertext, kdf, length, wrap, encrypted = parts(kem_info)
    assert zero == b"\0" and rid == b"a key's own name", rid
    assert name(parts(kdf)[0]) == "1.2.840.113549.1.9.16.3.28"
    assert length[0] == wrap_length[name(parts(wrap)[0])], "kekLength"
    length = length[0]
    set_ = {"2": mlkem.MLKEM768PrivateKey, "3": mlkem.MLKEM1024PrivateKey}
    number = name(parts(kem)[0]).removeprefix("2.16.840.1.101.3.4.4.")
    secret = set_[number].from_seed_bytes(private).decapsulate(ciphertext)
    other = whole(kem_info)[6] + bytes([2, 1, length])
    kek = HKDF(hashes.SHA256(), length, None, bytes([0x30, len(other)]) + other).derive(secret)
key = keywrap.aes_key_unwrap(kek, encrypted)
inner, cipher, ciphertext = content
assert name(inner) == "1.2.840.113549.1.7.2"
cipher_name, parameters = parts(cipher)
if name(cipher_name) in (AES + "6", AES + "46"):
    assert name(content_type) == "1.2.840.113549.1.9.16.1.23" and version == b"\0"
    nonce, tag_length = parts(parameters)
    attributes, mac = data[3][2], data[4][1]
    assert attributes[0] == 0xA1 and tag_length == b"\x10"
    signed = AESGCM(key).decrypt(nonce, ciphertext + mac, b"\x31" + attributes[1:])
else:
    assert name(content_type) == "1.2.840.113549.1.7.3" and version == (b"\3" if tag == 0xA4 else b"\2")
    opened = Cipher(algorithms.AES(key), modes.CBC(parameters)).decryptor()
    unpadder = padding.PKCS7(128).unpadder()
    signed = unpadder.update(opened.update(ciphertext) + opened.finalize()) + unpadder.finalize()
version, digests, encapsulated, certificates, signers = parts(parts(signed)[0])
kind, package = parts(encapsulated)
package = parts(package)[0]
assert version == b"\3" and name(kind) == "2.16.840.1.101.2.1.2.78.5", name(kind)
certificate = x509.load_der_x509_certificate(certificates)
signer = list(values(parts(signers)[0]))
attributes = b"\x31" + signer[3][2][1:]
assert hashlib.sha256(package).digest() in attributes
certificate.public_key().verify(signer[5][1], attributes, ec.ECDSA(hashes.SHA256()))
(key_tag, _, key), = values(parts(package)[0])
assert key_tag == 0x30
open("key.der", "wb").write(key)
"#;

/// Makes an ML-KEM key: its seed in `key.raw`, its public half in `public.raw`.
const MAKE: &str = r#"
import sys
from cryptography.hazmat.primitives.asymmetric import mlkem

key = getattr(mlkem, f"MLKEM{sys.argv[1]}PrivateKey").generate()
open("key.raw", "wb").write(key.private_bytes_raw())
open("public.raw", "wb").write(key.public_key().public_bytes_raw())
"#;

const CONTENTS: [Oid; 4] = [oid::AES128_GCM, oid::AES256_GCM, oid::AES128_CBC, oid::AES256_CBC];

/// Opens one by Python and compares.
async fn undo(python: &Python, folder: &Directory, name: &str, client: &Client, algorithms: &[Oid]) {
    let keys = generator(KeyType::EcdsaP256).await;
    for content in CONTENTS {
        let capabilities = Capabilities::of(algorithms.iter().cloned().chain([content]));
        let made = generate(&keys, to(client, capabilities)).await.unwrap();
        fs::write(folder.path().join("envelope.der"), enveloped(&made)).unwrap();
        python.run(OPEN, folder.path(), &[name]);
        let key = fs::read(folder.path().join("key.der")).unwrap();
        assert_eq!(FileSigner::from_der(&key, None).unwrap().public_key(), &made.public_key, "{name} {algorithms:?}");
    }
}

#[tokio::test]
async fn other_primitives_undo_x25519_and_gcm() {
    let Some(python) = Python::with(&["cryptography"]) else { return };
    let folder = Directory::new();
    for (name, kind) in [("x25519", Kind::X25519), ("p256", Kind::Signing(KeyType::EcdsaP256))] {
        let client = kind.client(None).await;
        let from = if name == "x25519" { client.pkcs8.len() - 32 } else { 0 };
        fs::write(folder.path().join("key.raw"), &client.pkcs8[from..]).unwrap();
        for algorithms in kind.algorithms() {
            undo(&python, &folder, name, &client, &algorithms).await;
        }
    }
}

#[tokio::test]
async fn other_primitives_undo_ml_kem() {
    let Some(python) = Python::with(&["cryptography"]) else { return };
    let folder = Directory::new();
    for (set, algorithm) in [("768", oid::ML_KEM_768), ("1024", oid::ML_KEM_1024)] {
        python.run(MAKE, folder.path(), &[set]);
        let raw = fs::read(folder.path().join("public.raw")).unwrap();
        let public_key = der::sequence(&[&der::sequence(&[algorithm.as_der()]), &der::bit_string(&raw)]);
        let certificate = certificate(&public_key, None).await;
        let client = Client { certificate, pkcs8: Zeroizing::default() };
        undo(&python, &folder, set, &client, &[algorithm, oid::AES256_WRAP]).await;
    }
}
