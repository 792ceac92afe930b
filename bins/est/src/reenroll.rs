//! `est reenroll`.

use est_core::Seconds;

use crate::cli::ReenrollArguments;
use crate::output::{Failure, say};
use crate::peer::now;
use crate::renewal::Renewal;

pub(crate) async fn run(arguments: ReenrollArguments) -> Result<(), Failure> {
    let renewal = Renewal::new(&arguments.renewal)?;
    let current = renewal.current()?;
    let threshold = arguments.if_expires_within.map(|span| now() + Seconds(span.as_secs()));
    if threshold.is_some_and(|threshold| threshold < current.not_after()) {
        say(&format!("not due: {} is valid until {}", renewal.cert.display(), current.not_after()))?;
        return renewal.hook.run_if_owed().await;
    }
    let renewed = renewal.renew().await?;
    let hook = renewal.hook.run_if_owed().await;
    renewal.report(&renewed)?;
    hook
}
