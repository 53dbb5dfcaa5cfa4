//! Events of the crate `tracing`, as lines that the host's log can take apart. docs/author.md and docs/wire.md describe
//! the line.

mod line;

use line::Line;
use std::cell::RefCell;
use std::collections::HashMap;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, Once, PoisonError};
use tracing_core::dispatcher::{self, Dispatch};
use tracing_core::span::{Attributes, Current, Id, Record};
use tracing_core::{Event, Level, LevelFilter, Metadata, Subscriber};

/// The variable that chooses the least important level that is logged: `error`, `warn`, `info`, `debug`, `trace` or `off`.
const LEVEL_VARIABLE: &str = "FEZZ_LOG";

/// Runs the author's `on_load`: its events are logged, too. It may install a subscriber of its own, which then stays.
pub(crate) fn around<T>(load: impl FnOnce() -> T) -> T {
    let loaded = dispatcher::with_default(&Dispatch::new(Stderr::new()), load);
    install();
    loaded
}

/// For the rest of the process, unless the author has installed a subscriber.
pub(crate) fn install() {
    static ONCE: Once = Once::new();
    // An error says that there is one already.
    ONCE.call_once(|| drop(dispatcher::set_global_default(Dispatch::new(Stderr::new()))));
}

thread_local! {
    /// The spans that this thread is in, the outermost first.
    static ENTERED: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

/// Writes each event as a line to stderr.
struct Stderr {
    most: LevelFilter,
    last: AtomicU64,
    spans: Mutex<HashMap<u64, Span>>,
}

struct Span {
    metadata: &'static Metadata<'static>,
    handles: usize,
}

impl Stderr {
    fn new() -> Self {
        let chosen = std::env::var(LEVEL_VARIABLE).ok().and_then(|level| level.parse().ok());
        Self { most: chosen.unwrap_or(LevelFilter::INFO), last: AtomicU64::new(0), spans: Mutex::default() }
    }

    fn spans<T>(&self, change: impl FnOnce(&mut HashMap<u64, Span>) -> T) -> T {
        // A panic elsewhere leaves a whole map: each change is one call.
        change(&mut self.spans.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn entered(&self) -> Vec<&'static str> {
        let entered = ENTERED.with_borrow(Clone::clone);
        self.spans(|spans| {
            entered.iter().filter_map(|id| spans.get(id)).map(|span| span.metadata.name()).collect()
        })
    }
}

impl Subscriber for Stderr {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.most
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.most)
    }

    fn event(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        let mut line = Line::new(level(*metadata.level()), metadata.target(), &self.entered());
        event.record(&mut line);
        // In one write, which a pipe doesn't mix with those of other threads. What can't be logged is lost.
        let _ = std::io::stderr().write_all(&line.finish());
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let id = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let span = Span { metadata: attributes.metadata(), handles: 1 };
        self.spans(|spans| spans.insert(id, span));
        Id::from_u64(id)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, span: &Id) {
        ENTERED.with_borrow_mut(|entered| entered.push(span.into_u64()));
    }

    fn exit(&self, span: &Id) {
        ENTERED.with_borrow_mut(|entered| {
            if let Some(at) = entered.iter().rposition(|id| *id == span.into_u64()) {
                entered.remove(at);
            }
        });
    }

    fn clone_span(&self, id: &Id) -> Id {
        self.spans(|spans| {
            if let Some(span) = spans.get_mut(&id.into_u64()) {
                span.handles += 1;
            }
        });
        id.clone()
    }

    fn try_close(&self, id: Id) -> bool {
        self.spans(|spans| {
            let Some(span) = spans.get_mut(&id.into_u64()) else { return false };
            span.handles -= 1;
            let is_last = span.handles == 0;
            if is_last {
                spans.remove(&id.into_u64());
            }
            is_last
        })
    }

    fn current_span(&self) -> Current {
        let innermost = ENTERED.with_borrow(|entered| entered.last().copied());
        let known = |id| Some((id, self.spans(|spans| spans.get(&id).map(|span| span.metadata))?));
        match innermost.and_then(known) {
            Some((id, metadata)) => Current::new(Id::from_u64(id), metadata),
            None => Current::none(),
        }
    }
}

fn level(level: Level) -> &'static str {
    match level {
        Level::ERROR => "ERROR",
        Level::WARN => "WARN",
        Level::INFO => "INFO",
        Level::DEBUG => "DEBUG",
        Level::TRACE => "TRACE",
    }
}
