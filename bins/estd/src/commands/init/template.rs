//! The first configuration.

use std::fmt::Write as _;

use super::{ADMIN_TOKEN, CA, CA_KEY, CHAIN, ROOT, SERVER, SERVER_KEY};
use crate::cli::NewLabel;

const UNUSED_LABEL: &str = r#"# One more path, /.well-known/est/<name>/…, with rules of its own. As soon as there is one, requests without a label
# are refused, unless a label serves them:
# [est]
# default_label = "servers"
#
# [[est.label]]
# name = "servers"
# ca_id = "main"
# require_san = true
# allowed_key_types = ["ecdsa-p256", "ecdsa-p384"]
# max_validity_days = 90
# approval = "manual"
"#;

/// The text of the configuration. `url` is what `db.url` says; `has_chain`, whether there are certificates above the CA.
pub(super) fn configuration(url: &str, has_chain: bool, labels: &[NewLabel]) -> String {
    let (anchor, chain) = if has_chain { (ROOT, format!("chain = \"{CHAIN}\"\n")) } else { (CA, String::new()) };
    let url = super::super::ca::toml(url);
    format!(
        r#"# Ohia EST server. Paths are relative to this file; a key that is left out has its default.
# `estd check --config FILE` reports every mistake; docs/configuration.md lists every key.

[server]
listen = "0.0.0.0:8443"
admin_listen = "127.0.0.1:9443"

[tls]
cert = "{SERVER}"
key = "{SERVER_KEY}"

# Clients may show a certificate of this CA, or use a one-time password instead.
[tls.client_auth]
trust_anchors = "{anchor}"
mode = "optional"

[db]
url = {url}

[[ca]]
id = "main"
name = "Main CA"
cert = "{CA}"
key = "{CA_KEY}"
{chain}validity_days = 365

[otp]
enabled = true

# The operator's page and API, for anybody with the token.
[admin]
enabled = true
auth = "bearer"

[[admin.token]]
name = "operator"
token = "file:{ADMIN_TOKEN}"
role = "operator"

{labels}"#,
        labels = label_sections(labels),
    )
}

fn label_sections(labels: &[NewLabel]) -> String {
    if labels.is_empty() {
        return UNUSED_LABEL.to_owned();
    }
    let mut text = "# Requests without a label get 404; default_label = \"NAME\" lets a label serve them.\n\
                    [est]\nunlabelled = false\n"
        .to_owned();
    for NewLabel { name, profile } in labels {
        let _ = write!(text, "\n[[est.label]]\nname = \"{name}\"\nca_id = \"main\"\nprofile = \"{profile}\"\n");
    }
    text
}
