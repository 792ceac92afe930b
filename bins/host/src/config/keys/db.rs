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
            "`sqlite://relative.db` or `sqlite:///absolute.db`. The file is made when it is not there. The URL may also be where a *secret* may be.",
        )
        .also(&["path", "file", "database", "database_url", "dsn", "connection_string"]),
        key(
            "max_connections",
            "integer",
            Default("5"),
            "How many connections there are at most: for SQLite, that read; 1 to 1000.",
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
