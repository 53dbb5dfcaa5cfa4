//! `hhrf check-jail`: tests the jail by attempts to escape, and prints a report.

use hhrf::check_jail::{CheckError, check_jail, secret};
use hhrf::children::{AdoptError, Children};
use hhrf::command_line::CheckJail;
use hhrf::settings::{Settings, SettingsError};
use hhrf::signals::Stop;
use hhrf::{log, variables};

#[derive(Debug, thiserror::Error)]
pub(crate) enum StartCheckError {
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error(transparent)]
    Children(#[from] AdoptError),
    #[error("failed to start the runtime")]
    Runtime(#[source] std::io::Error),
    #[error("failed to receive signals")]
    Signals(#[source] std::io::Error),
    #[error("failed to check the jail")]
    Check(#[from] CheckError),
    #[error("failed to execute this program again, with a secret in its environment")]
    Secret(#[source] std::io::Error),
    #[error("the check was interrupted")]
    Interrupted,
    #[error("failed to print the report")]
    Print(#[source] std::io::Error),
}

/// Returns whether every attempt was held.
pub(crate) fn start(flags: CheckJail) -> Result<bool, StartCheckError> {
    let Some(secret) = secret::of_environment() else {
        return Err(StartCheckError::Secret(secret::execute_again()));
    };
    let (selection, format) = (flags.selection(), flags.format);
    for unknown in variables::unknown() {
        eprintln!("hhrf: {unknown}");
    }
    let settings = Settings::new(flags.settings)?;
    let log = log::collect();
    let children = Children::adopt()?;
    let runtime = tokio::runtime::Runtime::new().map_err(StartCheckError::Runtime)?;
    let report = runtime.block_on(async {
        let mut stop = Stop::listen().map_err(StartCheckError::Signals)?;
        tokio::select! {
            report = check_jail(settings, flags.module.as_deref(), &selection, &secret, &log, children) => Ok(report?),
            () = stop.asked() => Err(StartCheckError::Interrupted),
        }
    })?;
    let print = || std::io::Write::write_all(&mut std::io::stdout(), report.print(format).as_bytes());
    print().map_err(StartCheckError::Print)?;
    Ok(report.all_held())
}
