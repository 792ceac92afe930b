//! Wycheproof's signatures, each in a certification request.
//!
//! A request is put together from a vector's key and signature, and read with [`algorithms`]; whichever of them
//! [`Csr::parse`] chooses is given the vector's message instead of the request's own. So key, AlgorithmIdentifier and
//! signature are judged as they are in an enrollment.
//!
//! Where the answer is not the vector's, `wycheproof-exceptions.txt` says why, and lists nothing else. How many vectors
//! of a set were judged, and how many have a key or an algorithm that no request may have, stands in `wycheproof.txt`.
//! There are no vectors for P-256 with SHA-384, nor for P-521 with SHA-256 or SHA-384.

use std::collections::{BTreeMap, BTreeSet};

use est_backends::algorithms;
use est_core::pkix::{Csr, CsrError, CsrTemplate, KeyError, Name, SubjectPublicKeyInfo, assemble_csr};
use pki_types::{AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id};
use wycheproof::{EdwardsCurve, HashFunction, TestResult};
use wycheproof::{ecdsa, eddsa, mldsa_verify, rsa_pkcs1_verify, rsa_pss_verify};

/// One vector, whatever its scheme.
struct Vector {
    set: String,
    id: usize,
    theirs: TestResult,
    key: Vec<u8>,
    /// The AlgorithmIdentifier that a request with such a signature has, or why there is none.
    identifier: Result<Vec<u8>, &'static str>,
    message: Vec<u8>,
    signature: Vec<u8>,
}

/// What became of a request.
#[derive(Debug)]
enum Ours {
    Accepted,
    /// The signature does not match.
    Refused,
    /// The key cannot enroll.
    Key(KeyError),
    /// The signature algorithm is none of ours for this key.
    Algorithm,
}

macro_rules! vectors {
    ($scheme:ident, $identifier:expr) => {
        $scheme::TestName::all().into_iter().flat_map(|name| {
            let groups = $scheme::TestSet::load(name).unwrap().test_groups;
            groups.into_iter().flat_map(move |group| {
                let identifier: Result<Vec<u8>, &'static str> = $identifier(&group);
                let key = group.der.to_vec();
                group.tests.into_iter().map(move |test| Vector {
                    set: format!("{name:?}"),
                    id: test.tc_id,
                    theirs: test.result,
                    key: key.clone(),
                    identifier: identifier.clone(),
                    message: test.msg.to_vec(),
                    signature: test.sig.to_vec(),
                })
            })
        })
    };
}

#[test]
fn judges_every_signature_as_wycheproof_does() {
    let vectors = vectors!(ecdsa, ecdsa_identifier)
        .chain(vectors!(rsa_pkcs1_verify, |group: &rsa_pkcs1_verify::TestGroup| pkcs1_identifier(group.hash)))
        .chain(vectors!(rsa_pss_verify, pss_identifier))
        .chain(vectors!(eddsa, |group: &eddsa::TestGroup| Ok(whole(match group.key.curve {
            EdwardsCurve::Ed25519 => alg_id::ED25519,
            EdwardsCurve::Ed448 => alg_id::ED448,
        }))))
        .chain(vectors!(mldsa_verify, ml_dsa_identifier));

    let mut counts: BTreeMap<String, Counts> = BTreeMap::new();
    let mut skipped: BTreeMap<&str, (BTreeSet<String>, usize)> = BTreeMap::new();
    let mut differences = Vec::new();
    for vector in vectors {
        let identifier = match &vector.identifier {
            Ok(identifier) => identifier,
            Err(reason) => {
                let (sets, count) = skipped.entry(reason).or_default();
                sets.insert(vector.set);
                *count += 1;
                continue;
            }
        };
        let count = counts.entry(vector.set.clone()).or_default();
        let ours = judge(&vector, identifier);
        match (vector.theirs, &ours) {
            (_, Ours::Key(error)) => *count.key_refused.entry(format!("{error:?}")).or_default() += 1,
            (_, Ours::Algorithm) => count.algorithm_refused += 1,
            (TestResult::Valid, Ours::Accepted) => count.accepted += 1,
            (TestResult::Invalid, Ours::Refused) => count.refused += 1,
            (theirs, Ours::Accepted | Ours::Refused) => {
                count.exceptions += 1;
                differences.push(format!("{} | {} | {theirs:?} | {ours:?}", vector.set, vector.id));
            }
        }
    }

    let mut table = String::from("set | accepted | refused | exceptions | algorithm refused | key refused\n");
    for (set, count) in &counts {
        let Counts { accepted, refused, exceptions, algorithm_refused, key_refused } = count;
        let keys: Vec<_> = key_refused.iter().map(|(reason, count)| format!("{count}: {reason}")).collect();
        let keys = if keys.is_empty() { String::from("0") } else { keys.join("; ") };
        table.push_str(&format!("{set} | {accepted} | {refused} | {exceptions} | {algorithm_refused} | {keys}\n"));
    }
    for (reason, (sets, count)) in &skipped {
        table.push_str(&format!("skipped: {reason} | {} sets | {count} vectors\n", sets.len()));
    }
    eprintln!("{table}");
    let listed = include_str!("../vectors/wycheproof-exceptions.txt").lines().filter(|line| !line.starts_with('#'));
    let listed: Vec<&str> = listed.map(|line| line.rsplit_once(" | ").expect("a reason").0).collect();
    let faults = [
        unlike(include_str!("../vectors/wycheproof.txt"), &table),
        unlike(&listed.join("\n"), &differences.join("\n")),
    ];
    assert!(faults.iter().all(Vec::is_empty), "{faults:#?}");
}

