//! The known name that a misspelt one most likely meant.

/// The one of `known` that is nearest to `unknown`, whatever the case of either, if any is near.
pub fn nearest<'a>(unknown: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Above it lie transposed, missing and doubled letters; below it, other words.
    const SIMILAR: f64 = 0.75;
    let unknown = unknown.to_lowercase();
    let similarity = |name: &str| strsim::jaro_winkler(&unknown, &name.to_lowercase());
    let with_similarity = known.into_iter().map(|name| (similarity(name), name));
    let (similarity, best) = with_similarity.max_by(|(one, _), (other, _)| one.total_cmp(other))?;
    (similarity >= SIMILAR).then_some(best)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(known: &[&str], cases: &[(&str, Option<&str>)]) {
        for (unknown, expected) in cases {
            assert_eq!(nearest(unknown, known.iter().copied()), *expected, "{unknown}");
        }
    }

    #[test]
    fn a_known_key_is_found_from_a_misspelling_and_none_from_another_word() {
        check(
            &["memory_bytes", "cpu_ms", "threads", "queue"],
            &[("memorybytes", Some("memory_bytes")), ("thread", Some("threads")), ("image", None)],
        );
    }

    #[test]
    fn short_names_are_found_too_and_in_either_case() {
        check(
            &["id", "method", "path"],
            &[
                ("pth", Some("path")),
                ("paths", Some("path")),
                ("metod", Some("method")),
                ("Id", Some("id")),
                ("PATH", Some("path")),
                ("colour", None),
                ("xy", None),
            ],
        );
        check(&[], &[("id", None)]);
    }
}
