//! What operators do, and what the trail says of it.

use serde_json::{Value, json};

use crate::api::{AUDITOR, Api, VIEWER, ask, enrolled, json, patient, pending, problem};

#[test]
fn a_password_that_was_made_here_enrolls_until_it_is_revoked() {
    let server = patient();
    let api = Api::operator(&server);
    let answer = api.post("/admin/otp", &json!({ "client_id": "device-1", "ttl": "1h30m", "max_uses": 2 }));
    let made = json(&answer);
    assert_eq!((answer.status, &made["entity_id"], &made["remaining_uses"]), (201, &json!("device-1"), &json!(2)));
    let id = made["id"].as_str().expect("an id");
    assert_eq!(answer.header("location"), Some(format!("/admin/otp/{id}").as_str()));
    let password = made["otp"].as_str().expect("a password");
    // The user name of HTTP Basic is empty, and so another one.
    assert_eq!(ask(&server, "/simpleenroll", "CN=device-1", password).status, 401);
    let free = json(&api.post("/admin/otp", &json!({ "ttl": 60 })));
    assert_eq!(ask(&server, "/simpleenroll", "CN=free", free["otp"].as_str().expect("a password")).status, 200);
    assert_eq!(api.post("/admin/otp", &json!({ "est_label": "none-such" })).status, 404);
    assert!(free["warning"].as_str().is_some_and(|warning| warning.contains("any name")), "{free}");
    let bound = json(&api.post("/admin/otp", &json!({ "names": ["dns:*.lab.example"], "ttl": 60 })));
    assert_eq!(bound["names"], json!(["dns:*.lab.example"]));
    let secret = bound["otp"].as_str().expect("a password");
    assert_eq!(ask(&server, "/simpleenroll", "CN=root-admin", secret).status, 403);
    assert_eq!(api.delete(&format!("/admin/otp/{}", bound["id"].as_str().expect("an id"))).status, 204);
    let listed = api.read("/admin/otp");
    assert_eq!(listed.as_array().map(Vec::len), Some(1), "the spent one is not listed: {listed}");
    assert!(listed[0].get("otp").is_none() && !listed.to_string().contains(password));
    let all = api.read("/admin/otp?all=true");
    assert_eq!((&all[1]["state"], &all[2]["state"]), (&json!("spent"), &json!("good")));
    assert_eq!(api.delete(&format!("/admin/otp/{id}")).status, 204);
    assert_eq!(api.delete(&format!("/admin/otp/{id}")).status, 404);
    assert_eq!(api.read("/admin/otp?all=true")[2]["state"], "revoked");
    for gone in [id, "nobodys"] {
        assert_eq!(problem(&api.get(&format!("/admin/otp/{gone}"))).1, "not_found");
    }
    // JSON has one kind of number.
    assert_eq!(
        json(&api.send("POST", "/admin/otp", "Content-Type: application/json\r\n", b"{\"max_uses\": 3.0}"))["max_uses"],
        3
    );
}

#[test]
fn a_password_is_not_made_of_nonsense() {
    let server = patient();
    let api = Api::operator(&server);
    for (body, word) in [
        (json!({ "ttl": 0 }), "ttl"),
        (json!({ "ttl": "forever" }), "ttl"),
        (json!({ "ttl": 31_536_001 }), "ttl"),
        (json!({ "max_uses": 0 }), "max_uses"),
        (json!({ "max_uses": -1 }), "-1"),
        (json!({ "entity_id": "a:b" }), "entity_id"),
        (json!({ "entity_id": "" }), "entity_id"),
        (json!({ "entity_id": "a", "client_id": "b" }), "duplicate"),
        (json!({ "entity_id": "a", "label": "b" }), "duplicate"),
        (json!({ "label": "a:b" }), "entity_id"),
        (json!({ "names": ["a.example"] }), "names"),
        (json!([]), "expected"),
    ] {
        let (status, error, message) = problem(&api.post("/admin/otp", &body));
        assert_eq!((status, error.as_str()), (400, "bad_request"), "{body}");
        assert!(message.contains(word), "{body}: {message}");
    }
    assert_eq!(api.read("/admin/otp"), json!([]));
}

