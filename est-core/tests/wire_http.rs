//! EST over HTTP: which requests find their operation, and what the answers look like.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;

use est_core::pkix::read_certs_only;
use est_core::wire::http::{self, Head, Preferences, Response, Route};
use est_core::{Body, Ca, Evidence, KeyPart, Label, Operation, Refusal, Reply, Request, Seconds, Site, UnixTime};
use est_testkit::pki::{Key, NOW, TestCa};

// Paths and methods.

#[test]
fn routes_every_method_and_path() {
    let site = site();
    let methods = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "get", "post", ""];
    for operation in Operation::ALL {
        let reads = matches!(operation, Operation::CaCerts | Operation::CsrAttrs);
        for (prefix, label) in [("", None), ("devices/", Some("devices"))] {
            let path = format!("/.well-known/est/{prefix}{operation}");
            for method in methods {
                let found = find(&site, &Head { method, ..head(&path) });
                let allowed = if reads { ["GET", "HEAD"].contains(&method) } else { method == "POST" };
                let allow = if reads { "GET, HEAD" } else { "POST" };
                match found {
                    Ok(request) => {
                        assert!(allowed, "{method} {path}");
                        assert_eq!((request.operation, request.label.as_deref()), (operation, label));
                    }
                    Err(refusal) => {
                        assert!(!allowed, "{method} {path}: {refusal}");
                        assert_eq!(refusal, Refusal::MethodNotAllowed { allow });
                    }
                }
            }
        }
    }
}

#[test]
fn knows_no_other_paths() {
    let site = site();
    for path in [
        "",
        "/",
        "*",
        "simpleenroll",
        "/simpleenroll",
        "/.well-known/est",
        "/.well-known/est/",
        "/.well-known/est//simpleenroll",
        "/.well-known/est/simpleenroll/",
        "/.well-known/est/simpleEnroll",
        "/.well-known/est/SIMPLEENROLL",
        "/.well-known/est/simple%65nroll",
        "/.well-known/est/simpleenrollx",
        "/.well-known/est/fullcmc",
        "/.well-known/estsimpleenroll",
        "/.well-known/EST/simpleenroll",
        "//.well-known/est/simpleenroll",
        "/.well-known/est/devices",
        "/.well-known/est/devices/",
        "/.well-known/est/devices/devices/simpleenroll",
        "/.well-known/est/./simpleenroll",
        "/.well-known/est/../simpleenroll",
        "/.well-known/est/%2e%2e/simpleenroll",
        "/.well-known/est/%2E/simpleenroll",
        "/.well-known/est/devices%2Fsimpleenroll",
        "/.well-known/est/devices%2f/simpleenroll",
        "/.well-known/est/devices%/simpleenroll",
        "/.well-known/est/devices%2/simpleenroll",
        "/.well-known/est/devices%zz/simpleenroll",
        "/.well-known/est/devices%+1/simpleenroll",
        "/.well-known/est/%ff/simpleenroll",
        "/.well-known/est/%c0%af/simpleenroll",
    ] {
        assert_eq!(find(&site, &head(path)).unwrap_err(), Refusal::UnknownPath, "{path}");
    }
    for path in ["/.well-known/est/nobody/simpleenroll", "/.well-known/est/Devices/simpleenroll"] {
        assert_eq!(find(&site, &head(path)).unwrap_err(), Refusal::UnknownLabel, "{path}");
    }
}

#[test]
fn decodes_labels_once() {
    let mut site = site();
    for label in ["device's", "Zoë", "100%", "a b", "a+b", "%2e"] {
        site.labels.insert(label.into(), site.default_label.clone().unwrap());
    }
    for (segment, label) in [
        ("devices", "devices"),
        ("d%65vic%65s", "devices"),
        ("device's", "device's"),
        ("device%27s", "device's"),
        ("Zo%c3%ab", "Zoë"),
        ("Zo%C3%AB", "Zoë"),
        ("100%25", "100%"),
        ("a%20b", "a b"),
        ("a+b", "a+b"),
        ("%252e", "%2e"),
    ] {
        let path = format!("/.well-known/est/{segment}/simpleenroll");
        assert_eq!(find(&site, &head(&path)).unwrap().label.as_deref(), Some(label), "{segment}");
    }
}

