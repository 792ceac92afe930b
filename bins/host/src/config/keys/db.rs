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
            "`sqlite://relative.db` or `sqlite:///absolute.db`. The file is made when it is not there.",
        )
        .also(&["path", "file", "database", "database_url", "dsn", "connection_string"]),
        key(
            "max_connections",
            "integer",
            Default("5"),
            "How many connections read at a time; 1 to 1000. Accepted, not in use yet.",
        )
        .also(&["pool_size", "max_pool_size"]),
        key(
            "connect_timeout",
            "duration",
            Default(r#""5s""#),
            "How long to wait for the database when it is locked; 100ms to 10m. Accepted, not in use yet.",
        )
        .also(&["timeout", "connection_timeout", "busy_timeout"]),
        key("auto_migrate", "boolean", Default("true"), "Whether the schema is brought up to date at the start.")
            .also(&["migrate", "run_migrations"]),
    ],
    later: &[],
};
