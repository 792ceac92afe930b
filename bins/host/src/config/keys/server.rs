//! Where the server listens, and what its clients may take.

use super::Absent::{Default, Means, Mistake};
use super::{Section, key};

pub(in crate::config) static SERVER: Section = Section {
    name: "server",
    repeated: false,
    about: "Where the server listens and how it runs.",
    keys: &[
        key("listen", "address", Default(r#""0.0.0.0:8443""#), "Where EST is served, over HTTPS.").also(&[
            "bind",
            "address",
            "listen_addr",
            "listen_address",
            "bind_address",
        ]),
        key(
            "admin_listen",
            "address",
            Default(r#""127.0.0.1:9443""#),
            "Where the admin API is served, over HTTPS, if admin.enabled.",
        )
        .also(&["admin_bind", "admin_address"]),
        key(
            "http_listen",
            "address",
            Means("no plain HTTP"),
            "Where CRLs are served over plain HTTP, and nothing else: `0.0.0.0:8080`.",
        )
        .also(&["http_bind", "crl_listen", "plain_listen"]),
        key(
            "node",
            "string",
            Means("the name of the machine"),
            "What the server is called among those that share its database: letters, digits, `.`, `_` and `-`.",
        )
        .also(&["node_name", "node_id", "name", "hostname"]),
        key("workers", "integer", Means("the number of cores"), "How many threads serve; 1 to 1024.")
            .also(&["threads", "worker_threads"]),
        key("max_body_size", "size", Default(r#""1MB""#), "The longest request body; 1KB to 64MB.").also(&[
            "max_body",
            "body_limit",
            "max_request_size",
        ]),
        key(
            "shutdown_timeout",
            "duration",
            Default(r#""30s""#),
            "How long requests under way may take after SIGTERM; up to 1h.",
        )
        .also(&["grace_period", "drain_timeout"]),
    ],
    later: &[],
};

pub(in crate::config) static PROXY: Section = Section {
    name: "server.proxy",
    repeated: true,
    about: "A proxy that ends the clients' TLS and forwards their certificates in the headers `Client-Cert` and \
            `Client-Cert-Chain` (RFC 9440). Nobody else's headers are looked at.",
    keys: &[
        key(
            "addresses",
            "array of addresses or networks",
            Mistake,
            "Where it connects from: `10.0.0.7`, `10.0.0.0/24`, `fd00::/64`.",
        )
        .also(&["address", "from", "networks", "trusted_proxies"]),
        key(
            "certificate",
            "path or array of paths",
            Mistake,
            "PEM files with the client certificates that it shows to this server, of which it must show one.",
        )
        .also(&["cert", "certificates", "client_cert"]),
        key(
            "client_address",
            "string",
            Means("the proxy does not tell"),
            "The header in which it says where its client connects from, and in which it lets nobody else say so: \
             `forwarded` (RFC 7239) or `x-forwarded-for`.",
        )
        .also(&["forwarded", "forwarded_header", "address_header", "client_address_header"]),
        key(
            "hops",
            "integer",
            Default("1"),
            "Which address in that header is the client's, counted from the end: 1 where the client connects to the proxy \
             itself, one more for each proxy in front of it; 1 to 16.",
        )
        .also(&["trusted_hops", "num_trusted_hops"]),
    ],
    later: &[],
};

pub(in crate::config) static LIMITS: Section = Section {
    name: "limits",
    repeated: false,
    about: "What one client, or all of them, may take.",
    keys: &[
        key("header_bytes", "size", Default(r#""16KB""#), "The longest request head; 8KB to 1MB.").also(&[
            "max_header_size",
            "header_size",
            "max_header_bytes",
        ]),
        key("handshake_timeout", "duration", Default(r#""10s""#), "How long a TLS handshake may take; 100ms to 10m.")
            .also(&["tls_timeout"]),
        key(
            "request_timeout",
            "duration",
            Default(r#""60s""#),
            "How long a request may take from its head to the answer; 100ms to 1h. A body that is not complete by then is answered \
             with 408, a request that waits with 503; what was begun for it is finished, and found when the client asks again.",
        )
        .also(&["timeout", "read_timeout"]),
        key(
            "idle_timeout",
            "duration",
            Default(r#""60s""#),
            "How long a connection may wait for its next request; 100ms to 24h.",
        )
        .also(&["keep_alive", "keepalive_timeout", "keep_alive_timeout"]),
        key("max_connections", "integer", Default("10000"), "How many connections may be open; 1 to 1000000.")
            .also(&["connections"]),
        key(
            "connections_per_source",
            "integer",
            Means("a quarter of `max_connections`"),
            "How many of them one source may have: an IPv4 address, or the /64 of an IPv6 address; 1 to 1000000. Beyond it, the \
             source loses the connection that has been idle longest. Listed proxies may have all.",
        ),
        key(
            "requests_per_connection",
            "integer",
            Means("no limit"),
            "After how many requests a connection is closed; 1 to 1000000.",
        )
        .also(&["max_requests", "max_requests_per_connection"]),
        key(
            "requests_per_second",
            "integer",
            Default("10000"),
            "How often one source may ask, for anything: an IPv4 address, or the /64 of an IPv6 address; 1 to 1000000. Beyond \
             it the answer is 429 with Retry-After.",
        )
        .also(&["rate", "rate_limit", "requests_per_source", "rps"]),
        key(
            "burst",
            "integer",
            Means("ten times `requests_per_second`"),
            "How often one source may ask at once; 1 to 10000000.",
        )
        .also(&["burst_size", "rate_burst"]),
        key(
            "principal_requests_per_second",
            "integer",
            Default("10"),
            "How often one certificate or one password may ask, wherever from; 1 to 1000000. Beyond it the answer is 429 with \
             Retry-After. A password that many devices share may need more.",
        )
        .also(&["requests_per_principal"]),
        key(
            "principal_burst",
            "integer",
            Means("ten times `principal_requests_per_second`"),
            "How often one certificate or one password may ask at once; 1 to 10000000.",
        ),
        key(
            "max_concurrent",
            "integer",
            Means("64 for each core"),
            "How many exchanges are answered at once, plain reads apart; 1 to 100000.",
        )
        .also(&["concurrency", "max_concurrency", "max_in_flight", "concurrent_requests"]),
        key(
            "queue",
            "integer",
            Default("1024"),
            "How many more may wait, in a line for each label, and in that one for each principal, which take turns; 0 to 100000. \
             Beyond it the answer is 503 with Retry-After.",
        )
        .also(&["queue_length", "max_queue", "queue_size"]),
        key("queue_timeout", "duration", Default(r#""5s""#), "How long one may wait there; up to 10m.")
            .also(&["max_wait"]),
    ],
    later: &[],
};
