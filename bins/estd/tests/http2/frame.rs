//! HTTP/2 frames, octet for octet (RFC 9113 §4.1), and as much of HPACK (RFC 7541) as it takes to write requests.

/// What a client says first: the preface (§3.4) and an empty SETTINGS.
pub(crate) fn hello() -> Vec<u8> {
    [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &*frame(SETTINGS, 0, 0, b"")].concat()
}

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PUSH_PROMISE: u8 = 5;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const END_STREAM: u8 = 0x01;
pub(crate) const END_HEADERS: u8 = 0x04;
pub(crate) const PADDED: u8 = 0x08;
pub(crate) const WITH_PRIORITY: u8 = 0x20;

/// Writes a frame.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("short").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// The fields of a GET of `/cacerts`.
pub(crate) fn get() -> Vec<u8> {
    // :method GET, :scheme https, :path, :authority: of the static table.
    [b"\x82\x87".to_vec(), literal(4, "/.well-known/est/cacerts"), literal(1, "localhost")].concat()
}

/// The fields of a POST to `/simpleenroll`.
pub(crate) fn post() -> Vec<u8> {
    let content_type = literal(31, "application/pkcs10");
    let path = literal(4, "/.well-known/est/simpleenroll");
    [b"\x83\x87".to_vec(), path, literal(1, "localhost"), content_type].concat()
}

/// A field whose name has this index, not to be indexed itself (RFC 7541 §6.2.2).
pub(crate) fn literal(index: u8, value: &str) -> Vec<u8> {
    let mut field = if index < 15 { vec![index] } else { vec![15, index - 15] };
    field.extend(text(value));
    field
}

/// A field with a name of its own, not to be indexed.
pub(crate) fn field(name: &str, value: &str) -> Vec<u8> {
    [vec![0], text(name), text(value)].concat()
}

/// A field with a name of its own that enters the dynamic table, where it is 62 (RFC 7541 §6.2.1).
pub(crate) fn indexed_field(name: &str, value: &str) -> Vec<u8> {
    [vec![0x40], text(name), text(value)].concat()
}

/// A string, not Huffman-coded (RFC 7541 §5.2).
fn text(value: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    match value.len().checked_sub(127) {
        None => octets.push(value.len() as u8),
        Some(mut rest) => {
            octets.push(127);
            while rest >= 128 {
                octets.push(rest as u8 | 0x80);
                rest >>= 7;
            }
            octets.push(rest as u8);
        }
    }
    octets.extend_from_slice(value.as_bytes());
    octets
}

/// A GET on a stream of its own.
pub(crate) fn whole_get(stream: u32) -> Vec<u8> {
    frame(HEADERS, END_STREAM | END_HEADERS, stream, &get())
}

/// A POST whose body is to come.
pub(crate) fn open_post(stream: u32) -> Vec<u8> {
    frame(HEADERS, END_HEADERS, stream, &post())
}

/// A larger window, for a stream or, at 0, the connection.
pub(crate) fn window(stream: u32, increment: u32) -> Vec<u8> {
    frame(WINDOW_UPDATE, 0, stream, &increment.to_be_bytes())
}

/// A frame that came.
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    /// Takes the first frame off `octets`, if it is complete.
    pub(crate) fn take(octets: &mut Vec<u8>) -> Option<Self> {
        let head = octets.first_chunk::<9>()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let (kind, stream) = (head[3], u32::from_be_bytes([head[5], head[6], head[7], head[8]]));
        let payload = octets.get(9..9 + length)?.to_vec();
        octets.drain(..9 + length);
        Some(Self { kind, stream, payload })
    }

    /// The error code of RST_STREAM, at 0, and GOAWAY, at 4.
    pub(crate) fn error(&self, at: usize) -> u32 {
        u32::from_be_bytes(self.payload[at..at + 4].try_into().expect("four octets"))
    }
}