#[test]
fn serves_below_another_base_path() {
    let site = Site { base_path: "/pki/est".into(), ..site() };
    assert!(find(&site, &head("/pki/est/simpleenroll")).is_ok());
    assert_eq!(find(&site, &head("/.well-known/est/simpleenroll")).unwrap_err(), Refusal::UnknownPath);
    let at_the_root = Site { base_path: String::new(), ..site };
    assert!(find(&at_the_root, &head("/devices/simpleenroll")).is_ok());
}

#[test]
fn tells_whether_a_body_belongs_to_the_request() {
    let site = site();
    for (method, operation, takes_body) in [
        ("GET", "cacerts", false),
        ("GET", "csrattrs", false),
        ("POST", "simpleenroll", true),
        ("POST", "simplereenroll", true),
        ("POST", "serverkeygen", true),
    ] {
        let path = format!("/.well-known/est/{operation}");
        let route = Route::find(&site, &Head { method, ..head(&path) }).unwrap();
        assert_eq!((route.takes_body(), route.operation().segment()), (takes_body, operation));
    }
}

// Media types.

#[test]
fn takes_pkcs10_by_any_spelling_and_with_any_parameters() {
    let site = site();
    for content_type in [
        "application/pkcs10",
        "Application/PKCS10",
        "application/pkcs10; charset=utf-8",
        "application/pkcs10;smime-type=certs-only",
        " application/pkcs10 ",
    ] {
        assert!(find(&site, &Head { content_type: Some(content_type), ..head(ENROLL) }).is_ok(), "{content_type}");
    }
    let refusal = Refusal::UnsupportedMediaType { expected: "application/pkcs10" };
    for content_type in [
        None,
        Some(""),
        Some("application/pkcs7-mime"),
        Some("application/pkcs10x"),
        Some("application/pkcs10, text/plain"),
        Some("text/plain; application/pkcs10"),
        Some("application/x-www-form-urlencoded"),
        Some("application / pkcs10"),
    ] {
        let found = find(&site, &Head { content_type, ..head(ENROLL) });
        assert_eq!(found.unwrap_err(), refusal, "{content_type:?}");
    }
}

#[test]
fn does_not_mind_the_media_type_of_a_request_without_body() {
    let head = Head { method: "GET", content_type: Some("text/plain"), ..head("/.well-known/est/cacerts") };
    assert!(find(&site(), &head).is_ok());
}

// Authorization.

#[test]
fn reads_basic_credentials() {
    for (value, user, password) in [
        ("Basic dXNlcjpwYXNz", "user", "pass"),
        ("basic dXNlcjpwYXNz", "user", "pass"),
        ("BASIC   dXNlcjpwYXNz  ", "user", "pass"),
        ("Basic OnBhc3M=", "", "pass"),
        ("Basic dXNlcjo=", "user", ""),
        ("Basic Og==", "", ""),
        ("Basic dXNlcjpwYTpzcw==", "user", "pa:ss"),
        ("Basic Wm/DqzrDqQ==", "Zoë", "é"),
    ] {
        let credentials = authorized(value.as_bytes()).unwrap().evidence.credentials.unwrap();
        assert_eq!((credentials.user.as_str(), credentials.password.reveal()), (user, password), "{value}");
    }
}

#[test]
fn leaves_other_schemes_to_others() {
    for value in ["Bearer abc", "Negotiate YII=", "Digest username=\"x\"", "", "   ", "Basicx dXNlcjpwYXNz"] {
        assert!(authorized(value.as_bytes()).unwrap().evidence.credentials.is_none(), "{value}");
    }
    assert!(find(&site(), &head(ENROLL)).unwrap().evidence.credentials.is_none());
}

#[test]
fn refuses_basic_credentials_that_cannot_be_read() {
    for value in [
        &b"Basic"[..],
        b"Basic ",
        b"Basic dXNlcg==",
        b"Basic dXNlcjpwYXNz=",
        b"Basic dXNlcjpwYXN",
        b"Basic dXNlcjpw-_Nz",
        b"Basic user:pass",
        b"Basic /zr/",
        b"Basic dXNlcjpwYQBz",
        b"Basic dXNlcgo6cA==",
        b"Basic dXNlcjpwYXNz, Bearer x",
        b"\xff\xfe",
    ] {
        let refusal = authorized(value).unwrap_err();
        assert_eq!(refusal, Refusal::MalformedAuthorization, "{}", value.escape_ascii());
    }
}

