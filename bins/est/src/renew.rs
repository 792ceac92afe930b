//! `est renew`: a certificate that does not end.

mod plan;

use std::time::Duration;

use est_core::pkix::Certificate;

use crate::anchors;
use crate::cli::RenewArguments;
use crate::output::{Again, Failure, note, say};
use crate::peer::{Peer, now};
use crate::renewal::Renewal;
use crate::retry;

use plan::{Plan, due};

/// How long to sleep at most: clocks are set, and machines sleep, too.
const LONGEST_NAP: Duration = Duration::from_secs(300);

/// What a look has come to.
struct Round {
    /// In use at the end of it.
    certificate: Certificate,
    renewal: Option<Failure>,
    hook: Option<Failure>,
    refresh: Option<Failure>,
}

pub(crate) async fn run(arguments: RenewArguments) -> Result<(), Failure> {
    let renewal = Renewal::new(&arguments.renewal)?;
    // What is missing or does not fit is said at once, and not when the certificate is about to end.
    renewal.current()?;
    Peer::new(&arguments.renewal.server, &arguments.renewal.identity, rustls::DEFAULT_VERSIONS)?;
    if arguments.once { once(&renewal, &arguments).await } else { for_ever(&renewal, &arguments).await }
}

async fn once(renewal: &Renewal<'_>, arguments: &RenewArguments) -> Result<(), Failure> {
    let Round { certificate, renewal: failed, hook, refresh } = round(renewal, arguments, &mut Plan::default()).await?;
    let said = say_when(renewal, &certificate);
    // While the certificate is good, a server that is unreachable for a while is not a failure.
    let (passing, refresh): (Vec<_>, Vec<_>) = refresh.into_iter().partition(|failure| failure.again != Again::Later);
    passing.iter().for_each(|failure| note(&failure.text));
    let mut failures: Vec<_> = failed.into_iter().chain(hook).chain(refresh).collect();
    failures.drain(1.min(failures.len())..).for_each(|failure| note(&failure.text));
    failures.pop().map_or(said, Err)
}

async fn for_ever(renewal: &Renewal<'_>, arguments: &RenewArguments) -> Result<(), Failure> {
    let mut plan = Plan::default();
    let mut certificate = renewal.current()?;
    say_when(renewal, &certificate)?;
    loop {
        let failures = match round(renewal, arguments, &mut plan).await {
            Ok(Round { certificate: current, renewal: failed, hook, refresh }) => {
                if current != certificate {
                    certificate = current;
                    // It goes on where nobody reads any more.
                    let _ = say_when(renewal, &certificate);
                }
                [failed, hook, refresh]
            }
            Err(failure) => {
                plan.renewal_failed(&failure, now(), certificate.not_after(), retry::draw());
                [Some(failure), None, None]
            }
        };
        let wake_at = plan.wake_at(due(&certificate));
        for failure in failures.into_iter().flatten() {
            let until = certificate.not_after();
            note(&format!("{}\nnext try at {wake_at}; the certificate is valid until {until}", failure.text));
        }
        while now() < wake_at {
            tokio::time::sleep(LONGEST_NAP.min(Duration::from_secs(wake_at.0.saturating_sub(now().0)))).await;
        }
    }
}

/// Does all that is due, and plans what is to come.
async fn round(renewal: &Renewal<'_>, arguments: &RenewArguments, plan: &mut Plan) -> Result<Round, Failure> {
    let certificate = renewal.current()?;
    let mut round = Round { certificate, renewal: None, hook: None, refresh: None };
    let is_due = plan.renews(due(&round.certificate), now());
    if is_due || plan.refreshes(now()) {
        let (server, identity) = (&arguments.renewal.server, &arguments.renewal.identity);
        let refreshed = anchors::refresh(server, identity, arguments.new_roots, || renewal.hook.owe(&["cacert"])).await;
        let describe = |failure: Failure| Failure { text: format!("CA certificates: {}", failure.text), ..failure };
        round.refresh = refreshed.err().map(describe);
        plan.refreshed(round.refresh.as_ref(), now(), retry::draw());
    }
    if is_due {
        match renewal.renew().await {
            Ok(renewed) => {
                round.certificate = renewed;
                plan.renewed(now());
            }
            Err(failure) => {
                plan.renewal_failed(&failure, now(), round.certificate.not_after(), retry::draw());
                round.renewal = Some(failure);
            }
        }
    }
    if plan.runs_hook(now()) {
        round.hook = renewal.hook.run_if_owed().await.err();
        plan.hook_ran(round.hook.as_ref(), now(), retry::draw());
    }
    Ok(round)
}

fn say_when(renewal: &Renewal<'_>, certificate: &Certificate) -> Result<(), Failure> {
    let (cert, until, due) = (renewal.cert.display(), certificate.not_after(), due(certificate));
    say(&format!("{cert} is valid until {until}; it is renewed at {due}"))
}
