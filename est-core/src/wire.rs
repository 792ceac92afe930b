//! Transport bytes to and from [`Request`](crate::Request) and [`Reply`](crate::Reply).

pub mod client_cert;
pub mod http;