#[test]
fn no_password_is_shown_by_debug() {
    let request = authorized(b"Basic dXNlcjpwYXNz").unwrap();
    assert_eq!(request.evidence.credentials.as_ref().unwrap().password.reveal(), "pass");
    assert!(!format!("{request:?}").contains("pass\""), "{request:?}");
}

// Bodies.

#[test]
fn understands_the_bodies_that_clients_send() {
    let der = b"\x30\x82\x01\x02 pretend this is a request".repeat(4);
    let dense = base64(&der);
    let wrapped = |width: usize, end: &str| {
        dense.as_bytes().chunks(width).map(|line| std::str::from_utf8(line).unwrap()).collect::<Vec<_>>().join(end)
    };
    let pem = format!(
        "-----BEGIN CERTIFICATE REQUEST-----\r\n{}\r\n-----END CERTIFICATE REQUEST-----\r\n",
        wrapped(64, "\r\n")
    );
    for (text, is_strict) in [
        (dense.clone(), true),
        (format!("{dense}\n"), true),
        (wrapped(64, "\n"), true),
        (wrapped(76, "\r\n") + "\r\n", true),
        (format!("\n  {}", wrapped(60, " \t\n")), true),
        (pem, false),
    ] {
        assert_eq!(Body::Text(text.clone().into()).into_der(false).unwrap(), der, "{text}");
        let strictly = Body::Text(text.into()).into_der(true);
        assert_eq!(strictly, if is_strict { Ok(der.clone()) } else { Err(Refusal::EncodingNotAllowed) });
    }
    assert_eq!(Body::Text(der.clone()).into_der(false), Ok(der.clone()));
    assert_eq!(Body::Text(der.clone()).into_der(true), Err(Refusal::EncodingNotAllowed));
    assert_eq!(Body::Der(der.clone()).into_der(true), Ok(der));
}

#[test]
fn refuses_bodies_that_are_no_encoding_of_anything() {
    for text in ["", " \r\n\t", "\n"] {
        assert_eq!(Body::Text(text.into()).into_der(false), Err(Refusal::EmptyBody));
    }
    assert_eq!(Body::Der(Vec::new()).into_der(false), Err(Refusal::EmptyBody));
    for text in [
        "hello, world",
        "MAA",
        "MAA==",
        "MAA=MAA=",
        "M A-_",
        "====",
        "<html>",
        "-----BEGIN CERTIFICATE REQUEST-----",
        "-----BEGIN CERTIFICATE REQUEST-----\n-----END CERTIFICATE REQUEST-----",
        "-----BEGIN X-----\n!!\n-----END X-----",
    ] {
        assert_eq!(Body::Text(text.into()).into_der(false), Err(Refusal::NotBase64), "{text}");
    }
}

#[test]
fn reads_pem_with_anything_around_it() {
    let begin = "-----BEGIN CERTIFICATE REQUEST-----";
    let pem = format!("{begin}\nMAA=\n-----END CERTIFICATE REQUEST-----\n");
    let new = pem.replace("CERTIFICATE", "NEW CERTIFICATE");
    let text = "PKCS #10 Certificate Request Information:\n\tVersion: 1\n";
    let certificate = "-----BEGIN CERTIFICATE-----\nBQA=\n-----END CERTIFICATE-----\n";
    for body in [
        pem.clone(),
        new.clone(),
        format!("{text}\n{pem}"),
        format!("{text}\n{new}{text}"),
        format!("\u{feff}{pem}"),
        "\u{feff}MAA=".to_owned(),
        pem.replace('\n', "\r\n"),
        format!("0 is how this begins\n{pem}"),
        format!("{certificate}{pem}"),
    ] {
        assert_eq!(Body::Text(body.clone().into_bytes()).into_der(false), Ok(b"0\0".to_vec()), "{body}");
    }
    // Whatever the encoding of what stands around it.
    let latin = [b"Subject: Zo\xeb\n", pem.as_bytes()].concat();
    assert_eq!(Body::Text(latin).into_der(false), Ok(b"0\0".to_vec()));
    for (body, refusal) in [
        (format!("{pem}{pem}"), Refusal::SeveralRequests),
        (format!("{pem}{text}{new}"), Refusal::SeveralRequests),
        (certificate.to_owned(), Refusal::NoRequestInPem),
        (format!("{text}{begin}\nMAA="), Refusal::NotBase64),
    ] {
        assert_eq!(Body::Text(body.clone().into_bytes()).into_der(false), Err(refusal), "{body}");
    }
    assert_eq!(Body::Text(format!("{text}{pem}").into_bytes()).into_der(true), Err(Refusal::EncodingNotAllowed));
}

