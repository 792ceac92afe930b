//! Whom passwords are for, in a file: a name on each line, or CSV (RFC 4180) with a heading.

use std::fmt::Display;
use std::fs;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use host::otp::Request;

use crate::output::parse_span;

/// The columns that there can be.
const COLUMNS: [&str; 5] = ["entity_id", "est_label", "names", "ttl", "max_uses"];
/// So many passwords are made of a file at most.
const MOST: usize = 100_000;

/// Reads a file, and checks every line before anything is made of one.
///
/// # Errors
/// The first line that is wrong, and what is wrong with it.
pub(super) fn read<E: Display>(
    file: &Path,
    default: &Request,
    check: impl Fn(&Request) -> Result<(), E>,
) -> Result<Vec<Request>> {
    let text = if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("cannot read standard input")?;
        text
    } else {
        fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?
    };
    let requests = parse(&text, default, check).with_context(|| file.display().to_string())?;
    ensure!(!requests.is_empty(), "{}: no entity is in it", file.display());
    ensure!(requests.len() <= MOST, "{}: {} entities, and {MOST} are the most", file.display(), requests.len());
    Ok(requests)
}

fn parse<E: Display>(text: &str, default: &Request, check: impl Fn(&Request) -> Result<(), E>) -> Result<Vec<Request>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut columns: Option<Vec<&'static str>> = None;
    let mut requests = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        let line = line.trim_end();
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let fields = split(line).with_context(|| format!("line {number}"))?;
        if requests.is_empty() && columns.is_none() && fields.iter().any(|field| field == "entity_id") {
            columns = Some(heading(&fields).with_context(|| format!("line {number}"))?);
            continue;
        }
        let columns = columns.as_deref().unwrap_or(&COLUMNS[..1]);
        ensure!(
            fields.len() <= columns.len(),
            "line {number}: {} columns where there are {}: a heading names them, as {}",
            fields.len(),
            columns.len(),
            COLUMNS.join(",")
        );
        let request = request(columns, &fields, default).with_context(|| format!("line {number}"))?;
        check(&request).map_err(|error| anyhow::anyhow!("line {number}: {error}"))?;
        requests.push(request);
    }
    Ok(requests)
}

fn heading(fields: &[String]) -> Result<Vec<&'static str>> {
    let known = |field: &String| COLUMNS.into_iter().find(|column| *column == field.trim());
    let columns = fields.iter().map(|field| known(field).ok_or(field));
    columns
        .collect::<Result<_, _>>()
        .map_err(|field| anyhow::anyhow!("there is no column {field:?}: they are {}", COLUMNS.join(", ")))
}

fn request(columns: &[&str], fields: &[String], default: &Request) -> Result<Request> {
    let mut request = default.clone();
    for (column, field) in columns.iter().zip(fields).filter(|(_, field)| !field.is_empty()) {
        match *column {
            "entity_id" => request.entity = Some(field.clone()),
            "est_label" => request.label = Some(field.clone()),
            "names" => request.names = field.split(';').map(|name| name.trim().to_owned()).collect(),
            "ttl" => request.ttl = Some(parse_span(field).map_err(|error| anyhow::anyhow!("ttl: {error}"))?),
            _ => {
                request.uses = Some(field.parse().map_err(|_| anyhow::anyhow!("max_uses: {field:?} is not a number"))?)
            }
        }
    }
    ensure!(request.entity.is_some(), "no entity_id");
    Ok(request)
}

/// Splits a line into its fields; double quotes hold commas and, doubled, themselves.
fn split(line: &str) -> Result<Vec<String>> {
    let (mut fields, mut rest) = (Vec::new(), line);
    loop {
        let (field, after) = match rest.strip_prefix('"') {
            Some(quoted) => unquoted(quoted)?,
            None => {
                let end = rest.find(',').unwrap_or(rest.len());
                (rest[..end].trim().to_owned(), &rest[end..])
            }
        };
        fields.push(field);
        match after.strip_prefix(',') {
            Some(next) => rest = next,
            None if after.is_empty() => return Ok(fields),
            None => bail!("{after:?} comes after a closing quote"),
        }
    }
}

fn unquoted(text: &str) -> Result<(String, &str)> {
    let (mut field, mut rest) = (String::new(), text);
    loop {
        let end = rest.find('"').context("a quote is never closed")?;
        field.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('"') {
            Some(more) => {
                field.push('"');
                rest = more;
            }
            None => return Ok((field, rest)),
        }
    }
}

/// A field as it is written.
pub(super) fn field(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    fn read(text: &str) -> Result<Vec<Request>> {
        parse(text, &Request { uses: Some(1), ..Request::default() }, |_| Ok::<_, String>(()))
    }

    #[test]
    fn reads_names_on_lines_and_columns_under_a_heading() {
        let lines = read("# the meters\nmeter-1\r\n\nmeter-2\n").unwrap();
        let entities: Vec<_> = lines.iter().map(|request| request.entity.as_deref().unwrap()).collect();
        assert_eq!(entities, ["meter-1", "meter-2"]);
        let rows = read("names,entity_id,ttl\n\"dns:a.example; subject:CN=*,O=Lab\",meter-1,2h\n,\"m, \"\"2\"\"\",\n")
            .unwrap();
        assert_eq!(rows[0].names, ["dns:a.example", "subject:CN=*,O=Lab"]);
        assert_eq!(rows[0].ttl, Some(est_core::Seconds(7200)));
        assert_eq!((rows[1].entity.as_deref(), rows[1].uses), (Some("m, \"2\""), Some(1)));
        assert_eq!(field("m, \"2\""), "\"m, \"\"2\"\"\"");
    }

    #[test]
    fn names_the_line_that_is_wrong() {
        for (text, told) in [
            ("meter-1\nmeter-2,factory\n", "line 2: 2 columns"),
            ("entity_id,color\n", "there is no column \"color\""),
            ("entity_id,ttl\nmeter-1,soon\n", "line 2"),
            ("est_label,entity_id\nfactory,\n", "no entity_id"),
            ("\"meter-1\n", "never closed"),
        ] {
            let error = format!("{:#}", read(text).unwrap_err());
            assert!(error.contains(told), "{text:?}: {error}");
        }
    }
}