#[test]
fn a_label_of_a_password_is_its_entity_and_never_taken_for_an_est_label() {
    let server = patient();
    let api = Api::operator(&server);
    for body in [json!({ "label": "vetted" }), json!({ "label": "vetted", "est_label": "vetted" })] {
        let (status, _, message) = problem(&api.post("/admin/otp", &body));
        assert_eq!(status, 400, "{body}");
        assert!(message.contains("est_label") && message.contains("entity_id"), "{message}");
    }
    assert_eq!(api.read("/admin/otp"), json!([]));
    for (body, entity) in [(json!({ "label": "device-3" }), "device-3"), (json!({ "entity_id": "vetted" }), "vetted")] {
        let made = json(&api.post("/admin/otp", &body));
        assert_eq!((&made["entity_id"], &made["est_label"]), (&json!(entity), &Value::Null));
        assert!(made.get("warning").is_none(), "{made}");
    }
}

#[test]
fn a_certificate_is_found_however_its_serial_number_is_written_and_revoked_once() {
    let server = patient();
    let api = Api::operator(&server);
    let certificate = enrolled(&server, "CN=device-1");
    enrolled(&server, "CN=device-2");
    let listed = api.read("/admin/certs?subject=DEVICE-1&status=active&ca=main&issued_after=2020-01-01");
    assert_eq!((&listed["total"], &listed["per_page"]), (&json!(1), &json!(50)));
    let found = &listed["certificates"][0];
    let serial = found["serial"].as_str().expect("a serial number");
    assert!(serial.split(':').all(|pair| pair.len() == 2 && pair == pair.to_uppercase()), "{serial}");
    assert_eq!((&found["subject"], &found["ca_id"]), (&json!("CN=device-1"), &json!("main")));
    let plain = serial.replace(':', "");
    for spelled in [serial.to_owned(), plain.clone(), plain.to_lowercase(), format!("0x{}", plain.to_lowercase())] {
        let shown = api.read(&format!("/admin/certs/{spelled}"));
        assert_eq!(shown["fingerprint"], certificate.fingerprint().to_string(), "{spelled}");
        let events = shown["events"].as_array().expect("events");
        assert!(events.iter().any(|event| event["event"] == "cert.issued"), "{spelled}: {events:?}");
    }
    let path = format!("/admin/certs/{plain}/revoke");
    let revoked = json(&api.post(&path, &json!({ "reason": "keyCompromise" })));
    assert_eq!((&revoked["serial"], &revoked["status"]), (&json!(serial), &json!("revoked")));
    assert_eq!(revoked["revocation_reason"], "keyCompromise");
    let again = json(&api.post("/admin/revoke", &json!({ "serial": plain, "reason": "superseded" })));
    assert_eq!(again, revoked, "what was revoked stays as it was");
    assert_eq!(api.read("/admin/certs?status=revoked")["certificates"][0]["serial"], serial);
    assert_eq!(api.read("/admin/certs?status=active")["total"], 1);
    for unknown in ["01:02:03", "00"] {
        assert_eq!(problem(&api.get(&format!("/admin/certs/{unknown}"))).1, "not_found");
        assert_eq!(problem(&api.post(&format!("/admin/certs/{unknown}/revoke"), &json!({}))).1, "not_found");
    }
    assert_eq!(problem(&api.get("/admin/certs/xyz")).1, "bad_request");
    let wrong = problem(&api.post(&path, &json!({ "reason": "because" })));
    assert!(wrong.0 == 400 && wrong.2.contains("keyCompromise"), "{}", wrong.2);
}