// Answers.

#[test]
fn certificates_are_typed_exactly_as_clients_demand() {
    let site = site();
    let Reply::CaCertificates(cacerts) = cacerts(&site) else { unreachable!() };
    for (reply, content_type) in [
        (Reply::CaCertificates(cacerts), "application/pkcs7-mime"),
        (Reply::Certificate(b"\x30\x00".to_vec()), "application/pkcs7-mime; smime-type=certs-only"),
    ] {
        let response = respond(&site, &reply, None);
        assert_eq!(response.status, 200);
        assert_eq!(header(&response, "Content-Type"), Some(content_type));
        assert_eq!(header(&response, "Content-Transfer-Encoding"), Some("base64"));
    }
}

#[test]
fn base64_goes_in_one_line_with_a_final_newline() {
    let site = site();
    let der = vec![0x30; 5_000];
    let response = respond(&site, &Reply::Certificate(der.clone()), None);
    assert_eq!(response.body, format!("{}\n", base64(&der)).into_bytes());
}

#[test]
fn base64_is_wrapped_where_the_site_asks_for_it() {
    for (width, octets, lines) in [(64, 48, 1), (64, 49, 2), (76, 5_000, 88), (4, 9, 3)] {
        let site = Site { base64_line_length: Some(width), ..site() };
        let der = vec![0x30; octets];
        let text = String::from_utf8(respond(&site, &Reply::Certificate(der.clone()), None).body).unwrap();
        assert!(text.ends_with('\n') && !text.contains("\n\n") && !text.contains('\r'));
        assert!(text.lines().all(|line| (1..=width).contains(&line.len())));
        assert_eq!((text.lines().count(), text.lines().collect::<String>()), (lines, base64(&der)));
        assert_eq!(Body::Text(text.into()).into_der(true), Ok(der), "we read it back");
    }
}

#[test]
fn csr_attrs_are_typed_and_absent_ones_are_204() {
    let site = site();
    let csrattrs = site.default_label.as_ref().unwrap().csrattrs().cloned();
    let response = respond(&site, &Reply::CsrAttrs(csrattrs), None);
    assert_eq!((response.status, header(&response, "Content-Type")), (200, Some("application/csrattrs")));
    assert_eq!(header(&response, "Content-Transfer-Encoding"), Some("base64"));
    let response = respond(&site, &Reply::CsrAttrs(None), None);
    assert_eq!((response.status, response.body.len()), (204, 0));
    assert_eq!(header(&response, "Content-Type"), None);
}

#[test]
fn who_has_to_wait_is_told_in_digits() {
    let response = respond(&site(), &Reply::RetryAfter(Seconds(90)), None);
    assert_eq!((response.status, header(&response, "Retry-After")), (202, Some("90")));
    assert_eq!((header(&response, "Content-Type"), response.body.len()), (None, 0), "Bouncy Castle reads no body");
}

