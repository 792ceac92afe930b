//! From settings to what the core serves.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use est_core::policy::Profile;
use est_core::{Algorithms, Approval, NameBinding, Site};
use est_store::ConfiguredCa;

use crate::config::{self, ClientAnchors, Settings};

/// Settings that were not made by [`config::parse`] and name something that is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SiteError {
    /// There is no CA.
    NoCa,
    /// There is no CA with this id.
    UnknownCa(String),
    /// There is no label with this name.
    UnknownLabel(String),
}

impl fmt::Display for SiteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCa => f.write_str("there is no CA"),
            Self::UnknownCa(id) => write!(f, "there is no CA {id:?}"),
            Self::UnknownLabel(name) => write!(f, "there is no label {name:?}"),
        }
    }
}

impl std::error::Error for SiteError {}

/// The CAs of `settings`, as the store is to know them.
#[must_use]
pub fn configured_cas(settings: &Settings) -> Vec<ConfiguredCa> {
    let configured = |ca: &config::Ca| ConfiguredCa {
        id: ca.id.clone(),
        certificate: ca.certificate.clone(),
        others: ca.rollover.clone(),
    };
    settings.cas.iter().map(configured).collect()
}

/// Builds the site that `settings` describe.
///
/// A request without a label gets `est.default_label`. If there is none and `est.unlabelled` holds, it gets the first CA,
/// without the rules of a label and with or without a subjectAltName; else it is refused.
///
/// # Errors
/// [`SiteError`], which the settings of [`config::parse`] never give.
pub fn site(settings: &Settings, algorithms: Algorithms) -> Result<Site, SiteError> {
    let first = settings.cas.first().ok_or(SiteError::NoCa)?;
    let cas: BTreeMap<&str, Arc<est_core::Ca>> = settings.cas.iter().map(|ca| (ca.id.as_str(), identity(ca))).collect();
    let find = |id: &str| cas.get(id).cloned().ok_or_else(|| SiteError::UnknownCa(id.to_owned()));
    let mut labels = BTreeMap::new();
    for label in &settings.labels {
        let made = labelled(settings, label, find(&label.ca_id)?);
        labels.insert(label.name.clone(), Arc::new(with_clients(made, settings, &label.client_anchors, &cas)));
    }
    let default_label = match &settings.est.default_label {
        Some(name) => Some(labels.get(name).cloned().ok_or_else(|| SiteError::UnknownLabel(name.clone()))?),
        None if settings.est.unlabelled => {
            let made = unlabelled(settings, first, find(&first.id)?);
            Some(Arc::new(with_clients(made, settings, &settings.est.client_anchors, &cas)))
        }
        None => None,
    };
    Ok(Site {
        base_path: settings.est.base_path.clone(),
        default_label,
        labels,
        operations: settings.est.operations,
        algorithms,
        strict_encoding: settings.est.strict_encoding,
        csrattrs_auth: settings.est.csrattrs_auth,
        key_blocklists: settings.est.key_blocklists.clone(),
        base64_line_length: settings.est.base64_line_length,
        retry_after: settings.est.retry_after,
        replay_window: settings.est.replay_window,
        offers_basic: settings.otp.enabled,
    })
}

pub(crate) fn identity(ca: &config::Ca) -> Arc<est_core::Ca> {
    Arc::new(est_core::Ca {
        id: ca.id.clone(),
        certificate: ca.certificate.clone(),
        chain: ca.chain.clone(),
        rollover: ca.rollover.clone(),
    })
}

fn labelled(settings: &Settings, label: &config::Label, ca: Arc<est_core::Ca>) -> est_core::Label {
    let (name, profile) = (Some(label.name.clone()), label.profile.clone());
    let own = settings.ras.iter().filter(|ra| ra.labels.contains(&label.name));
    let mut made =
        est_core::Label::new(name, ca, profile, label.approval, label.certificate_names, &label.csr_attributes)
            .with_linking(label.linking);
    made.authorities = own.map(|ra| ra.authority.clone()).collect();
    made.identities.clone_from(&settings.identities);
    made.certificate_purposes = label.certificate_purposes;
    made.base64_line_length = label.base64_line_length;
    made
}

fn unlabelled(settings: &Settings, own: &config::Ca, ca: Arc<est_core::Ca>) -> est_core::Label {
    let est = &settings.est;
    let mut profile = Profile {
        key_usage: own.key_usage,
        ext_key_usage: own.ext_key_usage.clone(),
        validity: own.validity,
        max_validity: own.max_validity,
        tells_extensions: false,
        ..Profile::new("default")
    };
    own.add_crl_urls(&mut profile);
    let label = est_core::Label::new(None, ca, profile, Approval::Automatic, NameBinding::Own, &est.csr_attributes);
    let mut made = label.with_linking(est.linking);
    made.identities.clone_from(&settings.identities);
    made
}

/// Gives a label the CAs that there are, and those whose certificates authenticate there in addition to its own CA's.
fn with_clients(
    mut label: est_core::Label,
    settings: &Settings,
    anchors: &ClientAnchors,
    cas: &BTreeMap<&str, Arc<est_core::Ca>>,
) -> est_core::Label {
    label.server_cas = cas.values().cloned().collect();
    label.client_anchors = match anchors {
        ClientAnchors::These(anchors) => anchors.clone(),
        ClientAnchors::NotOfThisServer => {
            let all = &settings.tls.client_auth.trust_anchors;
            all.iter().filter(|anchor| !label.is_of_another_ca(anchor)).cloned().collect()
        }
    };
    label
}
