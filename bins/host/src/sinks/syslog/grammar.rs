//! The grammar of RFC 5424 §6, read from the RFC and not from the formatter.

/// An SD-ELEMENT: its name, and its parameters.
type Element = (String, Vec<(String, String)>);

/// A message, taken apart.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) priority: u16,
    pub(super) timestamp: String,
    pub(super) host: String,
    pub(super) program: String,
    pub(super) process: String,
    pub(super) id: String,
    pub(super) elements: Vec<Element>,
    /// The text, without its byte order mark.
    pub(super) text: Option<String>,
    pub(super) has_mark: bool,
}

impl Message {
    pub(super) fn parameter(&self, element: &str, name: &str) -> Option<&str> {
        let (_, parameters) = self.elements.iter().find(|(id, _)| id == element)?;
        parameters.iter().find(|(parameter, _)| parameter == name).map(|(_, value)| value.as_str())
    }
}

/// Reads `SYSLOG-MSG`; says where it is not one.
pub(super) fn parse(octets: &[u8]) -> Result<Message, String> {
    let mut rest = Rest(octets);
    rest.literal(b"<")?;
    let priority = rest.until(b'>')?;
    let priority = priority.to_owned();
    rest.literal(b">")?;
    let leading_zero = priority.len() > 1 && priority.starts_with('0');
    let priority: u16 = priority.parse().map_err(|_| "PRIVAL is not a number")?;
    if priority > 191 || leading_zero {
        return Err("PRIVAL".into());
    }
    rest.literal(b"1 ")?;
    let timestamp = rest.word(64)?;
    check_timestamp(&timestamp)?;
    let host = rest.word(255)?;
    let program = rest.word(48)?;
    let process = rest.word(128)?;
    let id = rest.word(32)?;
    let elements = rest.structured_data()?;
    let (text, has_mark) = match rest.0 {
        [] => (None, false),
        [b' ', text @ ..] => {
            let text = std::str::from_utf8(text).map_err(|_| "MSG is not UTF-8")?;
            let unmarked = text.strip_prefix('\u{feff}');
            if unmarked.is_none() && !text.is_ascii() {
                return Err("MSG-UTF8 without BOM".into());
            }
            (Some(unmarked.unwrap_or(text).to_owned()), unmarked.is_some())
        }
        other => return Err(format!("after STRUCTURED-DATA: {other:?}")),
    };
    Ok(Message { priority, timestamp, host, program, process, id, elements, text, has_mark })
}

/// FULL-DATE "T" FULL-TIME, up to six digits of a fraction, no leap second.
fn check_timestamp(text: &str) -> Result<(), String> {
    if text == "-" {
        return Ok(());
    }
    let wrong = || format!("TIMESTAMP {text}");
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect();
    let rest = shape.strip_prefix("9999-99-99T99:99:99").ok_or_else(wrong)?;
    let zone = match rest.strip_prefix('.') {
        Some(fraction) => {
            let zone = fraction.trim_start_matches('9');
            if !(1..=6).contains(&(fraction.len() - zone.len())) {
                return Err(wrong());
            }
            zone
        }
        None => rest,
    };
    let number = |range: std::ops::Range<usize>| text[range].parse::<u32>().unwrap_or(99);
    let in_range = (1..=12).contains(&number(5..7))
        && (1..=31).contains(&number(8..10))
        && number(11..13) < 24
        && number(14..16) < 60
        && number(17..19) < 60;
    if in_range && matches!(zone, "Z" | "+99:99" | "-99:99") { Ok(()) } else { Err(wrong()) }
}

struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn literal(&mut self, wanted: &[u8]) -> Result<(), String> {
        self.0 = self.0.strip_prefix(wanted).ok_or_else(|| format!("{wanted:?} is not there: {:?}", self.0))?;
        Ok(())
    }

    fn until(&mut self, end: u8) -> Result<&str, String> {
        let length = self.0.iter().position(|octet| *octet == end).ok_or("no end")?;
        let (found, rest) = self.0.split_at(length);
        self.0 = rest;
        std::str::from_utf8(found).map_err(|_| "not ASCII".into())
    }

    /// PRINTUSASCII, 1 to `max` of them, and SP.
    fn word(&mut self, max: usize) -> Result<String, String> {
        let word = self.until(b' ')?.to_owned();
        self.literal(b" ")?;
        let printable = word.bytes().all(|octet| (33..=126).contains(&octet));
        if printable && (1..=max).contains(&word.len()) { Ok(word) } else { Err(format!("header field {word:?}")) }
    }

    /// SD-NAME: printable, without `=`, SP, `]` and `"`, up to 32.
    fn name(&mut self) -> Result<String, String> {
        let is_end = |octet: &u8| matches!(octet, b'=' | b' ' | b']' | b'"');
        let length = self.0.iter().position(is_end).ok_or("a name without end")?;
        let (name, rest) = self.0.split_at(length);
        self.0 = rest;
        let valid = (1..=32).contains(&length) && name.iter().all(|octet| (33..=126).contains(octet));
        if !valid {
            return Err(format!("SD-NAME {name:?}"));
        }
        String::from_utf8(name.to_vec()).map_err(|_| "SD-NAME".into())
    }

    fn structured_data(&mut self) -> Result<Vec<Element>, String> {
        if self.0.first() == Some(&b'-') {
            self.0 = &self.0[1..];
            return Ok(Vec::new());
        }
        let mut elements: Vec<Element> = Vec::new();
        while self.0.first() == Some(&b'[') {
            self.literal(b"[")?;
            let id = self.name()?;
            if elements.iter().any(|(other, _)| *other == id) {
                return Err(format!("SD-ID {id} twice"));
            }
            let mut parameters = Vec::new();
            while self.0.first() == Some(&b' ') {
                self.literal(b" ")?;
                let name = self.name()?;
                self.literal(b"=\"")?;
                parameters.push((name, self.value()?));
            }
            self.literal(b"]")?;
            elements.push((id, parameters));
        }
        if elements.is_empty() { Err("no STRUCTURED-DATA".into()) } else { Ok(elements) }
    }

    /// UTF-8 in which `"`, `\` and `]` stand behind a backslash, up to the quote.
    fn value(&mut self) -> Result<String, String> {
        let mut value = Vec::new();
        loop {
            match self.0 {
                [b'\\', escaped @ (b'"' | b'\\' | b']'), rest @ ..] => {
                    value.push(*escaped);
                    self.0 = rest;
                }
                [b'"', rest @ ..] => {
                    self.0 = rest;
                    return String::from_utf8(value).map_err(|_| "PARAM-VALUE is not UTF-8".into());
                }
                [b']', ..] => return Err("a bare ] in PARAM-VALUE".into()),
                [octet, rest @ ..] => {
                    value.push(*octet);
                    self.0 = rest;
                }
                [] => return Err("PARAM-VALUE without end".into()),
            }
        }
    }
}