#[test]
fn a_challenge_has_no_body_until_there_is_a_password_to_speak_of() {
    let site = site();
    let ask = |refusal: &Refusal, accept, has_authorization| {
        let preferences = Preferences { accept, has_authorization, ..Preferences::default() };
        let response = http::respond(&site, &Reply::Refused(refusal.clone()), preferences, NOW);
        assert_eq!(response.status, 401);
        assert!(header(&response, "WWW-Authenticate").is_some());
        let content_type = header(&response, "Content-Type").map(str::to_owned);
        assert_eq!(content_type.is_some(), !response.body.is_empty());
        content_type
    };
    let (text, json) = (Some("text/plain; charset=utf-8".to_owned()), Some("application/problem+json".to_owned()));
    let expired = Refusal::ClientCertificateExpired { not_after: NOW };
    for (refusal, accept, has_authorization, expected) in [
        (&Refusal::Unauthenticated, None, false, &None),
        (&Refusal::Unauthenticated, Some("*/*"), false, &None),
        (&Refusal::Unauthenticated, Some("application/problem+json"), false, &json),
        (&Refusal::Unauthenticated, None, true, &text),
        (&Refusal::PasswordRejected, None, true, &text),
        (&Refusal::PasswordSpent, Some("*/*"), true, &text),
        (&expired, None, false, &None),
        (&expired, Some("*/*"), false, &text),
        (&expired, None, true, &text),
    ] {
        assert_eq!(ask(refusal, accept, has_authorization), *expected, "{refusal} {accept:?}");
    }
    // Where no password helps, there is nothing to come back with.
    let silent = Site { offers_basic: false, ..site.clone() };
    let response = respond(&silent, &Reply::Refused(Refusal::Unauthenticated), None);
    assert_eq!(header(&response, "Content-Type"), text.as_deref());
}

#[test]
fn libest_gets_lines_that_openssl_reads_and_others_get_one() {
    let longest = |site: &Site, user_agent, path: &str, reply: &Reply| {
        let preferences = Preferences { path, user_agent, ..Preferences::default() };
        let response = http::respond(site, reply, preferences, NOW);
        let text = String::from_utf8(response.body).unwrap();
        text.lines().map(str::len).max().unwrap()
    };
    let der = vec![0x30; 3_000];
    let key = KeyPart::Pkcs8(der.clone().into());
    let (site, enroll, label) = (site(), ENROLL, "/.well-known/est/devices/simpleenroll");
    let of_label = |length| {
        let mut site = site.clone();
        let mut label = (*site.labels["devices"]).clone();
        label.base64_line_length = length;
        site.labels.insert("devices".into(), Arc::new(label));
        site
    };
    for reply in [Reply::Certificate(der.clone()), Reply::KeyAndCertificate { key, certificate: der.clone() }] {
        for (agent, path, length, expected) in [
            (None, enroll, None, 4_000),
            (Some("strongSwan"), enroll, None, 4_000),
            (Some("not libest"), enroll, None, 4_000),
            (Some("libest 3.2.0p"), enroll, None, 64),
            (Some("libest"), enroll, None, 64),
            (None, label, Some(76), 76),
            (Some("libest 3.2.0p"), label, Some(76), 76),
            (Some("libest 3.2.0p"), label, Some(1_024), 64),
            (Some("libest 3.2.0p"), label, Some(0), 64),
            (None, label, Some(0), 4_000),
            (None, enroll, Some(76), 4_000),
        ] {
            assert_eq!(longest(&of_label(length), agent, path, &reply), expected, "{agent:?} {path} {length:?}");
        }
        let wrapped = Site { base64_line_length: Some(64), ..of_label(Some(0)) };
        assert_eq!(longest(&wrapped, None, enroll, &reply), 64);
        assert_eq!(longest(&wrapped, None, label, &reply), 4_000, "the label has the last word");
    }
    let response = respond(&site, &cacerts(&site), None);
    assert_eq!(header(&response, "Vary"), Some("User-Agent"), "a cache may not give one form to all");
}

