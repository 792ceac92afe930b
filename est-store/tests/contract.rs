//! What every store has to do, and the stores that do it.
//!
//! The suite knows a store by the module `subject` beside it: a type `Subject` with a store of the type `Store`, and
//! ways to have it fresh, opened again, and opened a second time as another process would. A new store joins by a
//! module like `sqlite`.

#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(clippy::duplicate_mod, reason = "each store goes through the same suite")]

#[path = "suite/support.rs"]
mod support;

/// The suite, for the store of the module `subject` beside it.
macro_rules! suite {
    () => {
        #[path = "suite/admin.rs"]
        mod admin;
        #[path = "suite/audit.rs"]
        mod audit;
        #[path = "suite/claims.rs"]
        mod claims;
        #[path = "suite/crls.rs"]
        mod crls;
        #[path = "suite/crowds.rs"]
        mod crowds;
        #[path = "suite/failures.rs"]
        mod failures;
        #[path = "suite/imports.rs"]
        mod imports;
        #[path = "suite/inventory.rs"]
        mod inventory;
        #[path = "suite/keys.rs"]
        mod keys;
        #[path = "suite/passwords.rs"]
        mod passwords;
        #[path = "suite/prune.rs"]
        mod prune;
        #[path = "suite/requests.rs"]
        mod requests;
        #[path = "suite/sinks.rs"]
        mod sinks;
        #[path = "suite/story.rs"]
        mod story;
    };
}

#[path = "."]
mod sqlite {
    #[path = "sqlite/subject.rs"]
    mod subject;
    suite!();
}

#[cfg(feature = "postgres")]
#[path = "."]
mod postgres {
    use est_testkit::databases::PostgresServer as Server;

    #[path = "suite/served.rs"]
    mod subject;
    suite!();
}

#[cfg(feature = "mariadb")]
#[path = "."]
mod mariadb {
    use est_testkit::databases::MariadbServer as Server;

    #[path = "suite/served.rs"]
    mod subject;
    suite!();
}
