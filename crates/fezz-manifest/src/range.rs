//! The numbers of a manifest, each with its minimum and maximum.

/// What one number may be.
#[derive(Debug, PartialEq, Eq)]
pub struct Range {
    /// The key in `fezz.json`, with a dot before each inner key.
    pub key: &'static str,
    /// The minimum.
    pub least: u64,
    /// The maximum.
    pub most: u64,
    /// Both, in words that continue after "it must be".
    pub allowed: &'static str,
}

/// A number is out of its range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("key `{key}` is {value}: it must be {allowed}")]
pub struct OutOfRange {
    /// The key, with a dot before each inner key.
    pub key: &'static str,
    /// The value.
    pub value: u64,
    /// What is allowed, in words.
    pub allowed: &'static str,
}

impl Range {
    /// Checks a number.
    ///
    /// # Errors
    ///
    /// It is below the least or above the most.
    pub fn check(&self, value: u64) -> Result<(), OutOfRange> {
        if (self.least..=self.most).contains(&value) {
            return Ok(());
        }
        Err(OutOfRange { key: self.key, value, allowed: self.allowed })
    }

    /// The range of the number at `key`, if a number stands there.
    pub fn of(key: &str) -> Option<&'static Self> {
        ALL.iter().find(|range| range.key == key)
    }
}

/// Every number of a manifest.
static ALL: [Range; 17] = [
    TIMEOUT_MS,
    SPARE,
    MEMORY_BYTES,
    CPU_MS,
    THREADS,
    DESCRIPTORS,
    SCRATCH_BYTES,
    REQUEST_BODY_BYTES,
    RESPONSE_BODY_BYTES,
    CONCURRENCY,
    QUEUE,
    WORKER_MIN,
    WORKER_MAX,
    WORKER_CONCURRENCY,
    WORKER_MAX_REQUESTS,
    WORKER_MAX_AGE_MS,
    WORKER_MAX_MEMORY_BYTES,
];

/// The most is an hour: beyond it, a request is a job, and a restart of the host would have to wait for it.
pub const TIMEOUT_MS: Range =
    Range { key: "timeout_ms", least: 1, most: HOUR_MS, allowed: "1 to 3600000, an hour" };

const HOUR_MS: u64 = 3_600_000;

/// Each process takes some memory and two descriptors of the host's.
pub const SPARE: Range = Range { key: "spare", least: 0, most: 1000, allowed: "up to 1000" };

/// The least is what a process needs for itself before the function gets anything.
pub const MEMORY_BYTES: Range =
    Range { key: "limits.memory_bytes", least: 8 << 20, most: u64::MAX, allowed: "8388608, 8 MiB, or more" };

/// No request lives for longer than `timeout_ms`; with several threads it may use that much several times.
pub const CPU_MS: Range =
    Range { key: "limits.cpu_ms", least: 1, most: HOUR_MS, allowed: "1 to 3600000, an hour" };

/// The first thread counts; the most is far above what a runtime starts.
pub const THREADS: Range = Range { key: "limits.threads", least: 1, most: 10_000, allowed: "1 to 10000" };

/// The least is what a runner opens itself; the most is what select(2) can wait for.
pub const DESCRIPTORS: Range =
    Range { key: "limits.descriptors", least: 16, most: 1024, allowed: "16 to 1024" };

/// A scratch lies in memory, beside `memory_bytes`.
pub const SCRATCH_BYTES: Range =
    Range { key: "limits.scratch_bytes", least: 0, most: GIB, allowed: "up to 1073741824, 1 GiB" };

const GIB: u64 = 1 << 30;

/// Bodies are held in memory whole.
pub const REQUEST_BODY_BYTES: Range =
    Range { key: "limits.request_body_bytes", least: 0, most: GIB, allowed: "up to 1073741824, 1 GiB" };

/// Bodies are held in memory whole.
pub const RESPONSE_BODY_BYTES: Range =
    Range { key: "limits.response_body_bytes", least: 0, most: GIB, allowed: "up to 1073741824, 1 GiB" };

/// Each is a process.
pub const CONCURRENCY: Range =
    Range { key: "limits.concurrency", least: 1, most: 10_000, allowed: "1 to 10000" };

/// Each is a request whose head and body the host holds.
pub const QUEUE: Range = Range { key: "limits.queue", least: 0, most: 1_000_000, allowed: "up to 1000000" };

/// Each is a process that stays.
pub const WORKER_MIN: Range = Range { key: "worker.min", least: 0, most: 1000, allowed: "up to 1000" };

/// Each is a process.
pub const WORKER_MAX: Range = Range { key: "worker.max", least: 1, most: 1000, allowed: "1 to 1000" };

/// Each is a request in flight, and in a module a thread.
pub const WORKER_CONCURRENCY: Range =
    Range { key: "worker.concurrency", least: 1, most: 1000, allowed: "1 to 1000" };

/// With one, each request has a process of its own.
pub const WORKER_MAX_REQUESTS: Range =
    Range { key: "worker.max_requests", least: 1, most: u64::MAX, allowed: "1 or more" };

/// The host looks once a second; a worker that is replaced more often does little else than start.
pub const WORKER_MAX_AGE_MS: Range =
    Range { key: "worker.max_age_ms", least: 1000, most: u64::MAX, allowed: "1000, a second, or more" };

/// A process with less than this doesn't exist.
pub const WORKER_MAX_MEMORY_BYTES: Range = Range {
    key: "worker.max_memory_bytes",
    least: 1 << 20,
    most: u64::MAX,
    allowed: "1048576, 1 MiB, or more",
};

/// The length of `network.connect`: each port is an argument of the runner's and a rule of the kernel's. A function that
/// needs more ports needs a proxy.
pub const PORTS: Range =
    Range { key: "network.connect", least: 0, most: 64, allowed: "a list of up to 64 ports" };

/// Each element of `network.connect`. A connection to port 0 is refused by the kernel.
pub const PORT: Range =
    Range { key: "network.connect", least: 1, most: 65_535, allowed: "ports from 1 to 65535" };

/// The number of `resources`: each may be a port of its own, as those of `network.connect`.
pub const RESOURCES: Range = Range { key: "resources", least: 0, most: 16, allowed: "up to 16 resources" };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_range_have_its_numbers() {
        for range in ALL.iter().chain([&PORTS, &PORT, &RESOURCES]) {
            let has = |bound: u64| range.allowed.contains(&bound.to_string());
            assert!(range.least == 0 || has(range.least), "{range:?}");
            assert!(range.most == u64::MAX || has(range.most), "{range:?}");
            assert!(range.check(range.least).is_ok() && range.check(range.most).is_ok(), "{range:?}");
        }
    }

    #[test]
    fn a_number_beyond_its_range_is_named_with_what_is_allowed() {
        let sentence = |value| TIMEOUT_MS.check(value).unwrap_err().to_string();
        assert_eq!(sentence(0), "key `timeout_ms` is 0: it must be 1 to 3600000, an hour");
        assert_eq!(sentence(3_600_001), "key `timeout_ms` is 3600001: it must be 1 to 3600000, an hour");
        assert_eq!(Range::of("limits.queue"), Some(&QUEUE));
        assert_eq!(Range::of("id"), None);
    }
}