#[test]
fn a_listing_goes_on_by_number_and_by_cursor() {
    let server = patient();
    let api = Api::operator(&server);
    for number in 0..5 {
        enrolled(&server, &format!("CN=device-{number}"));
    }
    let subjects = |page: &Value| -> Vec<String> {
        let certificates = page["certificates"].as_array().expect("certificates");
        certificates.iter().map(|one| one["subject"].as_str().expect("a subject").to_owned()).collect()
    };
    let first = api.read("/admin/certs?per_page=2");
    assert_eq!(subjects(&first), ["CN=device-4", "CN=device-3"]);
    assert_eq!(first["total"], 5);
    let second = api.read("/admin/certs?per_page=2&page=2");
    assert_eq!(subjects(&second), ["CN=device-2", "CN=device-1"]);
    let cursor = first["cursor"].as_str().expect("there are more");
    assert_eq!(subjects(&api.read(&format!("/admin/certs?limit=2&cursor={cursor}"))), subjects(&second));
    let last = api.read("/admin/certs?per_page=2&page=3");
    assert_eq!((subjects(&last), &last["cursor"]), (vec!["CN=device-0".to_owned()], &Value::Null));
    assert_eq!(subjects(&api.read("/admin/certs?per_page=2&page=4")), [""; 0]);
    for wrong in ["page=0", "page=101", "per_page=0", "per_page=501", "per_page=x", "cursor=x", "status=good"] {
        assert_eq!(problem(&api.get(&format!("/admin/certs?{wrong}"))).0, 400, "{wrong}");
    }
}

#[test]
fn a_request_is_decided_once() {
    let server = patient();
    let api = Api::operator(&server);
    let password = server.password(1);
    let csr = est_testkit::https::base64(&est_testkit::pki::Key::p256().csr("CN=vetted", &[]));
    let est = est_testkit::https::Client::new(server.port(), &server.ca());
    let enroll = || est.enroll("/vetted/simpleenroll", Some(&password), csr.as_bytes());
    assert_eq!(enroll().status, 202);
    let listed = api.read("/admin/requests");
    let request = &listed["requests"][0];
    assert_eq!((&request["subject"], &request["state"]), (&json!("CN=vetted"), &json!("awaiting")));
    assert_eq!((&request["label"], &request["enrollment_type"]), (&json!("vetted"), &json!("simpleenroll")));
    let id = request["id"].as_str().expect("an id");
    let approved = json(&api.send("POST", &format!("/admin/requests/{id}/approve"), "", &[]));
    assert_eq!((&approved["state"], &approved["decided_by"]), (&json!("approved"), &json!("admin:operator")));
    assert_eq!(api.send("POST", &format!("/admin/requests/{id}/approve"), "", &[]).status, 200);
    assert_eq!(problem(&api.send("POST", &format!("/admin/requests/{id}/deny"), "", &[])).1, "conflict");
    assert_eq!(enroll().status, 200);
    let denied = pending(&server, &api, "CN=unwanted");
    assert_eq!(json(&api.send("POST", &format!("/admin/requests/{denied}/deny"), "", &[]))["state"], "denied");
    assert_eq!(api.read("/admin/requests")["requests"], json!([]));
    assert_eq!(api.read("/admin/requests?state=denied")["requests"][0]["id"], denied);
    assert_eq!(api.read("/admin/requests?state=all")["requests"].as_array().map(Vec::len), Some(2));
    assert_eq!(problem(&api.get("/admin/requests/none-such")).1, "not_found");
}

