//! A map by numbers that count up.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A map by numbers that the host itself counts up. `std`'s hash function resists clients that choose the keys, which none
/// can here, and each request looks its holdings up about ten times.
pub(super) type Numbered<T> = HashMap<u64, T, BuildHasherDefault<NumberHasher>>;

/// Spreads consecutive numbers over all bits, since the map uses the lowest and the highest.
#[derive(Debug, Default)]
pub(super) struct NumberHasher(u64);

/// 2^64 divided by the golden ratio (Knuth, The Art of Computer Programming, section 6.4). It is odd, so that different
/// numbers have different products.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

impl Hasher for NumberHasher {
    fn write_u64(&mut self, number: u64) {
        self.0 = number.wrapping_mul(FACTOR);
    }

    /// Not called for a `u64`; right for any other key all the same.
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(FACTOR);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::hash::{BuildHasher, Hash};

    #[test]
    fn consecutive_numbers_differ_in_the_bits_that_a_map_uses() {
        let hash = |number: u64| BuildHasherDefault::<NumberHasher>::default().hash_one(number);
        for begin in [0, 1 << 20, 1 << 40] {
            let hashes: Vec<u64> = (begin..begin + 1024).map(hash).collect();
            let different = |part: fn(&u64) -> u64| hashes.iter().map(part).collect::<HashSet<_>>().len();
            assert_eq!(different(|hash| hash % 1024), 1024, "the place in the map");
            assert_eq!(different(|hash| hash >> 57), 128, "the tag beside it");
        }
    }

    #[test]
    fn another_key_is_hashed_by_all_its_bytes() {
        let hash = |key: &str| {
            let mut hasher = NumberHasher::default();
            key.hash(&mut hasher);
            hasher.finish()
        };
        assert_eq!(["ab", "ba", "a", ""].map(hash).into_iter().collect::<HashSet<_>>().len(), 4);
    }
}