/// How many vectors of a set were judged how.
#[derive(Default)]
struct Counts {
    accepted: usize,
    refused: usize,
    exceptions: usize,
    algorithm_refused: usize,
    key_refused: BTreeMap<String, usize>,
}

/// The lines on either side that the other has not.
fn unlike(listed: &str, found: &str) -> Vec<String> {
    let (listed, found): (BTreeSet<&str>, BTreeSet<&str>) = (listed.lines().collect(), found.lines().collect());
    let gone = listed.difference(&found).map(|line| format!("listed, but not so: {line}"));
    let fresh = found.difference(&listed).map(|line| format!("so, but not listed: {line}"));
    gone.chain(fresh).collect()
}

fn judge(vector: &Vector, identifier: &[u8]) -> Ours {
    let public_key = match SubjectPublicKeyInfo::parse(&vector.key) {
        Ok(public_key) => public_key,
        Err(error) => return Ours::Key(error),
    };
    let subject = Name::from_text("CN=device-1").unwrap();
    let template =
        CsrTemplate { subject, subject_alt_name: None, public_key, challenge_password: None, extensions: Vec::new() };
    let csr = assemble_csr(template.to_be_signed(), identifier, &vector.signature);
    let known: Vec<_> =
        algorithms().iter().map(|known| WithMessage { known: *known, message: &vector.message }).collect();
    let known: Vec<&dyn SignatureVerificationAlgorithm> = known.iter().map(|known| known as _).collect();
    match Csr::parse(&csr, &known) {
        Ok(_) => Ours::Accepted,
        Err(CsrError::Possession) => Ours::Refused,
        Err(
            CsrError::SignatureAlgorithm(_)
            | CsrError::SignatureHash(_)
            | CsrError::SignatureKey { .. }
            | CsrError::SignatureParameters(_)
            | CsrError::MaskHash
            | CsrError::SaltLength { .. }
            | CsrError::WeakHash,
        ) => Ours::Algorithm,
        Err(error) => panic!("{} {}: {error}", vector.set, vector.id),
    }
}

/// One of our algorithms, given another message than it is asked for.
#[derive(Debug)]
struct WithMessage<'a> {
    known: &'a dyn SignatureVerificationAlgorithm,
    message: &'a [u8],
}

impl SignatureVerificationAlgorithm for WithMessage<'_> {
    fn verify_signature(&self, public_key: &[u8], _: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        self.known.verify_signature(public_key, self.message, signature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.known.public_key_alg_id()
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.known.signature_alg_id()
    }
}

const OTHER_HASH: &str = "a hash other than SHA-256, SHA-384 and SHA-512";

