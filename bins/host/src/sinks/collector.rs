//! The connection to a syslog collector.

use std::fmt;
use std::io;
use std::net::Shutdown;
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::time::Duration;

use rustix::net::sockopt;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, WriteHalf};
use tokio::net::{TcpStream, UdpSocket};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;

use super::tls;

/// How long connecting may take, the handshake of TLS included.
const CONNECT_WITHIN: Duration = Duration::from_secs(15);

/// How long a collector may leave what is sent to it unacknowledged by TCP, or unread until there is no room for more.
/// Then the connection ends, and what went with it is sent again.
const ACKNOWLEDGE_WITHIN: Duration = Duration::from_secs(20);

/// How long a collector that is told to may take to close the connection.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);

/// How long after a close_notify the end of a TCP connection comes, unless the collector waits for a close_notify first.
const FOLLOWS_WITHIN: Duration = Duration::from_millis(500);

/// How often it is looked whether something has happened to a connection that nothing tells of.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Where a collector listens, and by what transport.
#[derive(Clone, Debug)]
pub(super) struct Address {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) transport: Transport,
}

#[derive(Clone, Debug)]
pub(super) enum Transport {
    Udp,
    Tcp,
    Tls(Arc<ClientConfig>),
}

/// As a URL, in one spelling.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.transport {
            Transport::Udp => "udp",
            Transport::Tcp => "tcp",
            Transport::Tls(_) => "tcp+tls",
        };
        let host = self.host.to_ascii_lowercase();
        if host.contains(':') {
            write!(f, "{scheme}://[{host}]:{}", self.port)
        } else {
            write!(f, "{scheme}://{host}:{}", self.port)
        }
    }
}

/// An open connection.
pub(super) enum Connection {
    Udp(UdpSocket),
    Stream(Stream),
}

impl Connection {
    pub(super) async fn open(address: &Address) -> io::Result<Self> {
        timeout(CONNECT_WITHIN, Self::connect(address)).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    async fn connect(Address { host, port, transport }: &Address) -> io::Result<Self> {
        if let Transport::Udp = transport {
            let mut addresses = tokio::net::lookup_host((host.as_str(), *port)).await?;
            let address = addresses.next().ok_or(io::ErrorKind::NotFound)?;
            let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
            let socket = UdpSocket::bind(any).await?;
            socket.connect(address).await?;
            return Ok(Self::Udp(socket));
        }
        let tcp = TcpStream::connect((host.as_str(), *port)).await?;
        sockopt::set_socket_keepalive(&tcp, true)?;
        sockopt::set_tcp_keepidle(&tcp, ACKNOWLEDGE_WITHIN)?;
        let millis = u32::try_from(ACKNOWLEDGE_WITHIN.as_millis()).unwrap_or(u32::MAX);
        sockopt::set_tcp_user_timeout(&tcp, millis)?;
        let below = std::net::TcpStream::from(tcp.as_fd().try_clone_to_owned()?);
        let stream = match transport {
            Transport::Tls(config) => {
                let name = ServerName::try_from(host.clone()).map_err(io::Error::other)?;
                let tls = TlsConnector::from(config.clone()).connect(name, tcp).await.map_err(tls::explained)?;
                Stream::new(tls, below)
            }
            Transport::Udp | Transport::Tcp => Stream::new(tcp, below),
        };
        Ok(Self::Stream(stream))
    }

    /// Sends the messages in their order. When this returns, the operating system has them, and nobody knows more:
    /// syslog has no acknowledgement.
    pub(super) async fn send(&mut self, messages: &[String]) -> io::Result<()> {
        if !self.is_open() {
            return Err(self.ended().await);
        }
        match self {
            Self::Udp(socket) => {
                for message in messages {
                    socket.send(message.as_bytes()).await?;
                }
                // The system reports a refused datagram with the next call, unless it is asked.
                socket.take_error()?.map_or(Ok(()), Err)
            }
            Self::Stream(stream) => {
                // Octet counting (RFC 5425 §4.3, RFC 6587 §3.4.1): no message can be taken for two.
                let frames: String = messages.iter().map(|message| format!("{} {message}", message.len())).collect();
                let write = async {
                    stream.writer.write_all(frames.as_bytes()).await?;
                    stream.writer.flush().await
                };
                timeout(ACKNOWLEDGE_WITHIN, write).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
            }
        }
    }

    /// Waits until the collector ends the connection, and tells how.
    pub(super) async fn ended(&mut self) -> io::Error {
        let Self::Stream(stream) = self else {
            // The system reports what comes back to a datagram socket with the next send.
            return std::future::pending().await;
        };
        match (&mut stream.reader).await {
            Ok(Ok(())) => {
                stream.end = End::InOrder;
                io::Error::other("the collector closed the connection")
            }
            Ok(Err(error)) => {
                if error.kind() == io::ErrorKind::UnexpectedEof {
                    stream.end = End::Unsaid;
                }
                tls::explained(error)
            }
            Err(error) => error.into(),
        }
    }

    /// Ends a connection that the collector has ended, and tells how it did. It has acknowledged everything that it was
    /// sent unless that is [`End::Failed`].
    pub(super) async fn leave(self) -> End {
        let Self::Stream(mut stream) = self else { return End::Failed };
        if stream.end == End::Failed {
            return End::Failed;
        }
        match timeout(CLOSE_WITHIN, stream.leave()).await {
            Ok(Ok(())) => stream.end,
            Ok(Err(_)) | Err(_) => End::Failed,
        }
    }

    /// Whether the collector has not ended the connection.
    pub(super) fn is_open(&self) -> bool {
        match self {
            Self::Udp(_) => true,
            Self::Stream(stream) => !stream.reader.is_finished(),
        }
    }

    /// Ends the connection in order, with TLS's close_notify, and waits for the collector to do the same. Whether it
    /// did: it then has read all that it was sent. Some never send a close_notify of their own; the end of a TCP
    /// connection alone is something that anybody on the way can make up.
    pub(super) async fn close(mut self) -> bool {
        let is_open = self.is_open();
        let Self::Stream(stream) = &mut self else { return true };
        let close = async {
            stream.writer.shutdown().await?;
            (&mut stream.reader).await.map_err(io::Error::from)?
        };
        is_open && matches!(timeout(CLOSE_WITHIN, close).await, Ok(Ok(())))
    }
}

/// How a collector has ended a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// In order, with TLS's close_notify where there is TLS.
    InOrder,
    /// Without a close_notify: anybody on the way can make that up.
    Unsaid,
    /// With an error, or before it had acknowledged everything.
    Failed,
}

