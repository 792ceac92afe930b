//! Certificates by openssl.

use est_auth::{Crl, PathValidator, Purpose};
use est_core::UnixTime;
use est_core::pkix::Certificate;
use est_testkit::peers::OpenSsl;

pub(crate) const CA: &str = "basicConstraints=critical,CA:TRUE";
pub(crate) const CLIENT: &str = "extendedKeyUsage=clientAuth";
pub(crate) const DAY: u64 = 86_400;

/// A root CA, and what is issued under it.
pub(crate) struct Pki {
    openssl: OpenSsl,
}

impl Pki {
    /// Makes the root CA `root`, of 100 days.
    pub(crate) fn new() -> Option<Self> {
        let pki = Self { openssl: OpenSsl::find()? };
        pki.root("root", "EC -pkeyopt ec_paramgen_curve:P-256", "");
        Some(pki)
    }

    /// Makes a self-signed CA of 100 days with a key of this algorithm.
    pub(crate) fn root(&self, name: &str, algorithm: &str, options: &str) -> Vec<u8> {
        self.openssl.run(&format!("genpkey -algorithm {algorithm} -out {name}.key"));
        self.openssl.run(&format!(
            "req -x509 -new -key {name}.key -subj /CN=root -days 100 -addext {CA} {options} -out {name}.pem"
        ));
        self.der(name)
    }

    /// Issues a certificate of so many days; `extensions` are lines of openssl's configuration.
    pub(crate) fn issue(&self, name: &str, issuer: &str, days: u32, extensions: &str) -> Vec<u8> {
        self.issue_with(name, issuer, days, extensions, "")
    }

    pub(crate) fn issue_with(&self, name: &str, issuer: &str, days: u32, extensions: &str, options: &str) -> Vec<u8> {
        self.openssl.run(&format!("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out {name}.key"));
        self.openssl.run(&format!("req -new -key {name}.key -subj /CN={name} -out {name}.csr"));
        let ski = "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n";
        self.openssl.write(format!("{name}.ext"), ski.to_owned() + extensions);
        self.openssl.run(&format!(
            "x509 -req -in {name}.csr -CA {issuer}.pem -CAkey {issuer}.key -CAcreateserial -days {days} {options} \
             -extfile {name}.ext -out {name}.pem"
        ));
        self.der(name)
    }

    /// Has another CA certify the key and the name of what was issued before.
    pub(crate) fn cross(&self, name: &str, of: &str, issuer: &str) -> Vec<u8> {
        self.openssl.run(&format!(
            "x509 -req -in {of}.csr -CA {issuer}.pem -CAkey {issuer}.key -CAcreateserial -days 30 -extfile {of}.ext \
             -out {name}.pem"
        ));
        self.der(name)
    }

    /// Issues a certificate without extensions, and so of version 1.
    pub(crate) fn version_1(&self, name: &str, issuer: &str) -> Vec<u8> {
        self.openssl.run(&format!("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out {name}.key"));
        self.openssl.run(&format!("req -new -key {name}.key -subj /CN={name} -out {name}.csr"));
        self.openssl.run(&format!(
            "x509 -req -in {name}.csr -CA {issuer}.pem -CAkey {issuer}.key -CAcreateserial -days 30 -out {name}.pem"
        ));
        self.der(name)
    }

    pub(crate) fn der(&self, name: &str) -> Vec<u8> {
        self.openssl.run(&format!("x509 -in {name}.pem -outform DER -out {name}.der"));
        self.openssl.read(format!("{name}.der"))
    }

    /// A CRL of so many days that lists these certificates.
    pub(crate) fn crl(&self, issuer: &str, revoked: &[&str], days: u32) -> Crl {
        self.crl_with(issuer, revoked, &format!("-crldays {days}"))
    }

    pub(crate) fn crl_with(&self, issuer: &str, revoked: &[&str], options: &str) -> Crl {
        Crl::read_all(self.crl_pem(issuer, revoked, options).as_bytes()).unwrap().remove(0)
    }

    pub(crate) fn crl_pem(&self, issuer: &str, revoked: &[&str], options: &str) -> String {
        let config = "[ca]\ndefault_ca=c\n[c]\ndatabase=index\ncrlnumber=number\ndefault_md=sha256\n\
                      crl_extensions=e\n[e]\nauthorityKeyIdentifier=keyid\n";
        let line = |name: &&str| {
            let serial = Certificate::parse(&self.der(name)).unwrap().serial_text().replace(':', "");
            format!("R\t401121000000Z\t261121000000Z\t{serial}\tunknown\t/CN={name}\n")
        };
        self.openssl.write("ca.conf", config);
        self.openssl.write("index", revoked.iter().map(line).collect::<String>());
        self.openssl.write("number", "01\n");
        self.openssl.run(&format!(
            "ca -config ca.conf -gencrl -cert {issuer}.pem -keyfile {issuer}.key {options} -out crl.pem"
        ));
        String::from_utf8(self.openssl.read("crl.pem")).unwrap()
    }

    /// Whether openssl accepts the chain for a TLS client.
    pub(crate) fn openssl_accepts(&self, root: &str, intermediates: &[&str], leaf: &str) -> bool {
        let intermediates: String = intermediates.iter().map(|name| format!("-untrusted {name}.pem ")).collect();
        self.openssl
            .try_run(&format!("verify -purpose sslclient -CAfile {root}.pem {intermediates} {leaf}.pem"))
            .is_ok()
    }

    /// Trusts the root, for client authentication.
    pub(crate) fn paths(&self) -> PathValidator {
        trusting(&[self.der("root")])
    }
}

/// Trusts these certificates, for client authentication.
pub(crate) fn trusting(anchors: &[Vec<u8>]) -> PathValidator {
    PathValidator::new(anchors, &[] as &[Vec<u8>], Purpose::ClientAuth).unwrap()
}

/// So many days into the life of this certificate.
pub(crate) fn days_into(der: &[u8], days: u64) -> UnixTime {
    UnixTime(Certificate::parse(der).unwrap().not_before().0 + days * DAY)
}
