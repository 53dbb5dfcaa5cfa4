//! Two sources that feed one catalogue: a folder and a gateway file, or the functions of a program that embeds the host.

use super::{Entry, Reading, Snapshot, Source, SourceError};
use crate::release::Release;
use std::pin::Pin;
use std::sync::Arc;

/// Two sources. One that can't be read later keeps its previous functions, while changes of the other are served.
#[derive(Debug)]
pub struct Both {
    sources: [Kept; 2],
}

/// A source, and what it yielded last.
#[derive(Debug)]
struct Kept {
    source: Box<dyn Source>,
    /// `None` before the first snapshot.
    last: Option<Vec<(String, Arc<Release>)>>,
}

impl Both {
    /// The functions of `first` stand before those of `second`: of two with one name the second's is rejected.
    pub fn new(first: impl Source + 'static, second: impl Source + 'static) -> Self {
        let kept = |source| Kept { source, last: None };
        Self { sources: [kept(Box::new(first) as Box<dyn Source>), kept(Box::new(second))] }
    }
}

impl Source for Both {
    fn snapshot(&mut self) -> Reading<'_> {
        Box::pin(async move {
            let mut both = Snapshot::default();
            for kept in &mut self.sources {
                let Snapshot { entries, failures } = kept.snapshot().await?;
                both.entries.extend(entries);
                both.failures.extend(failures);
            }
            Ok(both)
        })
    }

    fn changed(&mut self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            let [first, second] = &mut self.sources;
            tokio::select! {
                // The first one is always asked: by that it knows that its snapshot is served.
                biased;
                () = first.source.changed() => {}
                () = second.source.changed() => {}
            }
        })
    }
}

impl Kept {
    async fn snapshot(&mut self) -> Result<Snapshot, SourceError> {
        match (self.source.snapshot().await, &self.last) {
            (Ok(snapshot), _) => {
                let served = |entry: &Entry| {
                    let release = entry.release.as_ref().ok()?;
                    Some((entry.origin.clone(), Arc::clone(release)))
                };
                self.last = Some(snapshot.entries.iter().filter_map(served).collect());
                Ok(snapshot)
            }
            (Err(error), None) => Err(error),
            (Err(error), Some(last)) => {
                let entries = last.iter();
                let entries = entries.map(|(origin, release)| Entry {
                    origin: origin.clone(),
                    release: Ok(Arc::clone(release)),
                });
                Ok(Snapshot { entries: entries.collect(), failures: vec![error] })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Unavailable;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// Has one function, and can't be read the second time.
    #[derive(Debug, Default)]
    struct Breaks(u32);

    impl Source for Breaks {
        fn snapshot(&mut self) -> Reading<'_> {
            self.0 += 1;
            let unavailable = Unavailable { name: "f@v1".to_owned(), cause: "no module".into() };
            let entry = Entry { origin: "f".to_owned(), release: Err(unavailable) };
            let read = match self.0 {
                2 => Err("no YAML".into()),
                _ => Ok(Snapshot { entries: vec![entry], ..Snapshot::default() }),
            };
            Box::pin(async move { read })
        }

        fn changed(&mut self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
            Box::pin(std::future::pending())
        }
    }

    /// Counts how often it is asked for changes, and has one if it says so.
    #[derive(Debug)]
    struct Asked(Arc<AtomicU32>, bool);

    impl Source for Asked {
        fn snapshot(&mut self) -> Reading<'_> {
            Box::pin(async { Ok(Snapshot::default()) })
        }

        fn changed(&mut self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
            let has_changed = self.1;
            Box::pin(async move {
                self.0.fetch_add(1, Ordering::Relaxed);
                if !has_changed {
                    std::future::pending().await
                }
            })
        }
    }

    #[tokio::test]
    async fn the_first_source_is_asked_for_changes_also_if_the_second_has_one_at_once() {
        const TIMES: u32 = 64;
        let asked = Arc::new(AtomicU32::new(0));
        let mut both = Both::new(Asked(Arc::clone(&asked), false), Asked(Arc::default(), true));
        for _ in 0..TIMES {
            both.changed().await;
        }
        assert_eq!(asked.load(Ordering::Relaxed), TIMES);
    }

    #[tokio::test]
    async fn a_source_that_can_not_be_read_is_told_until_it_can_be() {
        let mut both = Both::new(Breaks::default(), Breaks(2));
        let mut failures = Vec::new();
        for _ in 0..3 {
            let snapshot = both.snapshot().await.unwrap();
            failures.push(snapshot.failures.iter().map(ToString::to_string).collect::<Vec<_>>());
        }
        assert_eq!(failures, [vec![], vec!["no YAML".to_owned()], vec![]]);
    }
}
