//! How worn a zygote is. All of its processes have the same stack canary and the same address layout. An attacker who
//! can see whether a guess crashed one of them can find both byte by byte.

/// The verdicts on the requests of one zygote.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wear {
    /// Requests that it was given.
    requests: u64,
    /// Those that haven't been judged yet.
    in_flight: u64,
    /// Processes that didn't exit orderly after a valid response, except those that this host killed.
    abnormal: u64,
    /// Requests that this host gave up, at their deadline or because the client went away.
    given_up: u64,
}

/// The verdict on a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It answered, or had no request.
    Normal,
    /// It crashed, exited by a status of its own, or gave no valid response.
    Abnormal,
    /// This host killed it, which any client can cause with any function.
    GivenUp,
}

/// How worn a zygote is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Condition {
    /// Not at all.
    Good,
    /// It should be replaced, when that is cheap.
    Old,
    /// It should be replaced as soon as another one is loaded.
    Suspect,
    /// It serves no further request.
    WornOut,
}

/// At so many abnormal ends a zygote serves no further request. A canary has seven bytes to be guessed (the lowest is
/// 0): the chance to find them by so many guesses is 1 to 4 million, C(100, 7) / 256^7.
const ABNORMAL_MAX: u64 = 100;

/// From here on its successor is loaded. Half of the above, so that few requests ever wait for it.
const SUSPECT_FROM: u64 = ABNORMAL_MAX / 2;

/// A few crashes are no attack. With fewer for each zygote, guessing would take ten times as long as the pauses make it.
const ATTACK_FROM: u64 = ABNORMAL_MAX / 10;

/// With less than one abnormal end in so many requests, the function probably just fails sometimes; and an attacker
/// would have to send as many good requests.
const REQUESTS_FOR_EACH: u64 = 10;

impl Wear {
    /// A process is given a request.
    pub(super) fn begin(&mut self) {
        self.requests += 1;
        self.in_flight += 1;
    }

    /// A request that was given is judged.
    pub(super) fn end(&mut self, verdict: Verdict) {
        self.in_flight -= 1;
        self.judge(verdict);
    }

    /// Judges a process that had no request.
    pub(super) fn judge(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::Normal => {}
            Verdict::Abnormal => self.abnormal += 1,
            Verdict::GivenUp => self.given_up += 1,
        }
    }

    /// Whether it may serve one more request: if all requests in flight of a suspect zygote ended abnormally, it must
    /// not exceed the limit.
    pub(super) fn may_serve(&self) -> bool {
        self.abnormal < SUSPECT_FROM || self.abnormal + self.in_flight < ABNORMAL_MAX
    }

    pub(super) fn condition(&self) -> Condition {
        if self.abnormal >= ABNORMAL_MAX {
            Condition::WornOut
        } else if self.abnormal >= SUSPECT_FROM {
            Condition::Suspect
        } else if self.abnormal + self.given_up >= ABNORMAL_MAX {
            // A function that hangs instead of crashing tells an attacker as much. But most given-up requests aren't
            // the function's fault, so no request waits for this replacement.
            Condition::Old
        } else {
            Condition::Good
        }
    }

    /// How many requests it was given.
    pub(super) fn requests(&self) -> u64 {
        self.requests
    }

    /// How many processes ended abnormally.
    pub(super) fn abnormal(&self) -> u64 {
        self.abnormal
    }

    /// Whether so many requests ended abnormally that it looks like an attack. Requests that were given up don't count as
    /// good ones: any client can cause them.
    pub(super) fn is_by_attack(&self) -> bool {
        let judged = self.requests - self.given_up.min(self.requests);
        self.abnormal >= ATTACK_FROM && judged < REQUESTS_FOR_EACH * self.abnormal
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(normal: u64, abnormal: u64, given_up: u64) -> Wear {
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

    #[test]
    fn abnormal_ends_wear_a_zygote_out_and_what_was_given_up_makes_it_old() {
        assert_eq!(of(100_000, 49, 0).condition(), Condition::Good);
        assert_eq!(of(0, 50, 0).condition(), Condition::Suspect);
        assert_eq!(of(0, 100, 0).condition(), Condition::WornOut);
        assert_eq!(of(0, 49, 50).condition(), Condition::Good);
        assert_eq!(of(0, 0, 1000).condition(), Condition::Old);
    }

    #[test]
    fn a_suspect_zygote_has_no_more_requests_in_flight_than_may_end_abnormally() {
        let fill = |mut wear: Wear| {
            let mut in_flight = 0;
            while wear.may_serve() && in_flight < 1000 {
                wear.begin();
                in_flight += 1;
            }
            in_flight
        };
        assert_eq!([0, 49, 50, 99, 100].map(|abnormal| fill(of(10, abnormal, 10))), [1000, 1000, 50, 1, 0]);
    }

    #[test]
    fn one_abnormal_end_in_ten_requests_looks_like_an_attack() {
        assert!(of(0, 50, 0).is_by_attack() && of(449, 50, 0).is_by_attack());
        assert!(!of(450, 50, 0).is_by_attack() && !of(0, 9, 0).is_by_attack());
        assert!(
            of(0, 49, 51).is_by_attack() && !of(0, 9, 91).is_by_attack() && !of(0, 0, 100).is_by_attack()
        );
    }
}
