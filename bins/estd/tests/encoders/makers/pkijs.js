// A certification request by PKI.js and WebCrypto: all attributes of the subject in one RDN, in the order of adding.
// The argument names the signature algorithm. Prints PEM.
const { webcrypto } = require('crypto');
const asn1js = require('asn1js');
const pkijs = require('pkijs');

async function main() {
    pkijs.setEngine('node', new pkijs.CryptoEngine({ name: 'node', crypto: webcrypto }));
    const rsa = { name: 'RSA-PSS', modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]), hash: 'SHA-256' };
    const algorithm = process.argv[2] === 'ECDSA' ? { name: 'ECDSA', namedCurve: 'P-256' } : rsa;
    const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
    const request = new pkijs.CertificationRequest();
    request.version = 0;
    for (const [type, value] of [['2.5.4.3', 'pkijs'], ['2.5.4.10', 'Example']]) {
        const attribute = { type, value: new asn1js.Utf8String({ value }) };
        request.subject.typesAndValues.push(new pkijs.AttributeTypeAndValue(attribute));
    }
    const country = { type: '2.5.4.6', value: new asn1js.PrintableString({ value: 'DE' }) };
    request.subject.typesAndValues.push(new pkijs.AttributeTypeAndValue(country));
    await request.subjectPublicKeyInfo.importKey(keys.publicKey);
    const names = new pkijs.GeneralNames({
        names: [
            new pkijs.GeneralName({ type: 2, value: 'pkijs.example.org' }),
            new pkijs.GeneralName({ type: 4, value: request.subject }),
        ],
    });
    const san = new pkijs.Extension({ extnID: '2.5.29.17', critical: false, extnValue: names.toSchema().toBER(false) });
    const extensions = new pkijs.Extensions({ extensions: [san] });
    request.attributes = [
        new pkijs.Attribute({ type: '1.2.840.113549.1.9.14', values: [extensions.toSchema()] }),
    ];
    await request.sign(keys.privateKey, 'SHA-256');
    const der = Buffer.from(request.toSchema(true).toBER(false));
    const lines = der.toString('base64').match(/.{1,64}/g).join('\n');
    console.log(`-----BEGIN CERTIFICATE REQUEST-----\n${lines}\n-----END CERTIFICATE REQUEST-----`);
}

main();
