<?php
// A certification request by phpseclib 3, which leaves the NULL of RSA's parameters out. Prints PEM.
require '/usr/share/php/phpseclib3/autoload.php';

use phpseclib3\Crypt\RSA;
use phpseclib3\File\X509;

$key = RSA::createKey(2048)->withPadding(RSA::SIGNATURE_PKCS1);
$x509 = new X509();
$x509->setPrivateKey($key);
$x509->setDNProp('id-at-commonName', 'phpseclib');
$x509->setDNProp('id-at-organizationName', 'Example');
$x509->loadCSR($x509->saveCSR($x509->signCSR()));
$x509->setExtension('id-ce-subjectAltName', [['dNSName' => 'phpseclib.example.org']]);
$x509->setExtension('id-ce-keyUsage', ['digitalSignature', 'keyEncipherment']);
echo $x509->saveCSR($x509->signCSR());
