//! The command of --exec, which tells the programs that use the files that those have changed.
//!
//! A file beside the certificate notes that the command is owed, from before the files change until it has succeeded:
//! an interruption or a failure never leaves a service with files that it does not know of.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use crate::cli::RenewalArguments;
use crate::file::{self, Readers};
use crate::output::{Again, Exit, Failure};

/// A command that takes longer is ended.
const PATIENCE: Duration = Duration::from_secs(300);

/// What is to be run after files have changed.
pub(crate) struct Hook<'a> {
    command: Option<&'a str>,
    /// Says what has changed, a word a line.
    owed: PathBuf,
    environment: Vec<(&'static str, PathBuf)>,
    patience: Duration,
}

impl<'a> Hook<'a> {
    pub(crate) fn new(arguments: &'a RenewalArguments) -> Self {
        let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
        let (identity, server) = (&arguments.identity, &arguments.server);
        let cert = identity.cert.as_deref().unwrap_or(Path::new("est"));
        let files = [("EST_CERT", &identity.cert), ("EST_KEY", &identity.key), ("EST_CACERT", &server.cacert)];
        let environment = files.into_iter().filter_map(|(name, path)| Some((name, absolute(path.as_deref()?))));
        Self {
            command: arguments.exec.as_deref(),
            owed: file::beside(&file::resolved(cert), ".hook"),
            environment: environment.collect(),
            patience: PATIENCE,
        }
    }

    /// Notes that these are about to change, and that the command is to be run then.
    pub(crate) fn owe(&self, changed: &[&str]) -> Result<(), Failure> {
        if self.command.is_none() {
            return Ok(());
        }
        let mut words = self.changed();
        words.extend(changed.iter().map(ToString::to_string));
        words.sort();
        words.dedup();
        file::write(&self.owed, &(words.join("\n") + "\n"), Readers::Owner)
    }

    /// Runs the command if it is owed, and notes when it has succeeded.
    pub(crate) async fn run_if_owed(&self) -> Result<(), Failure> {
        let (Some(command), true) = (self.command, self.owed.exists()) else { return Ok(()) };
        let ended = self.run(command).await;
        match ended {
            Ok(status) if status.success() => fs::remove_file(&self.owed)
                .map_err(|error| Failure::error(format!("{} cannot be removed: {error}", self.owed.display()))),
            Ok(status) => Err(failed(&status.to_string())),
            Err(error) => Err(failed(&error.to_string())),
        }
    }

    fn changed(&self) -> Vec<String> {
        let text = fs::read_to_string(&self.owed).unwrap_or_default();
        text.lines().map(ToString::to_string).collect()
    }

    async fn run(&self, command: &str) -> io::Result<ExitStatus> {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", command]).stdin(Stdio::null());
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut shell, 0);
        shell.env_remove("EST_PASSWORD").env("EST_CHANGED", self.changed().join(" "));
        shell.envs(self.environment.iter().map(|(name, path)| (name, path)));
        let mut child = shell.spawn()?;
        let end = end(&child);
        let ended = tokio::task::spawn_blocking(move || child.wait());
        match tokio::time::timeout(self.patience, ended).await {
            Ok(ended) => ended.map_err(io::Error::other)?,
            Err(_) => {
                end();
                Err(io::Error::other(format!("it ran for more than {} s and was ended", self.patience.as_secs())))
            }
        }
    }
}

/// Ends a command and all that it has started.
#[cfg(unix)]
fn end(child: &Child) -> impl FnOnce() + use<> {
    use rustix::process::{Pid, Signal, kill_process_group};
    let group = Pid::from_child(child);
    // What cannot be ended has ended.
    move || kill_process_group(group, Signal::KILL).unwrap_or_default()
}

#[cfg(not(unix))]
fn end(_: &Child) -> impl FnOnce() + use<> {
    || ()
}

fn failed(why: &str) -> Failure {
    let text = format!("the files are in place, but the command of --exec failed ({why}): the next run tries it again");
    Failure { exit: Exit::Hook, text, again: Again::Soon }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;
    use crate::file::Scratch;

    fn hook<'a>(scratch: &Scratch, command: &'a str) -> Hook<'a> {
        let environment = vec![("EST_CERT", scratch.path("c.pem")), ("OUT", scratch.path("out"))];
        Hook { command: Some(command), owed: scratch.path("c.pem.hook"), environment, patience: PATIENCE }
    }

    #[tokio::test]
    async fn runs_until_it_has_succeeded_once() {
        let scratch = Scratch::new("hook");
        let good = hook(&scratch, "echo \"$EST_CERT $EST_CHANGED\" >>$OUT");
        good.run_if_owed().await.unwrap();
        assert!(!scratch.path("out").exists(), "nothing has changed");
        good.owe(&["certificate", "key"]).unwrap();
        let failure = hook(&scratch, "exit 7").run_if_owed().await.unwrap_err();
        assert!(failure.exit == Exit::Hook && failure.text.contains('7'), "{}", failure.text);
        good.owe(&["cacert"]).unwrap();
        good.run_if_owed().await.unwrap();
        good.run_if_owed().await.unwrap();
        let expected = format!("{} cacert certificate key\n", scratch.path("c.pem").display());
        assert_eq!(file::read_text(&scratch.path("out")).unwrap(), expected);
    }

    #[tokio::test]
    async fn ends_a_command_that_hangs_with_all_that_it_started() {
        let scratch = Scratch::new("hanging-hook");
        let hanging = Hook { patience: Duration::from_millis(1), ..hook(&scratch, "sleep 1000 | cat") };
        hanging.owe(&["certificate"]).unwrap();
        let failure = hanging.run_if_owed().await.unwrap_err();
        assert!(failure.text.contains("and was ended"), "{}", failure.text);
        assert!(hanging.owed.exists());
    }
}
