//! What is told of certificates, requests, passwords and events: one set of names for the API and for `--json`.

mod certificate;
mod event;
mod otp;
mod request;
mod time;

pub(crate) use certificate::{CertificateDetail, CertificateSummary, Status};
pub(crate) use event::{Outcome, Record};
pub(crate) use otp::{CreatedOtp, Otp, OtpDetail};
pub(crate) use request::{Request, RequestDetail, RequestState};
pub(crate) use time::Time;
