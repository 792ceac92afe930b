//! Reads configuration files: each file of `tests/config` says on top what it is answered.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use est_core::pkix::{Extension, KeyType, KeyUsage, oid};
use est_core::{Approval, NameBinding, Seconds, UnixTime};
use host::config::{
    self, ClientAuthMode, ClientPurpose, ClientRevocation, CrlRules, Diagnostic, LogFormat, RsaPadding, Settings,
    TlsVersion,
};

/// In June 2027: `old-ca.pem` has expired, everything else is valid.
const NOW: UnixTime = UnixTime(1_812_000_000);

/// A folder with the files of `tests/pki`, the keys readable by their owner alone.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("host-config-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = Self(std::env::temp_dir().join(name));
        fs::create_dir(&folder.0).unwrap();
        for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pki")).unwrap() {
            let entry = entry.unwrap();
            let copy = folder.0.join(entry.file_name());
            fs::write(&copy, fs::read(entry.path()).unwrap()).unwrap();
            restrict(&copy, 0o600);
        }
        fs::copy(folder.0.join("server-key.pem"), folder.0.join("open-key.pem")).unwrap();
        restrict(&folder.0.join("open-key.pem"), 0o644);
        folder
    }

    /// What becomes of `text`, with the folder itself written as `DIR`.
    fn parse(&self, text: &str) -> Result<(Settings, Vec<String>), Vec<String>> {
        let lines = |diagnostics: Vec<Diagnostic>| {
            let dir = self.0.display().to_string();
            diagnostics.iter().map(|diagnostic| diagnostic.to_string().replace(&dir, "DIR")).collect()
        };
        match config::parse(text, &self.0, environment, NOW) {
            Ok((settings, warnings)) => Ok((settings, lines(warnings))),
            Err(errors) => Err(lines(errors)),
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

#[cfg(unix)]
fn restrict(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[cfg(not(unix))]
fn restrict(_: &Path, _: u32) {}

fn environment(name: &str) -> Option<String> {
    let known = [
        ("PASSPHRASE", "correct-horse"),
        ("WORKERS", "3"),
        ("ON", "true"),
        ("CERT_NAME", "server"),
        ("SECRET_WORD", "hunter2-hunter2"),
        ("SECRET_WORD_LONG", "hunter2-hunter2-hunter2"),
        ("DB_URL", "postgres://est:hunter2-hunter2@db/est"),
    ];
    known.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
}

const MINIMAL: &str = r#"
[tls]
cert = "server.pem"
key = "server-key.pem"
client_auth.trust_anchors = "ca.pem"

[[ca]]
id = "main"
cert = "root.pem"
key = "ca-key.pem"
"#;

#[test]
fn every_file_is_answered_what_it_says() {
    let folder = Folder::new();
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config");
    let mut paths: Vec<PathBuf> = fs::read_dir(cases).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let mut differing = Vec::new();
    for path in &paths {
        let text = fs::read_to_string(path).unwrap();
        let wanted = |mark: &str| -> Vec<String> {
            let lines = text.lines().filter_map(|line| line.strip_prefix(mark));
            lines.map(|line| line.trim().to_owned()).collect()
        };
        let (errors, warnings) = match folder.parse(&text) {
            Ok((_, warnings)) => (Vec::new(), warnings),
            Err(errors) => (errors, Vec::new()),
        };
        if errors != wanted("# expect:") || warnings != wanted("# warn:") {
            let errors = errors.iter().map(|line| format!("# expect: {line}\n"));
            let lines: String = errors.chain(warnings.iter().map(|line| format!("# warn: {line}\n"))).collect();
            differing.push(format!("{}\n{lines}", path.file_name().unwrap().display()));
        }
    }
    assert!(differing.is_empty(), "\n{}", differing.join("\n"));
    assert!(paths.len() >= 40, "only {} files", paths.len());
}

#[test]
fn little_is_needed() {
    let (settings, warnings) = Folder::new().parse(MINIMAL).unwrap();

    assert_eq!(warnings, Vec::<String>::new());
    assert_eq!(settings.server.listen, SocketAddr::from(([0, 0, 0, 0], 8443)));
    assert_eq!(settings.server.admin_listen, SocketAddr::from(([127, 0, 0, 1], 9443)));
    assert_eq!(settings.server.workers, None);
    assert_eq!(settings.server.max_body_bytes, 1 << 20);
    assert_eq!(settings.server.shutdown_timeout, Duration::from_secs(30));
    assert_eq!(settings.tls.min_version, TlsVersion::V1_2);
    assert_eq!(settings.tls.cipher_suites, None);
    assert_eq!(settings.tls.client_auth.mode, ClientAuthMode::Required);
    let client_auth = &settings.tls.client_auth;
    assert_eq!(client_auth.ext_key_usage, ClientPurpose::ClientAuth);
    assert_eq!((client_auth.crls.len(), client_auth.revocation), (0, ClientRevocation::Hard));
    assert_eq!(client_auth.expired_grace, Seconds(0));
    assert_eq!(settings.limits.header_bytes, 16 << 10);
    assert_eq!(settings.limits.handshake_timeout, Duration::from_secs(10));
    assert_eq!(settings.limits.max_connections.get(), 10_000);
    assert_eq!(settings.limits.requests_per_connection, None);
    assert!(settings.db.url.file().is_some_and(|path| path.ends_with("ohia.db")));
    assert!(settings.db.auto_migrate);
    let ca = &settings.cas[0];
    assert_eq!(
        (ca.name.as_str(), ca.validity, ca.max_validity),
        ("main", Seconds::from_days(365), Seconds::from_days(398))
    );
    assert_eq!(ca.key_usage, KeyUsage::DIGITAL_SIGNATURE.with(KeyUsage::KEY_ENCIPHERMENT));
    assert_eq!(ca.ext_key_usage, [oid::SERVER_AUTH, oid::CLIENT_AUTH]);
    assert_eq!(ca.rsa_padding, RsaPadding::Pkcs1);
    assert_eq!(settings.est.base_path, "/.well-known/est");
    assert_eq!((settings.est.retry_after, settings.est.replay_window), (Seconds(60), Seconds(600)));
    assert!(!settings.otp.enabled);
    assert_eq!((settings.otp.token_length, settings.otp.default_ttl), (20, Seconds(86_400)));
    assert_eq!((settings.log.level, settings.log.format), (tracing::Level::INFO, LogFormat::Text));
}

#[test]
fn crls_are_files_and_folders_and_grace_is_a_duration() {
    let keys = r#"
        client_auth.crls = ["crl.pem", "."]
        client_auth.revocation = "soft"
        client_auth.expired_grace = "7d"
        [[ca]]"#;
    let folder = Folder::new();
    let (settings, warnings) = folder.parse(&MINIMAL.replace("[[ca]]", keys)).unwrap();
    assert_eq!(warnings, Vec::<String>::new());
    let client_auth = settings.tls.client_auth;
    assert_eq!(client_auth.crls, [folder.0.join("crl.pem"), folder.0.join(".")]);
    assert_eq!((client_auth.revocation, client_auth.expired_grace), (ClientRevocation::Soft, Seconds::from_days(7)));
    let (settings, _) = folder.parse(&MINIMAL.replace("[[ca]]", "client_auth.crls = \"crl.pem\"\n[[ca]]")).unwrap();
    assert_eq!(settings.tls.client_auth.crls, [folder.0.join("crl.pem")]);
    assert_eq!(settings.tls.client_auth.revocation, ClientRevocation::Hard);
}

#[test]
fn a_ca_makes_crls_where_its_certificate_allows_it() {
    let folder = Folder::new();
    let crls = |text: String| folder.parse(&text).unwrap().0.cas[0].crls;
    let usual = CrlRules { validity: Seconds::from_days(7), interval: Seconds::from_days(1) };
    assert_eq!(crls(MINIMAL.into()), Some(usual));
    assert_eq!(crls(MINIMAL.replace("root.pem", "ca-without-crl-sign.pem")), None);
    assert_eq!(crls(format!("{MINIMAL}crl = false")), None);
    let other = CrlRules { validity: Seconds(7_200), interval: Seconds(3_600) };
    assert_eq!(crls(format!("{MINIMAL}crl_validity = \"2h\"\ncrl_interval = \"1h\"")), Some(other));
}

#[test]
fn certificates_tell_where_the_crl_of_their_ca_is_unless_their_profile_does() {
    let text = r#"
        crl_url = "http://crl.example/main.crl"
        [[profile]]
        name = "own"
        base = "device"
        crl_urls = ["http://crl.example/own.crl"]
        [est]
        unlabelled = true
        [[est.label]]
        name = "a"
        ca_id = "main"
        [[est.label]]
        name = "b"
        ca_id = "main"
        profile = "device"
        [[est.label]]
        name = "c"
        ca_id = "main"
        profile = "own"
    "#;
    let (settings, _) = Folder::new().parse(&format!("{MINIMAL}{text}")).unwrap();
    let site = host::site(&settings, est_backends::algorithms()).unwrap();
    for (label, url) in [(None, "main"), (Some("a"), "main"), (Some("b"), "main"), (Some("c"), "own")] {
        let label = site.label(label).unwrap();
        let points: Vec<_> =
            label.profile.extensions.iter().filter(|one| one.id == oid::CRL_DISTRIBUTION_POINTS).collect();
        let expected = Extension::crl_distribution_points(&[format!("http://crl.example/{url}.crl")]);
        assert_eq!(points, [&expected]);
    }
}

#[test]
fn a_label_takes_what_it_does_not_say_from_its_ca() {
    let label = r#"
        default_ext_key_usage = ["serverAuth"]
        validity_days = 90
        [est]
        csr_attributes = ["challengePassword"]
        [[est.label]]
        name = "plain"
        ca_id = "main"
        [[est.label]]
        name = "strict"
        ca_id = "main"
        allowed_key_types = ["ecdsaP256", "rsa-4096", "ecdsa384"]
        required_ext_key_usage = ["clientAuth", "1.3.6.1.5.5.7.3.1"]
        max_validity_days = 30
        require_san = false
        subject_pattern = '^CN=[a-z]+$'
        approval = "manual"
        certificate_names = "any"
        csr_attributes = []
    "#;
    let (settings, _) = Folder::new().parse(&format!("{MINIMAL}{label}")).unwrap();
    let [plain, strict] = &settings.labels[..] else { panic!("two labels") };

    assert_eq!((plain.profile.validity, plain.profile.max_validity), (Seconds::from_days(90), Seconds::from_days(398)));
    assert_eq!(plain.profile.ext_key_usage, [oid::SERVER_AUTH]);
    assert_eq!(plain.csr_attributes, [oid::CHALLENGE_PASSWORD]);
    assert!(plain.profile.names.require_san && plain.profile.key_types.is_none());
    assert_eq!(
        (strict.profile.validity, strict.profile.max_validity),
        (Seconds::from_days(30), Seconds::from_days(30))
    );
    assert_eq!(strict.profile.ext_key_usage, [oid::SERVER_AUTH, oid::CLIENT_AUTH]);
    assert_eq!(strict.profile.key_types, Some(vec![KeyType::EcdsaP256, KeyType::Rsa(4096), KeyType::EcdsaP384]));
    assert_eq!((strict.approval, strict.certificate_names), (Approval::Manual, NameBinding::Any));
    assert_eq!(strict.csr_attributes, []);
    assert_eq!(strict.profile.subject.patterns.first().as_ref().unwrap().as_str(), "^CN=[a-z]+$");
}

#[test]
fn the_environment_fills_strings_numbers_and_truth_values() {
    let text = r#"
        server.workers = "${WORKERS}"
        otp.enabled = "${ON}"
        log.format = "json"
        [tls]
        cert = "${CERT_NAME}.pem"
        key = "encrypted-key.pem"
        key_passphrase = "${PASSPHRASE}"
        client_auth = { trust_anchors = ["ca.pem", "bundle.pem"], mode = "optional" }
        [[ca]]
        id = "main"
        name = "costs $${5}"
        cert = "ca.pem"
        chain = "root.pem"
        key = "ca-key.pem"
    "#;
    let (settings, warnings) = Folder::new().parse(text).unwrap();

    assert_eq!(warnings, Vec::<String>::new());
    assert_eq!(settings.server.workers.unwrap().get(), 3);
    assert!(settings.otp.enabled);
    assert_eq!(settings.tls.certificates[0].key.passphrase.as_ref().unwrap().read().unwrap().reveal(), "correct-horse");
    assert_eq!(settings.tls.client_auth.trust_anchors.len(), 3);
    assert_eq!(settings.cas[0].name, "costs ${5}");
    assert!(!format!("{settings:?}").contains("correct-horse"));
}

#[test]
fn no_message_tells_what_a_variable_holds() {
    let text = r#"
        server.listen = "${SECRET_WORD}"
        server.max_body_size = "${SECRET_WORD}"
        server.shutdown_timeout = "${SECRET_WORD}"
        tls.min_version = "${SECRET_WORD}"
        tls.cipher_suites = ["${SECRET_WORD}"]
        tls.key_passphrase = 5
        db.url = "${DB_URL}"
        est.base_path = "${SECRET_WORD}"
        est.csr_attributes = ["${SECRET_WORD}"]
        otp.hash_algorithm = "${SECRET_WORD}"
        [[est.label]]
        name = "a/${SECRET_WORD}"
        ca_id = "main"
        allowed_key_types = ["${SECRET_WORD}"]
        required_ext_key_usage = ["${SECRET_WORD}"]
        default_key_usage = ["${SECRET_WORD}"]
        subject_pattern = "(${SECRET_WORD}"
        approval = "${SECRET_WORD}"
    "#;
    let errors = Folder::new().parse(text).unwrap_err();

    assert!(errors.len() >= 17, "{errors:#?}");
    assert!(!errors.iter().any(|error| error.contains("hunter2")), "{errors:#?}");
}

#[test]
fn secrets_come_from_where_the_file_says() {
    let folder = Folder::new();
    let write = |name: &str, text: &str| {
        fs::write(folder.0.join(name), text).unwrap();
        restrict(&folder.0.join(name), 0o600);
    };
    write("passphrase", "correct-horse\n");
    write("nothing", "\n");
    let read = |source: &str| {
        let text = MINIMAL.replace("key = \"server", &format!("key_passphrase = \"{source}\"\nkey = \"server"));
        let dir = folder.0.display().to_string();
        let env = |name: &str| match name {
            "CREDENTIALS_DIRECTORY" => Some(dir.clone()),
            "ODD" => Some("file:passphrase".to_owned()),
            _ => environment(name),
        };
        let (settings, warnings) = config::parse(&text, &folder.0, env, NOW).unwrap();
        assert_eq!(warnings, []);
        assert!(!format!("{settings:?}").contains("correct-horse"));
        let source = settings.tls.certificates[0].key.passphrase.clone().unwrap();
        source.read().map(|secret| secret.reveal().to_owned()).map_err(|error| error.to_string().replace(&dir, "DIR"))
    };

    for source in ["env:PASSPHRASE", "${PASSPHRASE}", "file:passphrase", "credential:passphrase", "correct-horse"] {
        assert_eq!(read(source), Ok("correct-horse".to_owned()), "{source}");
    }
    assert_eq!(read("${ODD}"), Ok("file:passphrase".to_owned()), "what a variable holds is no place");
    for (source, why) in [
        ("env:NOT_SET", "the environment variable NOT_SET is not set"),
        ("file:none", "cannot read DIR/none: No such file or directory (os error 2)"),
        ("file:nothing", "the secret is empty"),
        ("credential:none", "cannot read DIR/none: No such file or directory (os error 2)"),
    ] {
        assert_eq!(read(source), Err(format!("tls.key_passphrase: {why}")));
    }
}

#[test]
#[cfg(unix)]
fn warns_of_secrets_that_others_can_read() {
    let folder = Folder::new();
    let path = folder.0.join("estd.toml");
    let warnings = |source: &str, mode: u32| {
        let text = MINIMAL.replace("key = \"server", &format!("key_passphrase = \"{source}\"\nkey = \"server"));
        fs::write(&path, text).unwrap();
        restrict(&path, mode);
        let (_, warnings) = config::load(&path, environment, NOW).unwrap();
        warnings.into_iter().map(|warning| (warning.key, warning.message)).collect::<Vec<_>>()
    };
    let exposed = [("tls.key_passphrase".to_owned(), "a secret is in a file that others can read".to_owned())];

    assert_eq!(warnings("hunter2", 0o600), []);
    assert_eq!(warnings("hunter2", 0o640), exposed);
    assert_eq!(warnings("hunter2", 0o644), exposed);
    assert_eq!(warnings("${PASSPHRASE}", 0o644), []);
    assert_eq!(warnings("env:PASSPHRASE", 0o644), []);
    assert_eq!(warnings("prompt", 0o644), []);
}

#[test]
fn the_url_of_a_database_may_be_where_secrets_are() {
    let folder = Folder::new();
    fs::write(folder.0.join("url"), "sqlite://state.db\n").unwrap();
    restrict(&folder.0.join("url"), 0o600);
    let path = |url: &str| {
        let parsed = folder.parse(&format!("db.url = \"{url}\"\n{MINIMAL}"));
        parsed.map(|(settings, _)| settings.db.url.file().map(Path::to_owned)).map_err(|errors| errors.concat())
    };
    assert_eq!(path("file:url"), Ok(Some(folder.0.join("state.db"))));
    assert_eq!(path("env:NOT_SET"), Err("1: db.url: the environment variable NOT_SET is not set".to_owned()));
    assert_eq!(path("env:DB_URL"), Ok(None), "the database of a server");
}

#[test]
fn a_collector_is_one_on_this_machine_or_near() {
    let folder = Folder::new();
    let errors = |url: &str| {
        let parsed = folder.parse(&format!("log.otlp_endpoint = \"{url}\"\n{MINIMAL}"));
        parsed.map(|(settings, _)| settings.log.otlp_endpoint).map_err(|errors| errors.concat())
    };
    if cfg!(not(feature = "otel")) {
        assert!(errors("http://127.0.0.1:4318").unwrap_err().contains("build it with `--features otel`"));
        return;
    }
    for url in ["http://127.0.0.1:4318", "http://[::1]:4318/", "http://collector"] {
        assert_eq!(errors(url), Ok(Some(url.to_owned())));
    }
    for url in ["https://collector:4318", "127.0.0.1:4318", "http://", "http://a/b", "http://user@a", ""] {
        assert!(errors(url).unwrap_err().contains("is not http:// and a host"), "{url}");
    }
}

#[test]
fn broken_syntax_is_told_without_its_line() {
    let errors = Folder::new().parse("[tls]\nkey_passphrase = \"hunter2\" x\n").unwrap_err();

    assert_eq!(errors.len(), 1);
    assert!(errors[0].starts_with("2: ") && !errors[0].contains("hunter2"), "{errors:?}");
}

#[test]
fn relative_paths_begin_at_the_folder_of_the_file() {
    let folder = Folder::new();
    let path = folder.0.join("estd.toml");
    fs::write(&path, format!("{MINIMAL}\n[db]\nurl = \"sqlite://state.db?mode=rwc\"\n")).unwrap();
    let (settings, _) = config::load(&path, environment, NOW).unwrap();

    assert_eq!(settings.tls.certificates[0].key.path, folder.0.join("server-key.pem"));
    assert_eq!(settings.db.url.file(), Some(folder.0.join("state.db").as_path()));

    fs::write(&path, MINIMAL.replace("key = \"ca-key.pem\"", "")).unwrap();
    let errors = config::load(&path, environment, NOW).unwrap_err();
    let line = format!("{}:7: ca.key: missing; PEM file with its private key: PKCS#8, PKCS#1 or SEC1", path.display());
    assert_eq!(errors[0].to_string(), line);
    assert_eq!(errors[0].position.unwrap().column, 1);

    let errors = config::load(&folder.0.join("none.toml"), environment, NOW).unwrap_err();
    assert!(errors[0].to_string().contains("none.toml: cannot be read"), "{}", errors[0]);
}

#[test]
fn an_unlabelled_request_gets_the_default_label_or_where_the_file_says_so_the_first_ca() {
    let folder = Folder::new();
    let label = "[[est.label]]\nname = \"devices\"\nca_id = \"main\"\n";
    let algorithms = rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms.all;

    let (settings, warnings) = folder.parse(&format!("{MINIMAL}{label}")).unwrap();
    assert!(host::site(&settings, algorithms).unwrap().label(None).is_none());
    assert!(warnings[0].contains("est.default_label: missing: requests without a label get 404"), "{warnings:?}");
    let (settings, _) = folder.parse(MINIMAL).unwrap();
    assert!(host::site(&settings, algorithms).unwrap().label(None).is_some());

    let (settings, warnings) = folder.parse(&format!("{MINIMAL}[est]\nunlabelled = true\n{label}")).unwrap();
    assert_eq!(warnings, Vec::<String>::new());
    let site = host::site(&settings, algorithms).unwrap();
    let unlabelled = site.label(None).unwrap();
    assert_eq!((unlabelled.name.as_deref(), unlabelled.ca.id.as_str()), (None, "main"));
    assert!(!unlabelled.profile.names.require_san && unlabelled.profile.key_types.is_none());
    assert!(site.label(Some("devices")).unwrap().profile.names.require_san);
    assert!(site.label(Some("others")).is_none());

    let (mut settings, _) = folder.parse(&format!("{MINIMAL}[est]\ndefault_label = \"devices\"\n{label}")).unwrap();
    let site = host::site(&settings, algorithms).unwrap();
    assert_eq!(site.label(None).unwrap().name.as_deref(), Some("devices"));

    settings.labels.clear();
    let error = host::site(&settings, algorithms).unwrap_err();
    assert_eq!(error, host::SiteError::UnknownLabel("devices".to_owned()));
}

#[test]
fn a_label_links_as_all_of_est_unless_it_says_otherwise() {
    use est_core::Linking;
    let folder = Folder::new();
    let algorithms = rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms.all;
    let label = |name: &str, more: &str| format!("[[est.label]]\nname = \"{name}\"\nca_id = \"main\"\n{more}");
    let labels = label("plain", "") + &label("scep", "linking = \"off\"\n");
    for (est, unlabelled) in [("", Linking::Optional), ("linking = \"required\"\n", Linking::Required)] {
        let (settings, _) = folder.parse(&format!("{MINIMAL}[est]\nunlabelled = true\n{est}{labels}")).unwrap();
        let site = host::site(&settings, algorithms).unwrap();
        let linking = |name| site.label(name).unwrap().linking();
        assert_eq!(
            (linking(None), linking(Some("plain")), linking(Some("scep"))),
            (unlabelled, unlabelled, Linking::Off)
        );
    }
}

#[test]
fn every_listed_key_is_read() {
    let page = config::reference();
    let mut text = String::new();
    let mut wanted = Vec::new();
    let mut section = String::new();
    for line in page.lines() {
        if let Some(header) = line.strip_prefix("## `").and_then(|line| line.strip_suffix('`')) {
            text.push_str(&format!("{header}\n"));
            section = header.trim_matches(['[', ']']).to_owned();
        } else if let Some((key, _)) = line.strip_prefix("| `").and_then(|row| row.split_once('`')) {
            text.push_str(&format!("{key} = 1979-05-27\n"));
            wanted.push(format!("{section}.{key}: must be "));
        }
    }
    let errors = Folder::new().parse(&text).unwrap_err();

    assert!(wanted.len() > 60, "{}", wanted.len());
    assert_eq!(errors.len(), wanted.len(), "{errors:#?}");
    for (error, wanted) in errors.iter().zip(&wanted) {
        assert!(error.contains(wanted.as_str()), "{error} is not about {wanted}");
    }
}

#[test]
fn the_reference_lists_every_section_and_its_keys() {
    let page = config::reference();
    for heading in ["[server]", "[tls.client_auth]", "[limits]", "[[ca]]", "[[est.label]]", "[otp]", "[log]"] {
        assert!(page.contains(&format!("## `{heading}`\n")), "{heading}");
    }
    assert!(page.contains("| `listen` | address | `\"0.0.0.0:8443\"` | Where EST is served, over HTTPS. |"));
    assert!(page.contains("| `cert` | path | required |"));
    assert!(page.contains("| `default_label` | string | see `unlabelled` |"));
    let is_row = |line: &&str| line.starts_with("| ");
    assert!(page.lines().filter(is_row).all(|line| line.matches(" | ").count() == 3), "a stray bar");
}
