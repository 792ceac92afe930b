//! What to do after `estd init`.

use anyhow::Result;
use est_core::pkix::GeneralName;

use super::{ADMIN_TOKEN, CA, FirstRun, Made, ROOT};
use crate::cli::{Init, NewLabel};
use crate::output;

/// Prints what was made, and the commands from here to the first certificate of a device.
pub(super) fn tell(made: &Made, options: &Init, first: &FirstRun<'_>) -> Result<()> {
    let (root, file) = match made.above.last() {
        Some(root) => (root, ROOT),
        None => (&made.ca, CA),
    };
    let config = output::path(&first.config());
    let mut known = format!("The SHA-256 fingerprint of {} is {}", root.subject(), root.fingerprint());
    if !made.above.is_empty() {
        known += &format!("\nand that of {}, the CA below it, {}", made.ca.subject(), made.ca.fingerprint());
    }
    output::line(format!("made {}\n{known}", output::path(&options.dir)))?;
    if let Some(found) = &first.database.found {
        output::line(format!("The database: {found}"))?;
    }
    if let Some(root) = &made.new_root {
        output::line("")?;
        root.tell_made()?;
    }
    let host = host(made);
    let device = Device::of(first.labels.first());
    let (entity, label, names) = (device.entity, device.label_option(), device.names());
    let token = output::path(&options.dir.join(ADMIN_TOKEN));
    Ok(output::line(format!(
        r#"
Look for mistakes, and serve:

  estd check --config {config}
  estd run --config {config}

Make a password for a device, and print it:

  estd otp create --config {config} --entity {entity}{label}

On the device, with a copy of {file} and that password:

  EST_PASSWORD=PASSWORD est enroll --server https://{host}:8443{label} --cacert {file} --user {entity} \
      {names} --key-out device.key --out device.pem

The operator's page: https://localhost:9443/ with the token in {token}"#,
        file = output::path(&options.dir.join(file)),
    ))?)
}

/// The name by which a device reaches the server.
fn host(made: &Made) -> String {
    match made.names.names().first() {
        Some(GeneralName::Ip(address)) if address.is_ipv6() => format!("[{address}]"),
        Some(GeneralName::Ip(address)) => address.to_string(),
        Some(GeneralName::Dns(name)) => name.clone(),
        _ => "localhost".to_owned(),
    }
}

/// A device to show the commands with.
struct Device<'a> {
    label: Option<&'a str>,
    entity: &'static str,
}

impl<'a> Device<'a> {
    fn of(label: Option<&'a NewLabel>) -> Self {
        let entity = match label.map(|label| label.profile.as_str()) {
            Some("tls-server") => "www.example.com",
            Some("smime") => "mia@example.com",
            _ => "device-1.example.com",
        };
        Self { label: label.map(|label| label.name.as_str()), entity }
    }

    fn label_option(&self) -> String {
        self.label.map_or(String::new(), |label| format!(" --label {label}"))
    }

    fn names(&self) -> String {
        if self.entity.contains('@') {
            // RFC 8550 §3: the address is in the subjectAltName.
            return format!("--subject '' --san email:{}", self.entity);
        }
        format!("--subject CN={0} --san DNS:{0}", self.entity)
    }
}
