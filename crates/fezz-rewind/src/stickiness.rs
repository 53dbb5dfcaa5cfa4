//! When pages that were written are protected again.
//!
//! A page that was written once stays without protection and is restored from then on whether it was written again or
//! not. With 10 pages that is faster than to protect them each time, which costs a fault per page. But what only some
//! requests write is better forgotten.

/// After how many restores all pages are protected again. Measured: every 64th costs 3 %.
const REPROTECT_EVERY: u32 = 64;

/// Pages are protected again at once if so many more are restored than twice what the first request after the last time
/// wrote. To restore so many takes about as long as to protect all.
const PAGES_SUPERFLUOUS_MAX: u64 = 64;

/// What was restored since all pages were protected.
#[derive(Debug, Default)]
pub(crate) struct Stickiness {
    restores: u32,
    /// By the first of these restores.
    pages_first: u64,
}

impl Stickiness {
    /// Whether all pages are to be protected, now that so many were restored. Starts anew if so.
    pub(crate) fn is_over(&mut self, pages: u64) -> bool {
        if self.restores == 0 {
            self.pages_first = pages;
        }
        self.restores += 1;
        let pages_max = self.pages_first.saturating_mul(2).saturating_add(PAGES_SUPERFLUOUS_MAX);
        let is_over = self.restores >= REPROTECT_EVERY || pages > pages_max;
        if is_over {
            *self = Self::default();
        }
        is_over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_set_of_pages_is_kept_for_a_number_of_restores() {
        let mut stickiness = Stickiness::default();
        let over: Vec<_> = (1..=128).filter(|_| stickiness.is_over(1000)).collect();
        assert_eq!(over, [64, 128]);
    }

    #[test]
    fn a_set_that_one_request_made_large_is_forgotten_at_once() {
        let mut stickiness = Stickiness::default();
        assert!(!stickiness.is_over(10));
        assert!(!stickiness.is_over(84));
        assert!(stickiness.is_over(85));
        assert!(!stickiness.is_over(10));
    }
}
