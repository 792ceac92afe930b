//! The admin API of a server that runs, from outside.

mod api;
mod certificates;
mod endpoints;
mod health;
mod limits;
mod metrics;
mod operations;
mod schema;
mod sessions;
