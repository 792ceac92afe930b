//! Transport bytes to and from [`Request`](crate::Request) and [`Reply`](crate::Reply).

pub mod http;
