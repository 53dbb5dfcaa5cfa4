//! The limit of processor time for one request. The kernel's own limit would add up all requests of a process.

use crate::execute::Failure;
use fezz_rewind::processor_time;
use rustix::process::{Pid, Signal};
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;
use tokio::time::sleep;

/// The processor time that one request of a process may take.
#[derive(Debug)]
pub(super) struct CpuLimit {
    process: Pid,
    /// What it had used before the request.
    before: Duration,
    limit: Duration,
}

/// It is checked no more often than this.
const CHECK_EVERY_MIN: Duration = Duration::from_millis(10);

impl CpuLimit {
    /// A request of `process` begins, which may take `limit_ms`, rounded up to seconds.
    ///
    /// # Errors
    ///
    /// The process is gone.
    pub(super) fn begin(process: Pid, limit_ms: u64) -> io::Result<Self> {
        let limit = Duration::from_secs(limit_ms.div_ceil(1000));
        Ok(Self { process, before: processor_time(process)?, limit })
    }

    /// Resolves when it is used up.
    pub(super) async fn used_up(&self) {
        // As many threads as there are processors use it up at the same time.
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        loop {
            // An ended process uses no more: its request finds that out by other means.
            let now = processor_time(self.process).unwrap_or(self.before);
            let Some(left) = self.limit.checked_sub(now.saturating_sub(self.before)) else { return };
            if left.is_zero() {
                return;
            }
            sleep((left / processors as u32).max(CHECK_EVERY_MIN)).await;
        }
    }

    /// The same failure as by the kernel's limit.
    pub(super) fn failure() -> Failure {
        Failure::Crashed(ExitStatus::from_raw(Signal::XCPU.as_raw()))
    }
}
