"""Runs pkilint over the certificates and CRLs that a manifest lists, and prints what it finds: a JSON object in each line.

    python lint.py MANIFEST

Each line of the manifest is a JSON object: `file` and `issuer`, DER files, and `linters`, any of `pkix`, `chain` and
`serverauth` for certificates, any of `crl` and `br-crl` for CRLs. Whether the issuer signed the file is checked for all of them by `cryptography`, which knows more kinds of
signatures than the chain linter. Findings below WARNING are left out. The validators are put together once: that is what takes time.
"""

import json
import sys

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from pkilint import finding_filter, loader, pkix, validation
from pkilint.cabf import cabf_crl, serverauth
from pkilint.cabf.serverauth import serverauth_constants
from pkilint.pkix import certificate, crl, extension, name
from pkilint.bin import lint_pkix_signer_signee_cert_chain as chain

LOADER = loader.RFC5280CertificateDocumentLoader()
TYPE = serverauth_constants.CertificateType.DV_FINAL_CERTIFICATE

PKIX = certificate.create_pkix_certificate_validator_container(
    certificate.create_decoding_validators(name.ATTRIBUTE_TYPE_MAPPINGS, extension.EXTENSION_MAPPINGS),
    [
        certificate.create_issuer_validator_container([]),
        certificate.create_validity_validator_container(),
        certificate.create_subject_validator_container([]),
        certificate.create_extensions_validator_container([]),
        certificate.create_spki_validator_container([]),
    ],
)
SERVERAUTH = certificate.create_pkix_certificate_validator_container(
    serverauth.create_decoding_validators(), serverauth.create_validators(TYPE)
)
SERVERAUTH_FILTERS = serverauth.create_serverauth_finding_filters(TYPE)
DECODERS = chain.create_decoder_validation_container()
ISSUER = chain.create_issuer_validation_container()
SUBJECT = chain.create_subject_validation_container()


CRL_LOADER = loader.RFC5280CertificateListDocumentLoader()
CRL_TYPE = crl.CertificateRevocationListType.CRL


def crl_validator(of_validity, of_document):
    return crl.create_pkix_crl_validator_container(
        [
            pkix.create_attribute_decoder(name.ATTRIBUTE_TYPE_MAPPINGS),
            pkix.create_extension_decoder(extension.EXTENSION_MAPPINGS),
        ],
        [
            crl.create_issuer_validator_container([]),
            crl.create_validity_validator_container(of_validity),
            crl.create_extensions_validator_container([]),
        ]
        + of_document,
    )


CRL = crl_validator([], [])
BR_CRL = crl_validator(
    [cabf_crl.create_validity_period_validator(CRL_TYPE)], [cabf_crl.CabfCrlReasonCodeAllowlistValidator(CRL_TYPE)]
)


def load(path, document_name=None, parent=None):
    with open(path, "rb") as file:
        return LOADER.load_der_document(file.read(), document_name, path, parent)


def lint_pkix(entry):
    return PKIX.validate(load(entry["file"]).root)


def lint_serverauth(entry):
    results = SERVERAUTH.validate(load(entry["file"]).root)
    return finding_filter.filter_results(SERVERAUTH_FILTERS, results)[0]


def lint_chain(entry):
    documents = {}
    documents["issuer"] = issuer = load(entry["issuer"], "issuer", documents)
    documents["subject"] = subject = load(entry["file"], "subject", documents)
    results = DECODERS.validate(issuer.root) + DECODERS.validate(subject.root)
    return results + ISSUER.validate(issuer.root) + SUBJECT.validate(subject.root)


def lint_crl(entry, validator=CRL):
    with open(entry["file"], "rb") as file:
        return validator.validate(CRL_LOADER.load_der_document(file.read(), entry["file"]).root)


def lint_br_crl(entry):
    return lint_crl(entry, BR_CRL)


LINTERS = {
    "pkix": lint_pkix,
    "serverauth": lint_serverauth,
    "chain": lint_chain,
    "crl": lint_crl,
    "br-crl": lint_br_crl,
}


def is_signed(entry):
    issuer, subject = (open(entry[name], "rb").read() for name in ("issuer", "file"))
    issuer = x509.load_der_x509_certificate(issuer)
    if "crl" in entry["linters"]:
        return x509.load_der_x509_crl(subject).is_signature_valid(issuer.public_key())
    subject = x509.load_der_x509_certificate(subject)
    try:
        subject.verify_directly_issued_by(issuer)
    except InvalidSignature:
        return False
    return True


def report(entry, linter, severity, code, details=""):
    found = {"file": entry["file"], "linter": linter, "severity": severity, "code": code, "details": details}
    print(json.dumps(found))


with open(sys.argv[1], encoding="utf-8") as manifest:
    for line in manifest:
        entry = json.loads(line)
        if not is_signed(entry):
            report(entry, "cryptography", "ERROR", "signature")
        for linter in entry["linters"]:
            for result in LINTERS[linter](entry):
                for description in result.finding_descriptions:
                    finding = description.finding
                    if finding.severity <= validation.ValidationFindingSeverity.WARNING:
                        details = f"{result.node.path} {description.message or ''}"
                        report(entry, linter, finding.severity.name, finding.code, details)