#[test]
fn says_which_path_was_probably_meant() {
    let site = site();
    let words = |path: &str| {
        let refusal = find(&site, &head(path)).unwrap_err();
        let preferences = Preferences { path, ..Preferences::default() };
        let response = http::respond(&site, &Reply::Refused(refusal), preferences, NOW);
        assert_eq!(response.status, 404);
        String::from_utf8(response.body).unwrap().trim_end().to_owned()
    };
    for (path, meant) in [
        ("/.well-known/est/simpleenroll/", "simpleenroll"),
        ("/.well-known/est//simpleenroll", "simpleenroll"),
        ("//.well-known/est/cacerts", "cacerts"),
        ("/.well-known/est/SimpleEnroll", "simpleenroll"),
        ("/.well-known/est/simple-enroll", "simpleenroll"),
        ("/.well-known/est/enroll", "simpleenroll"),
        ("/.well-known/est/cacert", "cacerts"),
        ("/.well-known/EST/CACerts", "cacerts"),
        ("/.well-known/est/simple%65nroll", "simpleenroll"),
        ("/est/simplereenroll", "simplereenroll"),
        ("/simpleenroll", "simpleenroll"),
        ("/.well-known/est/devices/ServerKeyGen/", "devices/serverkeygen"),
        ("/.well-known/est//devices//csrattrs", "devices/csrattrs"),
        ("/.well-known/est/Devices/simpleenroll", "devices/simpleenroll"),
        ("/est/devices/simpleenroll", "devices/simpleenroll"),
    ] {
        assert!(words(path).ends_with(&format!(": did you mean /.well-known/est/{meant}?")), "{path}: {}", words(path));
    }
    for path in [
        "/",
        "/.well-known/est",
        "/.well-known/est/devices/",
        "/.well-known/est/nobody/simpleenroll",
        "/.well-known/est/nobody/SimpleEnroll",
        "/.well-known/est/simpleenroll/more",
        "/.well-known/est/%ff/simpleenroll",
        "/index.html",
    ] {
        assert!(!words(path).contains("mean"), "{path}: {}", words(path));
    }
}

#[test]
fn answers_are_not_cached() {
    let site = site();
    let refused = Reply::Refused(Refusal::Unauthenticated);
    let csrattrs = [Reply::CsrAttrs(None), Reply::CsrAttrs(Some(Arc::new(vec![0x30])))];
    for reply in [Reply::Certificate(vec![0x30]), Reply::RetryAfter(Seconds(1)), refused].into_iter().chain(csrattrs) {
        for response in [respond(&site, &reply, None), respond_if_none_match(&site, &reply, "*", NOW)] {
            assert_eq!(header(&response, "Cache-Control"), Some("no-store"), "{reply:?}");
            assert_eq!(header(&response, "ETag"), None);
            assert_ne!(response.status, 304);
        }
    }
}

#[test]
fn the_certificates_of_a_rollover_are_listed_once_and_until_they_end() {
    let (new, end) = (TestCa::new(), NOW + Seconds::from_days(1));
    let old = TestCa::with_key(Key::p256(), end);
    let (new, old) = (new.certificate().clone(), old.certificate().clone());
    let ca =
        Ca { id: "a".into(), certificate: new.clone(), chain: Vec::new(), rollover: vec![old.clone(), new.clone()] };
    let Label { profile, approval, certificate_names, .. } = TestCa::new().label(None);
    let label = Label::new(None, Arc::new(ca), profile, approval, certificate_names, &[]);
    let listed = |now| read_certs_only(&label.cacerts(now).message).unwrap();
    assert_eq!(label.cacerts(NOW).not_after, end);
    assert_eq!(listed(end).len(), 2);
    assert!(listed(end).iter().any(|der| der == old.as_der()));
    assert_eq!(listed(end + Seconds(1)), [new.as_der()]);
    assert_eq!(label.cacerts(end + Seconds(1)).not_after, new.not_after());
}

#[test]
fn ca_certificates_are_fresh_for_a_day_and_never_beyond_the_first_end_among_them() {
    let site = site();
    let not_after = site.default_label.as_ref().unwrap().cacerts(NOW).not_after;
    let max_age = |now| {
        let reply = Reply::CaCertificates(site.default_label.as_ref().unwrap().cacerts(now));
        let response = http::respond(&site, &reply, Preferences::default(), now);
        header(&response, "Cache-Control").map(str::to_owned)
    };
    assert_eq!(max_age(NOW).as_deref(), Some("max-age=86400"));
    assert_eq!(max_age(UnixTime(not_after.0 - 60)).as_deref(), Some("max-age=60"));
    assert_eq!(max_age(UnixTime(not_after.0 + 60)).as_deref(), Some("max-age=0"));
}