#[test]
fn the_trail_tells_who_did_what_and_who_wanted_to() {
    let server = patient();
    let api = Api::operator(&server);
    let made = json(&api.post("/admin/otp", &json!({ "entity_id": "device-1" })));
    api.read("/admin/health");
    assert_eq!(Api::bearing(&server, VIEWER).post("/admin/otp", &json!({})).status, 403);
    assert_eq!(Api::bearing(&server, "a-token-that-nobody-has").get("/admin/certs").status, 401);
    assert_eq!(Api::nobody(&server).get("/admin/certs").status, 401);
    let events = |query: &str| api.read(&format!("/admin/audit?{query}"))["events"].clone();
    let created = &events("event=otp.created")[0];
    assert_eq!((&created["actor"], &created["method"]), (&json!("admin:operator"), &json!("bearer")));
    assert_eq!(created["source"], "127.0.0.1");
    assert!(created["reason"].as_str().is_some_and(|reason| reason.contains(made["id"].as_str().expect("an id"))));
    let denied = &events("event=admin.access&outcome=failure")[0];
    assert_eq!(
        (&denied["actor"], &denied["reason"]),
        (&json!("admin:vera"), &json!("POST /admin/otp: not for a viewer"))
    );
    let failures = events("event=admin.auth");
    assert_eq!(failures.as_array().map(Vec::len), Some(1), "who shows nothing guesses nothing: {failures}");
    assert_eq!(failures[0]["reason"], "no operator has this token");
    let own = events("action=admin.access&actor=admin:operator&outcome=success");
    let paths: Vec<&str> =
        own.as_array().expect("events").iter().filter_map(|event| event["reason"].as_str()).collect();
    assert!(paths.contains(&"POST /admin/otp") && !paths.contains(&"GET /admin/health"), "{paths:?}");
    assert!(events("start=2100-01-01").as_array().is_some_and(Vec::is_empty));
    assert!(events("end=2020-01-01T00:00:00Z").as_array().is_some_and(Vec::is_empty));
    assert!(events("start=2020-01-01T00:00:00%2B01:00").as_array().is_some_and(|events| !events.is_empty()));
}

#[test]
fn a_token_that_was_replaced_opens_nothing_after_a_reload() {
    let server = patient();
    let (old, token) = (server.admin_token(), "another-token-of-the-operator");
    let api = Api::bearing(&server, &old);
    std::fs::write(server.folder().join("admin-token"), token).expect("written");
    assert_eq!(Api::bearing(&server, token).get("/admin/whoami").status, 401, "nobody has said so");
    assert_eq!(api.post("/admin/reload", &Value::Null).status, 200);
    assert_eq!(api.get("/admin/whoami").status, 401);
    assert_eq!(Api::bearing(&server, token).get("/admin/whoami").status, 200);
}

#[test]
fn the_configuration_is_shown_without_secrets() {
    let server = patient();
    let shown = Api::operator(&server).read("/admin/config");
    assert_eq!(shown["est"]["label"][0]["name"], "vetted");
    assert_eq!(shown["admin"]["token"][0]["token"], "(hidden)");
    assert!(!shown.to_string().contains("viewer-token"));
}

#[test]
fn the_cas_tell_what_they_are_and_how_they_do() {
    let server = patient();
    let api = Api::operator(&server);
    assert_eq!(api.read("/admin/ca")[0]["last_sign_time"], Value::Null);
    enrolled(&server, "CN=device");
    let ca = api.read("/admin/ca/main");
    assert_eq!((&ca["type"], &ca["status"], &ca["labels"]), (&json!("local"), &json!("healthy"), &json!(["vetted"])));
    assert!(ca["last_sign_time"].is_string());
    assert_eq!(ca["certificate_chain"][0]["subject"], "CN=Ohia CA");
    assert!(api.read("/admin/ca/health")[0]["signing_latency_us"].is_u64());
    for path in ["/health/ca", "/admin/health/ca"] {
        assert_eq!(api.read(path)["main"]["consecutive_failures"], 0);
    }
    let crls = api.read("/admin/crls");
    let [crl] = crls.as_array().expect("a list").as_slice() else { panic!("one key: {crls}") };
    assert_eq!((&crl["ca_id"], &crl["status"]), (&json!("main"), &json!("current")), "{crl}");
    assert_eq!((&crl["number"], &crl["entries"]), (&json!(1), &json!(0)), "{crl}");
    assert!(crl["next_update"].as_str() > crl["this_update"].as_str(), "{crl}");
    let path = crl["path"].as_str().expect("a path");
    assert_eq!(path, format!("/crl/main.{}.crl", crl["key_id"].as_str().expect("a key")));
    let chain = api.get("/admin/ca/main/chain");
    let own = std::fs::read_to_string(server.ca()).expect("the CA's file");
    assert_eq!((chain.header("content-type"), chain.text()), (Some("application/pem-certificate-chain"), own.as_str()));
    let (status, error, message) = problem(&api.get("/admin/ca/nonexistent"));
    assert_eq!(
        (status, error.as_str(), message.as_str()),
        (404, "not_found", "CA with id 'nonexistent' does not exist")
    );
}

