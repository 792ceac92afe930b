//! `est bench`.
//!
//! Shares its machine with the server more often than not, so it spends as little as it can: a thread for each core
//! with a runtime of its own, requests that are ready as octets, and answers of which only the status is looked at,
//! but for the first on each connection.

mod load;
mod report;
mod requests;

use std::num::NonZero;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use est_core::client::{Answer, Call};
use est_core::pkix::Name;

use crate::cli::BenchArguments;
use crate::issued::Issued;
use crate::output::{Failure, note};
use crate::peer::Peer;

use load::Load;
use requests::Names;

/// Requests prepared for each core and second, some times what a server on the same cores can answer.
const PER_CORE_AND_SECOND: usize = 5_000;
/// The same with a handshake for each.
const PER_CORE_AND_SECOND_WITH_HANDSHAKE: usize = 2_000;
/// More are only prepared on demand: a request takes half a kibibyte.
const MAX_PREPARED: usize = 1_000_000;

pub(crate) fn run(arguments: BenchArguments) -> Result<(), Failure> {
    let versions: &[_] = if arguments.new_connections { &[&rustls::version::TLS13] } else { rustls::DEFAULT_VERSIONS };
    let peer = Peer::new(&arguments.server, &arguments.identity, versions)?;
    let names = match &peer.identity {
        Some(identity) => Names::Of(Box::new(identity.leaf.clone())),
        None => Names::Numbered,
    };
    try_once(&peer, &names)?;

    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let count = arguments.prepare.unwrap_or_else(|| guess(&arguments, cores));
    note(&format!("preparing {count} requests, each with a key of its own"));
    let requests = requests::prepare(count, &names, cores)?;
    let load = Load::new(&peer, requests, &arguments)?;
    let result = load::run(Arc::new(load), cores.min(arguments.concurrency as usize))?;
    report::print(&result, &arguments)?;
    if result.tally.enrollments() == 0 {
        return Err(Failure::error("not one enrollment succeeded"));
    }
    Ok(())
}

/// Enrolls once and looks at the answer whole, so that what is wrong is said in words before anything is measured.
fn try_once(peer: &Peer, names: &Names) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::error(format!("the runtime does not start: {error}")))?;
    let (csr, public_key) = requests::make(names, 0)?;
    let call = Call::simple_enroll(peer.base_path(), peer.label.as_deref(), &csr);
    let Answer::Certificates(certificates) = runtime.block_on(peer.ask(call, Duration::ZERO))? else {
        return Err(Failure::error("the server sent something other than a certificate"));
    };
    let issued = Issued::find(certificates, &public_key)?;
    if let Names::Of(current) = names {
        let differences = issued.differences(current.subject(), current.subject_alt_name());
        differences.iter().for_each(|difference| note(&format!("note: {difference}")));
    }
    Ok(())
}

fn guess(arguments: &BenchArguments, cores: usize) -> usize {
    let per_second = if arguments.new_connections { PER_CORE_AND_SECOND_WITH_HANDSHAKE } else { PER_CORE_AND_SECOND };
    let seconds = usize::try_from(arguments.duration.as_secs() + 1).unwrap_or(usize::MAX);
    seconds.saturating_mul(per_second * cores).min(MAX_PREPARED)
}

/// The subject of the request with this number.
fn numbered(number: usize) -> Result<Name, Failure> {
    Name::from_text(&format!("CN=bench-{number}")).map_err(|error| Failure::error(error.to_string()))
}
