//! How far a zygote is used up. All of its processes have the same stack canary and the same layout of addresses: who
//! sees whether a guess has crashed one of them, by whatever means, finds them out byte by byte.

/// What is known of the requests of one zygote.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wear {
    /// How many it was given.
    requests: u64,
    /// How many of them haven't been judged.
    in_flight: u64,
    /// How many processes ended otherwise than by an orderly exit behind a valid response. Those that this host has killed
    /// aren't among them.
    abnormal: u64,
    /// How many requests this host has given up, at their deadline or because the client went away.
    given_up: u64,
}

/// What came of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It did its work, or had none.
    Normal,
    /// It crashed, exited by a status of its own, or gave no valid response.
    Abnormal,
    /// This host has ended it, which anybody can bring about with any function.
    GivenUp,
}

/// How far a zygote is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Condition {
    /// Not at all.
    Good,
    /// Another one should take its place, when it costs little.
    Old,
    /// Another one should take its place as soon as it is loaded.
    Suspect,
    /// It serves no further request.
    WornOut,
}

/// At so many abnormal ends a zygote serves no further request. A canary has seven bytes to be guessed (the lowest is
/// 0): to find them by so many guesses has a chance of 1 to 4 million, C(100, 7) / 256^7.
const ABNORMAL_MAX: u64 = 100;

/// From here on its successor is loaded: half of the above, so that most functions' requests never wait for it.
const SUSPECT_FROM: u64 = ABNORMAL_MAX / 2;

/// A zygote that is worn out by less than one abnormal end in so many requests has a function that fails now and then,
/// and whoever attacks it has to send as many good requests.
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

    /// A process is judged that had no request, or has been judged better than it deserved.
    pub(super) fn judge(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::Normal => {}
            Verdict::Abnormal => self.abnormal += 1,
            Verdict::GivenUp => self.given_up += 1,
        }
    }

    /// Whether one more request can be served: a suspect zygote is given no more at a time than could end abnormally.
    pub(super) fn may_serve(&self) -> bool {
        self.abnormal < SUSPECT_FROM || self.abnormal + self.in_flight < ABNORMAL_MAX
    }

    pub(super) fn condition(&self) -> Condition {
        if self.abnormal >= ABNORMAL_MAX {
            Condition::WornOut
        } else if self.abnormal >= SUSPECT_FROM {
            Condition::Suspect
        } else if self.abnormal + self.given_up >= ABNORMAL_MAX {
            // A function that hangs where others crash tells as much, to whoever waits or goes away. But to give up is no
            // fault of most functions: no request waits for that.
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

    /// Whether it is worn out by requests most of which may well have been meant to.
    pub(super) fn is_by_attack(&self) -> bool {
        self.condition() >= Condition::Suspect && self.requests < REQUESTS_FOR_EACH * self.abnormal
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
        assert!(!of(450, 50, 0).is_by_attack() && !of(0, 49, 0).is_by_attack());
    }
}