#[test]
fn who_has_the_ca_certificates_is_told_that_nothing_has_changed() {
    let site = site();
    let reply = cacerts(&site);
    let full = respond(&site, &reply, None);
    let etag = header(&full, "ETag").unwrap();
    assert!(etag.len() == 34 && etag.starts_with('"') && etag.ends_with('"'), "{etag}");
    for tags in [etag.to_string(), format!("W/{etag}"), format!("\"a,b\" , {etag}"), "*".into()] {
        let response = respond_if_none_match(&site, &reply, &tags, NOW);
        assert_eq!((response.status, response.body.as_slice()), (304, &b""[..]), "{tags}");
        assert_eq!(header(&response, "ETag"), Some(etag));
        assert_eq!(header(&response, "Cache-Control"), Some("max-age=86400"));
        assert_eq!(header(&response, "Content-Type"), None);
    }
    for tags in ["", "\"other\"", etag.trim_matches('"'), "W/*"] {
        assert_eq!(respond_if_none_match(&site, &reply, tags, NOW), full, "{tags}");
    }
}

#[test]
fn the_entity_tag_changes_with_the_body() {
    let (site, other) = (site(), site());
    let etag = |site: &Site| header(&respond(site, &cacerts(site), None), "ETag").unwrap().to_owned();
    let wrapped = Site { base64_line_length: Some(64), ..site.clone() };
    assert_eq!(etag(&site), etag(&site));
    assert_ne!(etag(&site), etag(&other), "other certificates");
    assert_ne!(etag(&site), etag(&wrapped), "the same ones in other lines");
}

#[test]
fn headers_are_in_title_case_few_and_short() {
    let site = site();
    for reply in replies(&site) {
        let response = respond(&site, &reply, None);
        // Below 16 lines and 1,024 octets, with what the HTTP library adds.
        assert!(response.headers.len() <= 8);
        let length: usize = response.headers.iter().map(|(name, value)| name.len() + value.len() + 4).sum();
        assert!(length < 512);
        for (name, value) in &response.headers {
            let is_title = |word: &str| {
                ["WWW", "ETag"].contains(&word)
                    || word.starts_with(char::is_uppercase) && !word[1..].contains(char::is_uppercase)
            };
            assert!(name.split('-').all(is_title), "{name}");
            assert!(!value.contains(['\r', '\n']) && value.is_ascii(), "{name}: {value}");
        }
        let mut names: Vec<_> = response.headers.iter().map(|(name, _)| name).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), response.headers.len(), "each once");
    }
}

#[test]
fn a_refusal_is_one_line_of_text() {
    let site = site();
    for refusal in refusals() {
        let preferences = Preferences { has_authorization: true, ..Preferences::default() };
        let response = http::respond(&site, &Reply::Refused(refusal.clone()), preferences, NOW);
        assert_eq!(response.status, refusal.row().http_status);
        assert_eq!(header(&response, "Content-Type"), Some("text/plain; charset=utf-8"));
        assert_eq!(response.body, format!("{refusal}\n").into_bytes());
        assert_eq!(response.body.iter().filter(|octet| **octet == b'\n').count(), 1, "{refusal}");
    }
}

#[test]
fn who_asks_for_json_gets_a_problem() {
    let site = site();
    let refusal = Refusal::MalformedName("DNS:\"a\"\\\n\u{7f}".into());
    for accept in ["application/json", "application/problem+json", "text/html, application/JSON;q=0.5"] {
        let response = respond(&site, &Reply::Refused(refusal.clone()), Some(accept));
        assert_eq!(header(&response, "Content-Type"), Some("application/problem+json"));
        assert_eq!(
            String::from_utf8(response.body).unwrap(),
            "{\"type\":\"about:blank\",\"status\":400,\"title\":\"malformed-name\",\"detail\":\"the subjectAltName \
             holds DNS:\\\"a\\\"\\\\\\u000a\\u007f, which is not a name of its kind\"}\n"
        );
    }
    for accept in ["*/*", "text/plain", "application/*", "", "application/pkcs7-mime"] {
        let response = respond(&site, &Reply::Refused(refusal.clone()), Some(accept));
        assert_eq!(header(&response, "Content-Type"), Some("text/plain; charset=utf-8"), "{accept}");
    }
}