#[test]
fn a_password_that_is_given_whole_is_not_written_down() {
    let server = patient();
    let (api, viewer) = (Api::operator(&server), Api::bearing(&server, VIEWER));
    let made = json(&api.post("/admin/otp", &json!({})));
    let (id, whole) = (made["id"].as_str().expect("an id"), made["otp"].as_str().expect("a password"));
    let (_, secret) = whole.split_once('.').expect("two halves");
    for form in [whole, &whole.replace('.', "%2E"), &whole.replace('.', "%2e")] {
        assert_eq!(viewer.delete(&format!("/admin/otp/{form}")).status, 403);
        assert_eq!(viewer.read(&format!("/admin/otp/{form}"))["id"], id);
        let answer = viewer.get(&format!("/admin/certs/{form}"));
        assert_eq!(problem(&answer).0, 400, "{form} is no serial number");
    }
    assert_eq!(api.delete(&format!("/admin/otp/{whole}")).status, 204);
    let gone = api.get(&format!("/admin/otp/{whole}"));
    assert!(problem(&gone).1 == "not_found" && !gone.text().contains(secret), "{}", gone.text());
    let trail = api.read("/admin/audit?per_page=500").to_string();
    assert!(trail.contains(&format!("DELETE /admin/otp/{id}: not for a viewer")), "{trail}");
    assert!(!trail.contains(secret), "{trail}");
}

#[test]
fn what_happened_to_a_certificate_is_not_for_viewers() {
    let server = patient();
    let path = format!("/admin/certs/{}", enrolled(&server, "CN=device").serial_text());
    let events = Api::operator(&server).read(&path)["events"].clone();
    assert!(events.as_array().is_some_and(|events| !events.is_empty()), "{events}");
    assert_eq!(Api::bearing(&server, AUDITOR).read(&path)["events"], events);
    let seen = Api::bearing(&server, VIEWER).read(&path);
    assert_eq!((&seen["subject"], seen.get("events")), (&json!("CN=device"), None));
}

#[test]
fn the_good_passwords_are_listed_however_many_others_came_after_them() {
    let server = patient();
    let api = Api::operator(&server);
    let id = |made: Value| made["id"].as_str().expect("an id").to_owned();
    let good = ["one", "two", "three"].map(|entity| id(json(&api.post("/admin/otp", &json!({ "entity_id": entity })))));
    for _ in 0..3 {
        let revoked = id(json(&api.post("/admin/otp", &json!({}))));
        assert_eq!(api.delete(&format!("/admin/otp/{revoked}")).status, 204);
    }
    let first = api.get("/admin/otp?per_page=2");
    let ids = |listed: &Value| -> Vec<String> {
        listed.as_array().expect("a list").iter().map(|one| id(one.clone())).collect()
    };
    assert_eq!(ids(&json(&first)), [good[2].clone(), good[1].clone()]);
    let link = first.header("link").expect("there is one more");
    let next = link.strip_prefix('<').and_then(|link| link.split_once('>')).expect("a link").0;
    let last = api.get(next);
    assert_eq!((ids(&json(&last)), last.header("link")), (vec![good[0].clone()], None));
    assert_eq!(ids(&api.read("/admin/otp?all=true")).len(), 6);
}

