//! `[[ra]]`.

use est_core::policy::RegistrationAuthority;

use super::pattern;
use crate::config::diagnostic::Fault;
use crate::config::reader::Reader;
use crate::config::settings::{Label, Ra};
use crate::config::{keys, names};

pub(super) fn read(root: &Reader<'_>, labels: Option<&[Label]>) -> Option<Vec<Ra>> {
    let known: Option<Vec<&str>> = labels.map(|labels| labels.iter().map(|label| label.name.as_str()).collect());
    let mut ras: Vec<Option<Ra>> = Vec::new();
    for section in root.open_all(&keys::RA) {
        let name = section.get("name", names::identifier);
        if ras.iter().flatten().any(|ra| Some(&ra.authority.name) == name.as_ref()) {
            section.fault("name", Fault::new("another [[ra]] has this name"));
        }
        ras.push(ra(&section, name, known.as_deref()));
    }
    ras.into_iter().collect()
}

fn ra(section: &Reader<'_>, name: Option<String>, known: Option<&[&str]>) -> Option<Ra> {
    let certificate = section.get("certificate", pattern::subject);
    let labels = section.list("labels", |given| match known {
        Some(known) => names::existing(given, "label", "[[est.label]]", known),
        None => given.text(),
    });
    let subject_pattern = section.optional("subject_pattern", pattern::subject);
    let allowed = section.optional_list("names", pattern::name_rule);
    if labels.as_ref().is_some_and(Vec::is_empty) {
        section.fault("labels", Fault::new("must not be empty: the authority could enroll nobody"));
    }
    if matches!((&subject_pattern, &allowed), (Some(None), Some(Some(_)))) {
        let fault = Fault::new("limits subjectAltNames alone: the authority may ask for any subject");
        section.warn("names", fault.help("write subject_pattern too"));
    }
    Some(Ra {
        labels: labels?,
        authority: RegistrationAuthority {
            name: name?,
            certificate: certificate?,
            subject_pattern: subject_pattern?,
            names: allowed?,
        },
    })
}