#[test]
fn asks_for_a_password_only_where_one_would_help() {
    let offering = site();
    let silent = Site { offers_basic: false, ..site() };
    for refusal in refusals() {
        let reply = Reply::Refused(refusal.clone());
        let asked = header(&respond(&offering, &reply, None), "WWW-Authenticate").map(str::to_string);
        let expected = (refusal.row().http_status == 401).then(|| "Basic realm=\"est\", charset=\"UTF-8\"".to_string());
        assert_eq!(asked, expected, "{refusal}");
        assert_eq!(header(&respond(&silent, &reply, None), "WWW-Authenticate"), None);
    }
}

#[test]
fn says_which_methods_are_allowed() {
    let refusal = Refusal::MethodNotAllowed { allow: "GET, HEAD" };
    let response = respond(&site(), &Reply::Refused(refusal), None);
    assert_eq!((response.status, header(&response, "Allow")), (405, Some("GET, HEAD")));
}

#[test]
fn says_when_to_come_back_after_an_outage() {
    for (refusal, seconds) in [(Refusal::InProgress, "2"), (Refusal::CaUnavailable, "10"), (Refusal::Overloaded, "10")]
    {
        let response = respond(&site(), &Reply::Refused(refusal), None);
        assert_eq!((response.status, header(&response, "Retry-After")), (503, Some(seconds)));
    }
    let response = respond(&site(), &Reply::Refused(Refusal::Denied), None);
    assert_eq!(header(&response, "Retry-After"), None);
}

// Helpers.

const ENROLL: &str = "/.well-known/est/simpleenroll";

fn site() -> Site {
    TestCa::new().site()
}

fn head(path: &str) -> Head<'_> {
    Head { method: "POST", path, content_type: Some("application/pkcs10"), ..Head::default() }
}

fn find(site: &Site, head: &Head<'_>) -> Result<Request, Refusal> {
    Route::find(site, head).map(|route| route.request(Evidence::default(), Vec::new()))
}

fn authorized(value: &[u8]) -> Result<Request, Refusal> {
    find(&site(), &Head { authorization: Some(value), ..head(ENROLL) })
}

fn cacerts(site: &Site) -> Reply {
    Reply::CaCertificates(site.default_label.as_ref().unwrap().cacerts(NOW))
}

/// Responds to a client that has nothing yet.
fn respond(site: &Site, reply: &Reply, accept: Option<&str>) -> Response {
    http::respond(site, reply, Preferences { accept, ..Preferences::default() }, NOW)
}

/// Responds to a client that has something already.
fn respond_if_none_match(site: &Site, reply: &Reply, tags: &str, now: UnixTime) -> Response {
    http::respond(site, reply, Preferences { if_none_match: Some(tags), ..Preferences::default() }, now)
}

fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_ref())
}

fn replies(site: &Site) -> Vec<Reply> {
    let mut replies = vec![
        cacerts(site),
        Reply::Certificate(vec![0x30]),
        Reply::CsrAttrs(None),
        Reply::CsrAttrs(Some(Arc::new(vec![0x30]))),
        Reply::RetryAfter(Seconds(u64::MAX)),
    ];
    replies.extend(refusals().into_iter().map(Reply::Refused));
    replies
}

/// One refusal for every status, with text from outside where there is some.
fn refusals() -> Vec<Refusal> {
    vec![
        Refusal::Host,
        Refusal::UnknownPath,
        Refusal::OperationDisabled(Operation::CaCerts),
        Refusal::MethodNotAllowed { allow: "POST" },
        Refusal::UnsupportedMediaType { expected: "application/pkcs10" },
        Refusal::BodyTooLarge { limit: 65_536 },
        Refusal::LengthRequired,
        Refusal::BodyIncomplete,
        Refusal::BodyLate,
        Refusal::MalformedAuthorization,
        Refusal::Unauthenticated,
        Refusal::PasswordRejected,
        Refusal::PasswordSpent,
        Refusal::ClientCertificateRevoked,
        Refusal::NotBase64,
        Refusal::NameNotBound {
            name: "DNS:b.example".into(),
            own: "CN=a, DNS:a.example".into(),
            allowed: String::new(),
        },
        Refusal::CaUnavailable,
        Refusal::InProgress,
    ]
}

/// Base64 without line breaks, by the PEM writer, which OpenSSL reads elsewhere.
fn base64(der: &[u8]) -> String {
    let pem = est_core::pkix::pem::encode("X", der);
    pem.lines().filter(|line| !line.starts_with('-')).collect()
}
