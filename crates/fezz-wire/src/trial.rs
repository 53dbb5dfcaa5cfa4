//! What a runner answers that only tries its jail (`fezz-runner --try`): by it the host knows that arguments, stdin and
//! stdout pass through a wrapper to a runner of its own version, and that this one is confined.

/// The answer, one line on stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrialAnswer<'a> {
    /// The runner's version.
    pub version: &'a str,
    /// How it is confined, as `--jail` says it: no spaces.
    pub jail: &'a str,
    /// What it read from stdin, without spaces around it.
    pub token: &'a str,
}

/// What a runner says on stdout that has made an empty network and keeps it (`fezz-runner --hold-network`).
pub const NETWORK_MADE: &[u8] = b"made\n";

const NAME: &str = "fezz-runner";

impl<'a> TrialAnswer<'a> {
    /// The line, with its end.
    pub fn encode(&self) -> String {
        let Self { version, jail, token } = self;
        format!("{NAME} {version} {jail} {token}\n")
    }

    /// Reads it back; `None` for any other text.
    pub fn decode(text: &'a str) -> Option<Self> {
        let mut words = text.strip_suffix('\n')?.splitn(4, ' ');
        let is_runner = words.next()? == NAME;
        let answer = Self { version: words.next()?, jail: words.next()?, token: words.next()? };
        is_runner.then_some(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back_and_nothing_else() {
        for token in ["t0k3n", ""] {
            let answer = TrialAnswer { version: "1.2.3", jail: "inner", token };
            assert_eq!(TrialAnswer::decode(&answer.encode()), Some(answer));
        }
        for other in
            ["", "\n", "fezz-runner 1.2.3\n", "bash 1.2.3 inner t0k3n\n", "fezz-runner 1.2.3 inner t"]
        {
            assert_eq!(TrialAnswer::decode(other), None, "{other:?}");
        }
    }
}
