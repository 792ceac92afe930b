//! What a path that is not served was probably meant to be.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::wire::http::{percent_decode, percent_encode};
use crate::{Operation, Site};

/// The path of an operation that differs from `path` in little: case, empty segments, a final slash, percent-encoding,
/// hyphens, the base path. Made of what the site has, never of what the client sent.
pub(super) fn path(site: &Site, path: &str) -> Option<String> {
    let path = percent_decode(path)?;
    let mut segments: Vec<&str> = path.split('/').filter(|segment| !matches!(*segment, "" | "." | "..")).collect();
    let operation = operation(segments.pop()?)?;
    let base: Vec<&str> = site.base_path.split('/').filter(|segment| !segment.is_empty()).collect();
    let is_base = segments.len() >= base.len()
        && base.iter().zip(&segments).all(|(ours, theirs)| ours.eq_ignore_ascii_case(theirs));
    let rest = if is_base { &segments[base.len()..] } else { &segments[..] };
    let label = rest.last().and_then(|named| site.labels.keys().find(|label| label.eq_ignore_ascii_case(named)));
    match label {
        Some(label) => Some(format!("{}/{}/{operation}", site.base_path, percent_encode(label))),
        None if rest.is_empty() || !is_base => Some(format!("{}/{operation}", site.base_path)),
        None => None,
    }
}

/// `SimpleEnroll`, `simple-enroll`, `enroll`, `cacert`.
fn operation(segment: &str) -> Option<Operation> {
    let letters = segment.chars().filter(char::is_ascii_alphanumeric);
    let folded: String = letters.map(|letter| letter.to_ascii_lowercase()).collect();
    Operation::ALL.into_iter().find(|operation| {
        let own = operation.segment();
        own == folded || own.strip_prefix("simple") == Some(&folded) || own.strip_suffix('s') == Some(&folded)
    })
}
