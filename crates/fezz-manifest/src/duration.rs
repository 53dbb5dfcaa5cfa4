//! Durations as people write them: a whole number and its unit.

/// Why a text isn't a duration. Each message continues after the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// It ends in neither `ms` nor `s`.
    #[error("has no known unit")]
    UnknownUnit,
    /// The part before the unit is not a whole number, or more milliseconds than 64 bits hold.
    #[error("is not a whole number of its unit")]
    NotWhole,
}

/// Reads `30s` or `1500ms`, without spaces, signs or fractions. Returns milliseconds.
///
/// # Errors
///
/// See [`DurationError`].
pub fn parse_duration(text: &str) -> Result<u64, DurationError> {
    let in_ms = text.strip_suffix("ms").map(|number| (number, 1));
    let in_s = || text.strip_suffix('s').map(|number| (number, 1000));
    let (number, factor) = in_ms.or_else(in_s).ok_or(DurationError::UnknownUnit)?;
    // `parse` would also take a plus sign.
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(DurationError::NotWhole);
    }
    let number: u64 = number.parse().map_err(|_| DurationError::NotWhole)?;
    number.checked_mul(factor).ok_or(DurationError::NotWhole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_a_whole_number_of_a_known_unit() {
        for (text, milliseconds) in [("30s", 30_000), ("1500ms", 1500), ("0s", 0)] {
            assert_eq!(parse_duration(text), Ok(milliseconds), "{text}");
        }
        for text in ["", "5", "5m", "5 sec"] {
            assert_eq!(parse_duration(text), Err(DurationError::UnknownUnit), "{text}");
        }
        for text in ["s", "ms", "1.5s", "-1s", "+1s", " 1s", "18446744073709551615s"] {
            assert_eq!(parse_duration(text), Err(DurationError::NotWhole), "{text}");
        }
    }
}
