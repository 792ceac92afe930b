//! What no well-meaning client says in HTTP/2: floods, bombs and broken frames, each on a connection of its own.
//!
//! Each is ended or answered as RFC 9113 says. While its connection stands, another client is served; none leaves
//! anything behind but records of refusals, and none makes the process grow.

mod frame;

use std::io::Write;

use est_testkit::https::{Client, Connection};
use est_testkit::server::Server;
use serde_json::Value;

use frame::*;

const ESTD: &str = env!("CARGO_BIN_EXE_estd");

/// The error codes of RFC 9113 §7. Where the library says PROTOCOL_ERROR and the RFC a more telling one, this says
/// what the library says.
const PROTOCOL_ERROR: u32 = 1;
const FLOW_CONTROL_ERROR: u32 = 3;
const FRAME_SIZE_ERROR: u32 = 6;
const REFUSED_STREAM: u32 = 7;
const CANCEL: [u8; 4] = [0, 0, 0, 8];
const ENHANCE_YOUR_CALM: u32 = 11;

/// How often the server may have to reset a stream before it ends the connection.
const MAX_RESETS: usize = 64;

/// The stream of the request that follows every attack on its own connection.
const LAST: u32 = 0x00ff_ffff;

/// What comes of an attack.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// The connection ends with this error.
    GoAway(u32),
    /// Streams end with these errors, the last request is answered.
    Reset(&'static [u32]),
    /// The connection ends without a word.
    Closed,
}

/// Every stream is answered, or left alone.
const SERVED: End = End::Reset(&[]);

/// Its name, what it sends after the preface, and what comes of it.
type Attack = (&'static str, Vec<u8>, End);

fn floods() -> Vec<Attack> {
    let streams = |count: u32| (0..count).map(|number| 2 * number + 1);
    let pair = |stream, second: Vec<u8>| [whole_get(stream), second].concat();
    let small_fields = field("a", "b").repeat(100);
    vec![
        (
            "rapid reset (CVE-2023-44487)",
            streams(1000).flat_map(|stream| pair(stream, frame(RST_STREAM, 0, stream, &CANCEL))).collect(),
            End::GoAway(ENHANCE_YOUR_CALM),
        ),
        (
            "streams that the server has to reset (CVE-2025-8671)",
            streams(2000).flat_map(|stream| [open_post(stream), window(stream, 0x7fff_ffff)].concat()).collect(),
            End::GoAway(ENHANCE_YOUR_CALM),
        ),
        (
            "CONTINUATION without end",
            [frame(HEADERS, END_STREAM, 1, &get()), frame(CONTINUATION, 0, 1, &small_fields).repeat(2000)].concat(),
            End::GoAway(ENHANCE_YOUR_CALM),
        ),
        (
            "empty CONTINUATION without end",
            [frame(HEADERS, END_STREAM, 1, &get()), frame(CONTINUATION, 0, 1, b"").repeat(20_000)].concat(),
            End::GoAway(ENHANCE_YOUR_CALM),
        ),
        ("SETTINGS by the thousand", frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 100]).repeat(2000), SERVED),
        ("PING by the thousand", frame(PING, 0, 0, b"12345678").repeat(5000), SERVED),
        ("PRIORITY by the thousand", frame(PRIORITY, 0, 1, &[0, 0, 0, 3, 16]).repeat(5000), SERVED),
        (
            "empty DATA by the thousand",
            [open_post(1), frame(DATA, 0, 1, b"").repeat(10_000)].concat(),
            End::GoAway(ENHANCE_YOUR_CALM),
        ),
        (
            "more padding than data",
            [open_post(1), frame(DATA, PADDED, 1, &[&[255], &[0; 255][..]].concat()).repeat(200)].concat(),
            End::GoAway(ENHANCE_YOUR_CALM),
        ),
        (
            "more streams than there may be",
            streams(80).flat_map(open_post).collect(),
            End::Reset(&[REFUSED_STREAM; 17]),
        ),
        (
            "answers that the client has no window for",
            [frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]), streams(60).flat_map(whole_get).collect()].concat(),
            SERVED,
        ),
    ]
}

fn bombs() -> Vec<Attack> {
    let bomb = [get(), indexed_field("a", &"b".repeat(4000)), vec![0x80 | 62; 12_000]].concat();
    let headers = |block: &[u8]| frame(HEADERS, END_STREAM | END_HEADERS, 1, block);
    vec![
        ("48 MB of fields in 16 KB of HPACK", headers(&bomb), End::GoAway(ENHANCE_YOUR_CALM)),
        ("a field that no table holds", headers(&[&*get(), &[0xff, 0x00]].concat()), End::GoAway(PROTOCOL_ERROR)),
        ("an HPACK integer without end", headers(&[0xff; 200]), End::GoAway(PROTOCOL_ERROR)),
        (
            "a dynamic table over its limit",
            headers(&[b"\x3f\xe1\xff\x7f", &*get()].concat()),
            End::GoAway(PROTOCOL_ERROR),
        ),
    ]
}