fn ecdsa_identifier(group: &ecdsa::TestGroup) -> Result<Vec<u8>, &'static str> {
    if group.test_type != ecdsa::TestGroupTypeId::Ecdsa {
        return Err("an ECDSA signature that is not DER");
    }
    match group.hash {
        HashFunction::Sha2_256 => Ok(whole(alg_id::ECDSA_SHA256)),
        HashFunction::Sha2_384 => Ok(whole(alg_id::ECDSA_SHA384)),
        HashFunction::Sha2_512 => Ok(whole(alg_id::ECDSA_SHA512)),
        _ => Err(OTHER_HASH),
    }
}

fn pkcs1_identifier(hash: HashFunction) -> Result<Vec<u8>, &'static str> {
    match hash {
        HashFunction::Sha2_256 => Ok(whole(alg_id::RSA_PKCS1_SHA256)),
        HashFunction::Sha2_384 => Ok(whole(alg_id::RSA_PKCS1_SHA384)),
        HashFunction::Sha2_512 => Ok(whole(alg_id::RSA_PKCS1_SHA512)),
        _ => Err(OTHER_HASH),
    }
}

fn ml_dsa_identifier(group: &mldsa_verify::TestGroup) -> Result<Vec<u8>, &'static str> {
    // The size of the key tells the parameter set; where it is wrong, no identifier makes it right.
    Ok(whole(match group.pubkey.len() {
        ..1632 => alg_id::ML_DSA_44,
        1632..2272 => alg_id::ML_DSA_65,
        2272.. => alg_id::ML_DSA_87,
    }))
}

/// RSASSA-PSS with its parameters (RFC 4055 §3.1): SHA-1 and a salt of 20 octets are the defaults, not written.
fn pss_identifier(group: &rsa_pss_verify::TestGroup) -> Result<Vec<u8>, &'static str> {
    const RSASSA_PSS: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a";
    const MGF1: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x08";
    let (Some(hash), Some(mask)) = (pss_hash(group.hash), group.mgf_hash.and_then(pss_hash)) else {
        return Err("a mask or hash of PSS other than MGF1 with SHA-1 and SHA-2");
    };
    let mut parameters = Vec::new();
    if !hash.is_empty() {
        parameters.extend(tlv(0xa0, &hash));
    }
    if !mask.is_empty() {
        parameters.extend(tlv(0xa1, &tlv(0x30, &[MGF1, &mask].concat())));
    }
    if group.salt_size != 20 {
        parameters.extend(tlv(0xa2, &tlv(0x02, &[u8::try_from(group.salt_size).unwrap()])));
    }
    Ok(tlv(0x30, &[RSASSA_PSS, &tlv(0x30, &parameters)].concat()))
}

/// The AlgorithmIdentifier of a hash (RFC 4055 §2.1), empty for the default.
fn pss_hash(hash: HashFunction) -> Option<Vec<u8>> {
    let last = match hash {
        HashFunction::Sha1 => return Some(Vec::new()),
        HashFunction::Sha2_256 => 1,
        HashFunction::Sha2_384 => 2,
        HashFunction::Sha2_512 => 3,
        HashFunction::Sha2_224 => 4,
        HashFunction::Sha2_512_224 => 5,
        HashFunction::Sha2_512_256 => 6,
        _ => return None,
    };
    Some(tlv(0x30, &[&[0x06, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, last][..], b"\x05\x00"].concat()))
}

fn whole(identifier: AlgorithmIdentifier) -> Vec<u8> {
    tlv(0x30, identifier.as_ref())
}

fn tlv(tag: u8, contents: &[u8]) -> Vec<u8> {
    [&[tag, u8::try_from(contents.len()).ok().filter(|length| *length < 0x80).unwrap()], contents].concat()
}

#[test]
fn writes_pss_parameters_as_our_algorithms_have_them() {
    let group = |set| rsa_pss_verify::TestSet::load(set).unwrap().test_groups.remove(0);
    for (set, known) in [
        (rsa_pss_verify::TestName::RsaPss2048Sha256Mgf1SaltLen32, alg_id::RSA_PSS_SHA256),
        (rsa_pss_verify::TestName::RsaPss4096Sha384Mgf1SaltLen48, alg_id::RSA_PSS_SHA384),
        (rsa_pss_verify::TestName::RsaPss4096Sha512Mgf1SaltLen64, alg_id::RSA_PSS_SHA512),
    ] {
        assert_eq!(pss_identifier(&group(set)), Ok(whole(known)));
    }
}