#[test]
fn the_configuration_that_is_shown_is_in_force() {
    let server = patient();
    let api = Api::operator(&server);
    let before = api.read("/admin/config");
    let config = server.folder().join("estd.toml");
    let text = std::fs::read_to_string(&config).expect("the configuration");
    let changed = text
        .replace("listen = \"0.0.0.0:8443\"", "listen = \"0.0.0.0:8444\"\nnode = \"other\"")
        .replace("max_failures = 1000000", "max_failures = 999999");
    std::fs::write(&config, &changed).expect("written");
    let reloaded = json(&api.send("POST", "/admin/reload", "", &[]));
    assert!(reloaded["warnings"].to_string().contains("server.listen"), "{reloaded}");
    let after = api.read("/admin/config");
    assert_eq!(after["server"], before["server"]);
    assert_eq!(
        (&after["admin"]["max_failures"], &before["admin"]["max_failures"]),
        (&json!(999_999), &json!(1_000_000))
    );
    // Another reload knows it as well.
    assert_eq!(api.send("POST", "/admin/reload", "", &[]).status, 200);
    assert_eq!(api.read("/admin/config")["server"], before["server"]);
}

#[test]
fn a_certificate_tells_its_story_in_one_answer() {
    let server = patient();
    let api = Api::operator(&server);
    let made = json(
        &api.post("/admin/otp", &json!({ "entity_id": "www1", "names": ["subject:CN=*", "dns:www1.corp.example"] })),
    );
    let password = made["otp"].as_str().expect("a password");
    let csr = est_testkit::https::base64(&est_testkit::pki::Key::p256().csr("CN=www1", &["DNS:www1.corp.example"]));
    let est = est_testkit::https::Client::new(server.port(), &server.ca());
    let request = || {
        let post = est_testkit::https::post_as("/vetted/simpleenroll", Some(("www1", password)), csr.as_bytes());
        est.exchange(&post).expect("an answer")
    };
    assert_eq!(request().status, 202);
    let id = api.read("/admin/requests")["requests"][0]["id"].as_str().expect("an id").to_owned();

    // Before anybody decides: the client, its address, the maker of its password, what it asks for and what it would get.
    let asked = api.read(&format!("/admin/requests/{id}"));
    assert_eq!((&asked["source"], &asked["key_type"]), (&json!("127.0.0.1"), &json!("ecdsa-p256")));
    assert_eq!((&asked["password"]["id"], &asked["password"]["created_by"]), (&made["id"], &json!("admin:operator")));
    assert!(asked["extensions"][0]["extension"].as_str().is_some_and(|text| text.contains("www1.corp.example")));
    assert_eq!((&asked["explanation"]["would_be"], &asked["certificate"]), (&json!("issued"), &Value::Null));
    assert!(asked["explanation"]["names"].as_str().is_some_and(|names| names.contains("www1.corp.example")), "{asked}");
    assert!(asked["csr"].as_str().is_some_and(|csr| csr.starts_with("-----BEGIN CERTIFICATE REQUEST")));
    assert!(api.read("/admin/requests")["requests"][0].get("csr").is_none(), "a listing has no requests in full");

    let approved = json(&api.post(&format!("/admin/requests/{id}/approve"), &json!({ "comment": "rack 7" })));
    assert_eq!(approved["comment"], "rack 7");
    let answer = request();
    assert_eq!(answer.status, 200, "{}", answer.text());
    let certificate = est_core::pkix::Certificate::parse(&answer.certificate()).expect("a certificate");
    let serial = certificate.serial_text();
    let shown = api.read(&format!("/admin/certs/{serial}"));
    assert_eq!((&shown["otp_id"], &shown["request_id"]), (&made["id"], &json!(id)));
    let entry = &shown["story"][0];
    assert_eq!((&entry["relation"], &entry["serial"]), (&json!("this"), &json!(serial)));
    assert_eq!(entry["password"]["created_by"], "admin:operator");
    assert_eq!(
        (&entry["request"]["decided_by"], &entry["request"]["comment"]),
        (&json!("admin:operator"), &json!("rack 7"))
    );
    // And back.
    assert_eq!(api.read(&format!("/admin/requests/{id}"))["certificate"], serial);
    let otp = made["id"].as_str().expect("an id");
    assert_eq!(api.read(&format!("/admin/otp/{otp}"))["certificates"][0]["serial"], serial);
    let events = |query: &str| api.read(&format!("/admin/audit?{query}"))["events"].clone();
    assert_eq!(events("find=WWW1.CORP&event=cert.issued").as_array().map(Vec::len), Some(1));
    assert_eq!(
        events(&format!("actor=password%20{otp}&label=vetted&event=cert.issued")).as_array().map(Vec::len),
        Some(1)
    );
    assert_eq!(events("event=request.created&source=127.0.0.1").as_array().map(Vec::len), Some(1));
    let plain = serial.replace(':', "");
    assert_eq!(api.read(&format!("/admin/certs?subject={}", &plain[..16]))["certificates"][0]["serial"], serial);
}

