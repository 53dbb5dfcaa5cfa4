//! The name that a typing error most likely meant.

/// The one of `known` that is nearest to `unknown`, if any is near.
pub(crate) fn nearest<'a>(unknown: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // Above it lie transposed, missing and doubled letters; below it, other words.
    const SIMILAR: f64 = 0.75;
    let similarity = |name: &str| strsim::jaro_winkler(unknown, name);
    let best = known.max_by(|a, b| similarity(a).total_cmp(&similarity(b)))?;
    (similarity(best) >= SIMILAR).then_some(best)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_name_is_found_from_a_misspelling_and_none_from_another_word() {
        let nearest = |unknown| nearest(unknown, ["memory_bytes", "cpu_ms", "threads", "queue"].into_iter());
        assert_eq!(nearest("memorybytes"), Some("memory_bytes"));
        assert_eq!(nearest("thread"), Some("threads"));
        assert_eq!(nearest("image"), None);
    }
}
