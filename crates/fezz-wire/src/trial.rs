//! What a runner prints that only tries its jail (`fezz-runner --try`). It proves to the host that a wrapper passes
//! arguments, stdin and stdout to a runner of the host's own version, and that this runner is confined.

/// The answer, one line on stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrialAnswer<'a> {
    /// The runner's version.
    pub version: &'a str,
    /// The value of `--jail`, which has no spaces.
    pub jail: &'a str,
    /// What it read from stdin, without spaces around it.
    pub token: &'a str,
}

/// What a runner prints on stdout once it has made an empty network, which it then keeps (`fezz-runner
/// --hold-network`).
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
    fn an_answer_survives_a_round_trip_and_other_texts_are_refused() {
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
