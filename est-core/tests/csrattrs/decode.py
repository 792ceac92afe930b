"""Prints a CsrAttrs, given in hexadecimal, as pyasn1-alt-modules reads it by RFC 8951 and RFC 9908: a line for each part."""
import sys

from pyasn1.codec.der.decoder import decode
from pyasn1.codec.der.encoder import encode
from pyasn1.type import univ
from pyasn1_alt_modules import rfc5280, rfc8017, rfc8951, rfc9908


def exactly(octets, spec):
    value, rest = decode(octets, asn1Spec=spec)
    assert not rest, "octets follow the end"
    return value


def spaced(octets):
    return bytes(octets).hex(" ")


def print_extensions(name, values, spec):
    assert len(values) == 1, "exactly one value"
    print(name)
    for extension in exactly(values[0], spec):
        critical = " critical" if extension["critical"] else ""
        value = extension["extnValue"]
        print(f"{extension['extnID']}{critical} {spaced(value) if value.isValue else 'to fill'}")


def print_attribute(attribute):
    # RFC 5652 and RFC 5280 name the parts of an Attribute differently.
    kind, values = attribute[0], [bytes(value) for value in attribute[1]]
    if kind == univ.ObjectIdentifier("1.2.840.113549.1.9.14"):
        print_extensions("extensionRequest", values, rfc5280.Extensions())
    elif kind == rfc9908.id_aa_extensionReqTemplate:
        print_extensions("extensionReqTemplate", values, rfc9908.ExtensionReqTemplate())
    elif kind == rfc9908.id_aa_certificationRequestInfoTemplate:
        assert len(values) == 1, "exactly one value"
        print_template(exactly(values[0], rfc9908.CertificationRequestInfoTemplate()))
    else:
        print("attribute", kind, ", ".join(spaced(value) for value in values))


def print_template(template):
    assert template["version"] == 0
    print("template")
    if template["subject"].isValue:
        for rdn in template["subject"]["rdnSequence"]:
            for part in rdn:
                assert not part["value"].isValue
                print("subject", part["type"])
    key = template["subjectPKInfo"]
    if key.isValue:
        parameters = key["algorithm"]["parameters"]
        line = f"key {key['algorithm']['algorithm']} {spaced(parameters) if parameters.isValue else ''}"
        if key["subjectPublicKey"].isValue:
            rsa = exactly(key["subjectPublicKey"].asOctets(), rfc8017.RSAPublicKey())
            line += f", {int(rsa['modulus']).bit_length()} bits"
        print(line)
    for attribute in template["attributes"]:
        print_attribute(attribute)


der = bytes.fromhex(sys.argv[1])
elements = exactly(der, rfc8951.CsrAttrs())
for element in elements:
    if element.getName() == "oid":
        print("oid", element["oid"])
    else:
        print_attribute(element["attribute"])
assert encode(elements) == der, "not DER"