/// A connection that octets are sent over, and on which the collector says nothing but that it ends.
pub(super) struct Stream {
    writer: WriteHalf<Box<dyn Duplex>>,
    reader: JoinHandle<io::Result<()>>,
    /// What is below TLS.
    tcp: std::net::TcpStream,
    end: End,
}

trait Duplex: AsyncRead + AsyncWrite + Send + Sync + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Duplex for T {}

impl Stream {
    fn new(stream: impl Duplex + 'static, tcp: std::net::TcpStream) -> Self {
        let (mut reader, writer) = tokio::io::split(Box::new(stream) as Box<dyn Duplex>);
        // Reading is also how TLS learns of tickets, new keys and alerts.
        let reader = tokio::spawn(async move {
            let mut ignored = [0; 512];
            while reader.read(&mut ignored).await? > 0 {}
            Ok(())
        });
        Self { writer, reader, tcp, end: End::Failed }
    }

    /// Ends what the collector has ended, and waits until it has acknowledged everything. A collector that had not read
    /// everything answers with a reset.
    async fn leave(&mut self) -> io::Result<()> {
        let closed = async {
            while !matches!(self.tcp.peek(&mut [0]), Ok(0)) {
                sleep(LOOK_EVERY).await;
            }
        };
        match timeout(FOLLOWS_WITHIN, closed).await {
            // The collector reads nothing any more: a close_notify would be answered with a reset.
            Ok(()) => self.tcp.shutdown(Shutdown::Write)?,
            Err(_) => self.writer.shutdown().await?,
        }
        // Once the end itself is acknowledged, the socket knows its peer no more.
        while self.tcp.peer_addr().is_ok() {
            sleep(LOOK_EVERY).await;
        }
        self.tcp.take_error()?.map_or(Ok(()), Err)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.reader.abort();
    }
}