#[test]
fn several_requests_are_decided_at_once_each_for_itself() {
    let server = patient();
    let api = Api::operator(&server);
    let ids = ["CN=one", "CN=two", "CN=three"].map(|subject| pending(&server, &api, subject));
    assert_eq!(api.post(&format!("/admin/requests/{}/deny", ids[2]), &json!({})).status, 200);
    let wanted = [&ids[0], &ids[1], &ids[2], "none-such"];
    let body = json!({ "ids": wanted, "decision": "approve", "comment": "batch 12" });
    let results = json(&api.post("/admin/requests/decide", &body))["results"].clone();
    let states: Vec<_> = (0..4).map(|index| results[index]["state"].clone()).collect();
    assert_eq!(states, [json!("approved"), json!("approved"), json!("denied"), Value::Null]);
    assert!(results[2]["error"].as_str().is_some_and(|error| error.contains("denied before")), "{results}");
    assert!(results[3]["error"].as_str().is_some_and(|error| error.contains("there is no request")), "{results}");
    assert_eq!(api.read(&format!("/admin/requests/{}", ids[1]))["comment"], "batch 12");
    for wrong in [
        json!({ "ids": [], "decision": "deny" }),
        json!({ "ids": ["x"] }),
        json!({ "ids": ["x"], "decision": "maybe" }),
    ] {
        assert_eq!(problem(&api.post("/admin/requests/decide", &wrong)).0, 400, "{wrong}");
    }
}

#[test]
fn passwords_are_made_by_the_array_all_or_none() {
    let server = patient();
    let api = Api::operator(&server);
    let body: Vec<Value> = (0..20).map(|number| json!({ "entity_id": format!("meter-{number}") })).collect();
    let made = json(&api.post("/admin/otp", &json!(body)));
    let made = made.as_array().expect("an array");
    assert_eq!((made.len(), &made[19]["entity_id"]), (20, &json!("meter-19")));
    let listed = api.read("/admin/otp?per_page=500");
    assert_eq!(listed.as_array().map(Vec::len), Some(20));
    assert_eq!(listed[0]["created_by"], "admin:operator");
    let wrong = json!([{ "entity_id": "meter-20" }, { "entity_id": "meter:21" }]);
    let (status, _, message) = problem(&api.post("/admin/otp", &wrong));
    assert!(status == 400 && message.starts_with("password 1: entity_id"), "{message}");
    let many: Vec<Value> = (0..101).map(|_| json!({})).collect();
    assert_eq!(problem(&api.post("/admin/otp", &json!(many))).0, 400);
    assert_eq!(api.read("/admin/otp?per_page=500").as_array().map(Vec::len), Some(20));
}

#[test]
fn under_dual_control_the_maker_of_a_password_cannot_approve_its_request() {
    let server = crate::api::with("dual_control = true\nfailure_delay = \"0s\"").start();
    let api = Api::operator(&server);
    let made = json(&api.post("/admin/otp", &json!({})));
    assert_eq!(ask(&server, "/vetted/simpleenroll", "CN=own", made["otp"].as_str().expect("a password")).status, 202);
    let id = api.read("/admin/requests")["requests"][0]["id"].as_str().expect("an id").to_owned();
    let (status, _, message) = problem(&api.post(&format!("/admin/requests/{id}/approve"), &json!({})));
    assert!(status == 409 && message.contains("somebody else"), "{message}");
    // Whoever runs commands on the server is somebody else.
    let approved = server.estd_json(&["requests", "approve", &id, "--comment", "second pair of eyes"]);
    assert_eq!(approved["result"], "approved");
}
