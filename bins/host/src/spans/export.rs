//! Sends spans to a collector, by OTLP over HTTP.

use std::io::{self, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;

use super::TARGET;

/// How long a collector may take for each step of an answer. Nobody waits for it: it has a thread of its own.
const PATIENCE: Duration = Duration::from_secs(5);

/// Spans on their way. Those that are left go out when it is dropped.
#[derive(Debug)]
pub struct Spans(SdkTracerProvider);

impl Drop for Spans {
    fn drop(&mut self) {
        // An unreachable collector does not get them, and the log cannot report it: that would make more spans.
        let _ = self.0.shutdown_with_timeout(PATIENCE);
    }
}

/// Sends every span to the collector at `endpoint`, `http://127.0.0.1:4318` say, under the name of this `node`.
///
/// # Errors
/// When `endpoint` is not one.
pub fn start<S>(endpoint: &str, node: &str) -> Result<(Spans, impl Layer<S>), String>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(Plain)
        .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
        .build()
        .map_err(|error| error.to_string())?;
    let resource = Resource::builder_empty()
        .with_service_name("estd")
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .with_attribute(KeyValue::new("service.instance.id", node.to_owned()))
        .build();
    let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build();
    let layer = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("estd"))
        .with_location(false)
        .with_threads(false)
        .with_filter(filter_fn(|metadata| metadata.target() == TARGET));
    Ok((Spans(provider), layer))
}

/// HTTP/1.1 without TLS, one request for each connection: to a collector on the same machine.
#[derive(Debug)]
struct Plain;

#[async_trait::async_trait]
impl HttpClient for Plain {
    /// Blocks: it is called on the thread that exports.
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let answer = exchange(&request);
        match &answer {
            Ok(answer) if answer.status().is_success() => {}
            Ok(answer) => tracing::warn!(status = answer.status().as_u16(), "the collector does not take spans"),
            Err(error) => tracing::warn!(%error, "the collector does not answer"),
        }
        Ok(answer?)
    }
}

fn exchange(request: &Request<Bytes>) -> io::Result<Response<Bytes>> {
    let broken = |why| io::Error::new(io::ErrorKind::InvalidData, why);
    let authority = request.uri().authority().ok_or_else(|| broken("no host"))?;
    let address = (authority.host().trim_matches(['[', ']']), authority.port_u16().unwrap_or(80));
    let address = address.to_socket_addrs()?.next().ok_or_else(|| broken("the host has no address"))?;
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;

    let mut head = format!("POST {} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n", request.uri().path());
    for (name, value) in request.headers() {
        head.push_str(&format!("{name}: {}\r\n", value.to_str().map_err(|_| broken("a header is not text"))?));
    }
    head.push_str(&format!("Content-Length: {}\r\n\r\n", request.body().len()));
    stream.write_all(head.as_bytes())?;
    stream.write_all(request.body())?;

    let mut status = [0; 12];
    stream.read_exact(&mut status)?;
    let status = std::str::from_utf8(&status).ok().and_then(|line| line.strip_prefix("HTTP/1.1 "));
    let status: u16 = status.and_then(|code| code.parse().ok()).ok_or_else(|| broken("it does not speak HTTP/1.1"))?;
    Response::builder().status(status).body(Bytes::new()).map_err(|_| broken("a status that is none"))
}
