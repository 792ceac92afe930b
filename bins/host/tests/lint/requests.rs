//! What requests ask for.

use std::path::Path;

use est_testkit::https::decode_base64;
use est_testkit::packed;
use est_testkit::pki::Key;
use toml_edit::DocumentMut;

/// A shape of names.
pub(crate) struct Shape {
    pub(crate) name: &'static str,
    subject: &'static str,
    names: &'static [&'static str],
}

impl Shape {
    /// A certification request with these names for this key.
    pub(crate) fn request(&self, key: &Key) -> Vec<u8> {
        key.csr(self.subject, self.names)
    }
}

const fn shape(name: &'static str, subject: &'static str, names: &'static [&'static str]) -> Shape {
    Shape { name, subject, names }
}

/// Some fit no profile but one: where they are refused there is nothing to look at.
pub(crate) const SHAPES: &[Shape] = &[
    shape("subject alone", "CN=device-1", &[]),
    shape("organisation alone", "O=Example,C=DE", &[]),
    shape("dns", "CN=a.example.com", &["DNS:a.example.com"]),
    shape("dns and ip", "CN=a.example.com", &["DNS:a.example.com", "IP:192.0.2.1", "IP:2001:db8::1"]),
    shape(
        "many names",
        "CN=a1.example.com",
        &[
            "DNS:a1.example.com",
            "DNS:a2.example.com",
            "DNS:a3.example.com",
            "DNS:a4.example.com",
            "DNS:a5.example.com",
            "DNS:a6.example.com",
            "DNS:a7.example.com",
            "DNS:a8.example.com",
            "DNS:a9.example.com",
            "DNS:b1.example.com",
            "DNS:b2.example.com",
            "DNS:b3.example.com",
        ],
    ),
    shape("idn", "CN=xn--mnchen-3ya.example.com", &["DNS:xn--mnchen-3ya.example.com"]),
    shape("wildcard", "CN=*.example.com", &["DNS:*.example.com", "DNS:example.com"]),
    shape("uri", "CN=device-1", &["URI:urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6"]),
    shape("uri with host", "CN=device-1", &["URI:https://device-1.example.com/unit"]),
    shape("email", "CN=Ada Example", &["email:ada@example.com"]),
    shape("names alone", "", &["DNS:a.example.com"]),
    shape("ip alone", "", &["IP:192.0.2.1"]),
    shape("mail alone", "", &["email:ada@example.com"]),
    shape("utf-8", "CN=Zähler №7,O=Größe und Maß", &["DNS:a.example.com"]),
    shape(
        "long",
        "CN=cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc,\
         OU=uuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuu,\
         O=oooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooo",
        &["DNS:device-0123456789-0123456789-0123456789-0123456789.example.com"],
    ),
    shape(
        "every attribute",
        "CN=device-1,SERIALNUMBER=0815-4711,OU=Meters,O=Example,L=Berlin,ST=Berlin,C=DE",
        &["DNS:device-1.example.com"],
    ),
    shape("domain components", "CN=device-1,DC=example,DC=com", &["DNS:device-1.example.com"]),
    shape("country", "CN=www.example.com,C=DE", &["DNS:www.example.com"]),
    shape("of a public address", "CN=2606:4700:4700::1111", &["IP:2606:4700:4700::1111", "IP:1.1.1.1"]),
    shape(
        "two mailboxes",
        "CN=Ada Example,O=Example",
        &["email:ada@example.com", "email:ada.example@mail.example.com"],
    ),
    shape("of a server", "", &["DNS:www.example.com", "DNS:example.com"]),
];

/// What hostile requests ask for when that is mended which is wrong with them, at the built-in profiles: the profile,
/// the name of the case, and the request.
pub(crate) fn twins() -> Vec<(String, String, Vec<u8>)> {
    let mut twins = Vec::new();
    let labels = packed::groups(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/csr"));
    for profile in est_core::policy::Profile::BUILT_IN {
        for (name, text) in packed::cases(&labels[profile]) {
            let case: DocumentMut = text.parse().unwrap();
            let twin = decode_base64(case["twin"].as_str().unwrap().as_bytes());
            twins.push((profile.to_owned(), name.to_owned(), twin));
        }
    }
    twins
}
