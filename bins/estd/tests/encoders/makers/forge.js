// A certification request by node-forge. Prints PEM.
const forge = require('node-forge');

const keys = forge.pki.rsa.generateKeyPair(2048);
const request = forge.pki.createCertificationRequest();
request.publicKey = keys.publicKey;
request.setSubject([
    { name: 'countryName', value: 'DE' },
    { name: 'organizationName', value: 'Example' },
    { name: 'commonName', value: 'forge' },
]);
request.setAttributes([
    { name: 'challengePassword', value: '' },
    { name: 'unstructuredName', value: 'forge' },
    {
        name: 'extensionRequest',
        extensions: [
            { name: 'basicConstraints', cA: false },
            { name: 'keyUsage', digitalSignature: true, keyEncipherment: true },
            { name: 'subjectAltName', altNames: [{ type: 2, value: 'forge.example.org' }, { type: 7, ip: '10.0.0.7' }] },
        ],
    },
]);
request.sign(keys.privateKey, forge.md.sha256.create());
console.log(forge.pki.certificationRequestToPem(request));
