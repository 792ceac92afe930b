//! Several ways to be known.

use std::fmt;
use std::sync::Arc;

use est_core::{Authenticator, Doubt, Evidence, PortError, PortFuture, UnixTime, Verdict};

/// Asks one authenticator after the other; the first that knows the peer decides.
///
/// When none does, the most telling doubt counts: first that a certificate was revoked, which must not hide behind
/// anything else; then that a password was rejected, or none is looked at, since a user that types one expects it to count; then any other doubt
/// about a certificate; and only then that nothing was shown. Of two alike, the first.
///
/// Where one knows the peer after others have doubted a certificate of it, the verdict says so too.
///
/// An outage of one that is asked ends the search: if the next were asked instead, the same peer would be one
/// principal today and another tomorrow, and the same request two requests. A wrong password is counted whatever the answer is.
#[derive(Clone)]
pub struct AnyOf(Vec<Arc<dyn Authenticator>>);

impl fmt::Debug for AnyOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AnyOf").field(&self.0.len()).finish()
    }
}

impl AnyOf {
    /// Asks these, in this order.
    #[must_use]
    pub fn new(authenticators: Vec<Arc<dyn Authenticator>>) -> Self {
        Self(authenticators)
    }

    async fn judge(&self, evidence: &Evidence, now: UnixTime) -> Result<Verdict, PortError> {
        let (mut told, mut counted) = (Doubt::NothingShown, None);
        for authenticator in &self.0 {
            let doubt = match authenticator.authenticate(evidence, now).await? {
                Verdict::Known(principal) if told != Doubt::NothingShown => {
                    return Ok(Verdict::KnownDespite(principal, told));
                }
                last @ (Verdict::Known(_) | Verdict::KnownDespite(..) | Verdict::Throttled(_) | Verdict::Crowded) => {
                    return Ok(last);
                }
                Verdict::Unknown(doubt) => doubt,
                Verdict::Guessed(doubt, guess) => {
                    counted = Some(guess);
                    doubt
                }
            };
            if weight(&doubt) > weight(&told) {
                told = doubt;
            }
        }
        Ok(match counted {
            Some(guess) => Verdict::Guessed(told, guess),
            None => Verdict::Unknown(told),
        })
    }
}

fn weight(doubt: &Doubt) -> u8 {
    match doubt {
        Doubt::NothingShown => 0,
        Doubt::PasswordRejected | Doubt::PasswordExpired | Doubt::PasswordRevoked | Doubt::LockedOut(_) => 2,
        Doubt::CertificateRevoked => 3,
        _ => 1,
    }
}

impl Authenticator for AnyOf {
    fn authenticate<'a>(&'a self, evidence: &'a Evidence, now: UnixTime) -> PortFuture<'a, Verdict> {
        Box::pin(self.judge(evidence, now))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use est_core::Principal;

    use super::*;

    /// Always answers the same.
    struct Says(Result<Verdict, PortError>);

    impl Authenticator for Says {
        fn authenticate<'a>(&'a self, _: &'a Evidence, _: UnixTime) -> PortFuture<'a, Verdict> {
            Box::pin(async { self.0.clone() })
        }
    }

    fn doubts(doubt: Doubt) -> Result<Verdict, PortError> {
        Ok(Verdict::Unknown(doubt))
    }

    fn knows(id: &str) -> Result<Verdict, PortError> {
        Ok(Verdict::Known(Principal::OneTimePassword {
            id: id.into(),
            entity: None,
            expires: UnixTime(1),
            label: None,
            allowance: Arc::default(),
        }))
    }

    fn outage() -> Result<Verdict, PortError> {
        Err(PortError("down".into()))
    }

    async fn ask<const N: usize>(answers: [Result<Verdict, PortError>; N]) -> Result<Verdict, PortError> {
        let asked = answers.into_iter().map(|answer| Arc::new(Says(answer)) as Arc<dyn Authenticator>).collect();
        AnyOf::new(asked).authenticate(&Evidence::default(), UnixTime(0)).await
    }

    #[tokio::test]
    async fn believes_the_first_that_knows() {
        for answers in [[knows("a"), knows("b")], [doubts(Doubt::NothingShown), knows("a")]] {
            let Verdict::Known(principal) = ask(answers).await.unwrap() else { panic!("unknown") };
            assert_eq!(principal.id(), "otp:a");
        }
    }

    #[tokio::test]
    async fn says_which_certificate_did_not_count_beside_a_good_password() {
        let verdict = ask([doubts(Doubt::CertificateUntrusted), knows("a")]).await.unwrap();
        let Verdict::KnownDespite(principal, doubt) = verdict else { panic!("{verdict:?}") };
        assert_eq!((principal.id().as_str(), doubt), ("otp:a", Doubt::CertificateUntrusted));
    }

    #[tokio::test]
    async fn reports_the_most_telling_doubt() {
        let expired = Doubt::CertificateExpired { not_after: UnixTime(5) };
        for (answers, told) in [
            ([Doubt::NothingShown, Doubt::NothingShown], Doubt::NothingShown),
            ([Doubt::NothingShown, expired.clone()], expired.clone()),
            ([expired.clone(), Doubt::NothingShown], expired.clone()),
            ([expired.clone(), Doubt::PasswordRejected], Doubt::PasswordRejected),
            ([Doubt::PasswordRejected, expired.clone()], Doubt::PasswordRejected),
            ([Doubt::CertificateRevoked, Doubt::PasswordRejected], Doubt::CertificateRevoked),
            ([expired.clone(), Doubt::CertificateUntrusted], expired),
        ] {
            let Verdict::Unknown(doubt) = ask(answers.map(doubts)).await.unwrap() else { panic!("known") };
            assert_eq!(doubt, told);
        }
        let Verdict::Unknown(doubt) = ask([]).await.unwrap() else { panic!("known") };
        assert_eq!(doubt, Doubt::NothingShown);
    }

    #[tokio::test]
    async fn counts_a_wrong_password_whatever_it_tells() {
        let lockout = est_core::Lockout {
            max_failures: 1,
            max_address_failures: 1,
            window: est_core::Seconds(1),
            duration: est_core::Seconds(1),
        };
        let guess = est_core::Guess::new("device-1", None, None, lockout);
        let guessed = || Ok(Verdict::Guessed(Doubt::PasswordRejected, guess.clone()));
        for answers in [[doubts(Doubt::CertificateRevoked), guessed()], [guessed(), doubts(Doubt::CertificateRevoked)]]
        {
            let Verdict::Guessed(doubt, counted) = ask(answers).await.unwrap() else { panic!("not counted") };
            assert_eq!((doubt, &counted), (Doubt::CertificateRevoked, &guess));
        }
    }

    #[tokio::test]
    async fn stops_at_an_outage_but_not_before_who_knows() {
        assert!(ask([outage(), knows("a")]).await.is_err());
        assert!(ask([doubts(Doubt::NothingShown), outage()]).await.is_err());
        assert!(ask([knows("a"), outage()]).await.is_ok());
    }
}
