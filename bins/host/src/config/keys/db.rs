//! Where everything is remembered.

use super::Absent::Default;
use super::{Section, key};

pub(in crate::config) static DB: Section = Section {
    name: "db",
    repeated: false,
    about: "Where everything is remembered.",
    keys: &[
        key(
            "url",
            "string",
            Default(r#""sqlite://ohia.db""#),
            "`sqlite://relative.db` or `sqlite:///absolute.db`: the file is made when it is not there. `postgres://user:password@host:5432/database`, with `?sslmode=` `disable`, `prefer` (what it is without), `require`, `verify-ca` or `verify-full`, and `&sslrootcert=FILE` for the last two; `?host=/folder` for a Unix socket. `mariadb://user:password@host:3306/database`, with `?ssl-mode=` `disabled`, `preferred`, `required`, `verify_ca` or `verify_identity`, and `&ssl-ca=FILE`; `?socket=/file` for a Unix socket. Servers on several machines can share a database server, each with a `server.node` of its own. The URL may also be where a *secret* may be.",
        )
        .also(&["path", "file", "database", "database_url", "dsn", "connection_string"]),
        key(
            "max_connections",
            "integer",
            Default("5"),
            "How many connections there are at most: with SQLite, that read; with a server, in addition to the one that writes the audit trail; 1 to 1000.",
        )
        .also(&["pool_size", "max_pool_size"]),
        key(
            "connect_timeout",
            "duration",
            Default(r#""5s""#),
            "How long to wait for a connection to the database server; 100ms to 10m. An SQLite file that another process writes is waited for 10 seconds.",
        )
        .also(&["timeout", "connection_timeout", "busy_timeout"]),
        key("auto_migrate", "boolean", Default("true"), "Whether the schema is brought up to date at the start.")
            .also(&["migrate", "run_migrations"]),
    ],
    later: &[],
};
