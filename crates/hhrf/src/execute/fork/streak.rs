//! Pauses a function whose zygotes are worn out in a row: each new zygote gives an attacker another chance for the same
//! number of requests.

use super::wear::{Condition, Wear};
use crate::execute::back_off::BackOff;
use crate::metrics::WearCounters;
use std::time::{Duration, Instant};

/// The zygotes of one function that were worn out in a row.
#[derive(Debug)]
pub(super) struct Streak {
    worn_out: u32,
    back_off: BackOff,
    paused_until: Option<Instant>,
}

/// The result of a zygote's end of service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Judgement {
    /// It wasn't worn out.
    Well,
    /// It was worn out.
    WornOut(Wear),
    /// It was worn out, and so was the one before: no request is served until `until`.
    Pause {
        wear: Wear,
        /// How many in a row.
        zygotes: u32,
        until: Instant,
    },
}

/// One may be an accident: a failing upstream, or a client that retries a bad request for a moment.
const WORN_OUT_MAX: u32 = 2;

/// The first pause; the second is twice as long.
const PAUSE_MIN: Duration = Duration::from_secs(1);

/// A longer pause would gain nothing: a function that isn't called for so long gets a new zygote anyway.
const PAUSE_MAX: Duration = super::zygote::UNUSED_MAX;

impl Streak {
    pub(super) fn new() -> Self {
        Self { worn_out: 0, back_off: BackOff::between(PAUSE_MIN, PAUSE_MAX), paused_until: None }
    }

    /// A zygote serves no further request; `wear` has the verdicts on those that it had.
    pub(super) fn end(&mut self, wear: &Wear) -> Judgement {
        match wear.condition() {
            // Old for requests that were given up, too: otherwise a client could avoid the pause by disconnecting.
            Condition::Old | Condition::Suspect | Condition::WornOut if wear.is_by_attack() => {
                self.worn_out += 1;
                if self.worn_out < WORN_OUT_MAX {
                    return Judgement::WornOut(*wear);
                }
                let until = self.back_off.failed().at;
                self.paused_until = Some(until);
                Judgement::Pause { wear: *wear, zygotes: self.worn_out, until }
            }
            Condition::Suspect | Condition::WornOut => {
                self.break_off();
                Judgement::WornOut(*wear)
            }
            // Given up too often, which is no evidence either way.
            Condition::Old => Judgement::Well,
            Condition::Good => {
                self.break_off();
                Judgement::Well
            }
        }
    }

    /// Ends the row; a pause continues.
    fn break_off(&mut self) {
        *self = Self { paused_until: self.paused_until, ..Self::new() };
    }

    /// Until when no request is served, if that is later than `now`.
    pub(super) fn paused_until(&self, now: Instant) -> Option<Instant> {
        self.paused_until.filter(|until| now < *until)
    }
}

impl Judgement {
    /// Logs and counts it.
    pub(super) fn report(self, function: &str, counters: &WearCounters) {
        let (Self::WornOut(wear) | Self::Pause { wear, .. }) = self else { return };
        counters.zygote_worn_out(function);
        tracing::warn!(
            function,
            "zygote replaced: {} of its {} requests crashed or had no valid response",
            wear.abnormal(),
            wear.requests()
        );
        if let Self::Pause { zygotes, until, .. } = self {
            counters.function_paused(function);
            tracing::error!(
                function,
                "function paused: {zygotes} zygotes in a row were worn out by crashes; retry in {} s",
                until.saturating_duration_since(Instant::now()).as_secs_f64().ceil()
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::wear::Verdict;
    use super::*;

    fn wear(normal: u64, abnormal: u64, given_up: u64) -> Wear {
        let mut wear = Wear::default();
        let verdicts =
            [(normal, Verdict::Normal), (abnormal, Verdict::Abnormal), (given_up, Verdict::GivenUp)];
        for (times, verdict) in verdicts {
            (0..times).for_each(|_| {
                wear.begin();
                wear.end(verdict);
            });
        }
        wear
    }

    fn pause(streak: &mut Streak, wear: &Wear) -> Option<Duration> {
        match streak.end(wear) {
            Judgement::Pause { until, .. } => Some(until.saturating_duration_since(Instant::now())),
            Judgement::Well | Judgement::WornOut(_) => None,
        }
    }

    #[test]
    fn a_function_that_wears_out_two_zygotes_in_a_row_is_paused_for_longer_each_time() {
        let (mut streak, attacked) = (Streak::new(), wear(10, 100, 0));
        let pauses: Vec<_> = (0..40).map(|_| pause(&mut streak, &attacked)).collect();
        assert!(pauses[0].is_none(), "once may happen");
        assert!(pauses[1].unwrap() <= PAUSE_MIN && pauses[2].unwrap() > PAUSE_MIN, "{pauses:?}");
        assert!(pauses[39].unwrap() <= PAUSE_MAX && pauses[39].unwrap() > PAUSE_MAX / 2, "{pauses:?}");
        assert!(streak.paused_until(Instant::now()).is_some());
    }

    #[test]
    fn a_zygote_that_was_not_worn_out_by_an_attack_ends_the_row() {
        let attacked = wear(10, 100, 0);
        for other in [wear(10_000, 100, 0), wear(100, 0, 0)] {
            let mut streak = Streak::new();
            for wear in [&attacked, &other, &attacked] {
                assert!(pause(&mut streak, wear).is_none(), "{other:?}");
            }
        }
    }

    #[test]
    fn crashes_count_also_where_a_zygote_is_replaced_for_what_was_given_up() {
        let (mut streak, mixed) = (Streak::new(), wear(0, 49, 51));
        assert!(pause(&mut streak, &mixed).is_none(), "once may happen");
        assert!(pause(&mut streak, &mixed).is_some());
    }

    #[test]
    fn what_was_given_up_neither_pauses_nor_ends_the_row() {
        let (attacked, given_up) = (wear(10, 100, 0), wear(0, 0, 200));
        let mut streak = Streak::new();
        assert_eq!([&given_up; 4].map(|wear| streak.end(wear)), [Judgement::Well; 4]);
        assert_eq!(streak.end(&attacked), Judgement::WornOut(attacked));
        assert_eq!(streak.end(&given_up), Judgement::Well);
        assert!(pause(&mut streak, &attacked).is_some());
    }
}