fn broken_frames() -> Vec<Attack> {
    let on_itself = [&[0, 0, 0, 1, 16], &*get()].concat();
    vec![
        ("HTTP/1.1", b"GET /.well-known/est/cacerts HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(), End::Closed),
        ("a connection window over 2^31 - 1", window(0, 0x7fff_ffff), End::GoAway(FLOW_CONTROL_ERROR)),
        (
            "a stream window over 2^31 - 1",
            [open_post(1), window(1, 0x7fff_ffff)].concat(),
            End::Reset(&[FLOW_CONTROL_ERROR]),
        ),
        ("no increment of the connection window", window(0, 0), End::GoAway(PROTOCOL_ERROR)),
        ("no increment of a stream window", [open_post(1), window(1, 0)].concat(), End::GoAway(PROTOCOL_ERROR)),
        (
            "an initial window over 2^31 - 1",
            frame(SETTINGS, 0, 0, &[0, 4, 0xff, 0xff, 0xff, 0xff]),
            End::GoAway(PROTOCOL_ERROR),
        ),
        ("a stream used again", [whole_get(1), whole_get(1)].concat(), End::GoAway(PROTOCOL_ERROR)),
        ("a stream below the last", [whole_get(5), whole_get(3)].concat(), End::GoAway(PROTOCOL_ERROR)),
        ("a stream of the server's", whole_get(2), End::GoAway(PROTOCOL_ERROR)),
        ("HEADERS on no stream", whole_get(0), End::GoAway(PROTOCOL_ERROR)),
        ("DATA on a stream that nobody opened", frame(DATA, 0, 1, b"a"), End::GoAway(PROTOCOL_ERROR)),
        ("DATA after the end", [whole_get(1), frame(DATA, 0, 1, b"a")].concat(), End::GoAway(PROTOCOL_ERROR)),
        (
            "another frame within the fields",
            [frame(HEADERS, END_STREAM, 1, &get()), frame(PING, 0, 0, b"12345678")].concat(),
            End::GoAway(PROTOCOL_ERROR),
        ),
        (
            "another stream's CONTINUATION",
            [frame(HEADERS, END_STREAM, 1, &get()), frame(CONTINUATION, END_HEADERS, 3, b"")].concat(),
            End::GoAway(PROTOCOL_ERROR),
        ),
        ("CONTINUATION of nothing", frame(CONTINUATION, END_HEADERS, 1, &get()), End::GoAway(PROTOCOL_ERROR)),
        (
            "a frame over the greatest size",
            [open_post(1), frame(DATA, 0, 1, &[0; 16_385])].concat(),
            End::GoAway(FRAME_SIZE_ERROR),
        ),
        ("a PING of seven octets", frame(PING, 0, 0, b"1234567"), End::GoAway(PROTOCOL_ERROR)),
        ("SETTINGS of five octets", frame(SETTINGS, 0, 0, b"12345"), End::GoAway(PROTOCOL_ERROR)),
        (
            "a push",
            frame(PUSH_PROMISE, END_HEADERS, 1, &[&[0, 0, 0, 2], &*get()].concat()),
            End::GoAway(PROTOCOL_ERROR),
        ),
        (
            "more padding than frame",
            [open_post(1), frame(DATA, PADDED, 1, &[200, 0, 0])].concat(),
            End::GoAway(PROTOCOL_ERROR),
        ),
        (
            "a stream that depends on itself",
            frame(HEADERS, END_STREAM | END_HEADERS | WITH_PRIORITY, 1, &on_itself),
            End::Reset(&[PROTOCOL_ERROR]),
        ),
    ]
}

/// Malformed requests (RFC 9113 §8.1.1): what one part of a chain reads so and another otherwise.
fn malformed_requests() -> Vec<Attack> {
    let get_with = |more: Vec<u8>| frame(HEADERS, END_STREAM | END_HEADERS, 1, &[get(), more].concat());
    let length = |octets: &str| frame(HEADERS, END_HEADERS, 1, &[post(), literal(28, octets)].concat());
    let malformed = || End::Reset(&[PROTOCOL_ERROR]);
    vec![
        ("more DATA than Content-Length says", [length("1"), frame(DATA, END_STREAM, 1, b"aa")].concat(), malformed()),
        ("less DATA than Content-Length says", [length("9"), frame(DATA, END_STREAM, 1, b"aa")].concat(), malformed()),
        ("a field name in capitals", get_with(field("Host", "localhost")), End::GoAway(PROTOCOL_ERROR)),
        ("Transfer-Encoding", get_with(field("transfer-encoding", "chunked")), malformed()),
        ("Connection", get_with(field("connection", "close")), malformed()),
        ("a line break in a field", get_with(field("a", "b\r\nc: d")), End::GoAway(PROTOCOL_ERROR)),
        ("a pseudo-field after a field", get_with([field("a", "b"), literal(4, "/")].concat()), malformed()),
        ("two paths", get_with(literal(4, "/")), malformed()),
        ("no method", frame(HEADERS, END_STREAM | END_HEADERS, 1, &get()[1..]), malformed()),
    ]
}

#[test]
fn survives_every_hostile_http2_connection() {
    let server = Server::dev(ESTD);
    let client = Client::new(server.port(), &server.ca());
    let hostile = client.clone().offering_http2();
    let before = state(&server);
    let attacks: Vec<Attack> =
        [floods(), bombs(), broken_frames(), malformed_requests()].into_iter().flatten().collect();
    let mut faults = Vec::new();
    for (name, octets, expected) in &attacks {
        let mut connection = hostile.connect().expect("a connection");
        let hello = if *expected == End::Closed { Vec::new() } else { hello() };
        let octets = [&*hello, octets, &whole_get(LAST)].concat();
        // A server that has seen enough closes before it has read everything.
        let _ = connection.write_all(&octets).and_then(|()| connection.flush());
        let (end, fits) = outcome(&mut connection, expected);
        if !fits {
            faults.push(format!("{name}: {end} instead of {expected:?}"));
        }
        let answer = client.exchange(GET).expect("another client is served");
        assert_eq!(answer.status, 200, "after {name}");
    }
    assert!(faults.is_empty(), "{} of {}:\n{}", faults.len(), attacks.len(), faults.join("\n"));
    assert_eq!(state(&server), before, "an attack changed something");
    assert!(peak_kib(&server) < 100_000, "{} KiB resident", peak_kib(&server));
    let (status, log) = server.stop();
    assert!(status.success() && !log.contains("panicked"));
}

const GET: &[u8] = b"GET /.well-known/est/cacerts HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/// Reads until the connection ends or the last request is answered; says what came, and whether it was expected.
fn outcome(connection: &mut Connection, expected: &End) -> (String, bool) {
    let (mut octets, mut resets) = (Vec::new(), Vec::new());
    loop {
        while let Some(frame) = Frame::take(&mut octets) {
            match frame.kind {
                RST_STREAM => {
                    resets.push(frame.error(0));
                    if frame.stream == LAST {
                        return (
                            format!("resets {resets:?}"),
                            matches!(expected, End::Reset(codes) if *codes == resets),
                        );
                    }
                }
                GOAWAY => {
                    let fits = *expected == End::GoAway(frame.error(4)) && resets.len() <= MAX_RESETS;
                    let said = format!("GOAWAY {} {}", frame.error(4), frame.payload[8..].escape_ascii());
                    return (format!("{said} after {} resets", resets.len()), fits);
                }
                // 0x88 is `:status: 200`.
                HEADERS if frame.stream == LAST && frame.payload[0] == 0x88 => {
                    let fits = matches!(expected, End::Reset(codes) if *codes == resets);
                    return (format!("an answer after {resets:?}"), fits);
                }
                _ => {}
            }
        }
        let came = connection.conn.read_tls(&mut connection.sock);
        if !came.is_ok_and(|count| count > 0) || connection.conn.process_new_packets().is_err() {
            return (String::from("the end of the connection"), *expected == End::Closed);
        }
        // What is there is read; `WouldBlock` says that there is no more.
        let _ = std::io::Read::read_to_end(&mut connection.conn.reader(), &mut octets);
    }
}

/// Everything that an operator can see change, but for the records of refusals.
fn state(server: &Server) -> [Value; 4] {
    let commands: [&[&str]; 4] =
        [&["certs", "list"], &["otp", "list"], &["requests", "list", "--all"], &["audit", "list", "--limit", "10000"]];
    let mut state = commands.map(|command| server.estd_json(command));
    let events = state[3]["events"].as_array_mut().expect("a list");
    events.retain(|event| event["event"] != "cert.denied");
    state
}

/// The most memory that the server has had.
fn peak_kib(server: &Server) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).expect("the process runs");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a figure");
    peak.trim().trim_end_matches(" kB").parse().expect("a number")
}
