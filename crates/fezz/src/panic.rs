//! The location and the message of a panic.

use std::any::Any;
use std::cell::RefCell;
use std::panic::PanicHookInfo;
use std::sync::Once;

thread_local! {
    /// `file:line:column` of the last panic on this thread: the payload that is caught doesn't have it.
    static LOCATION: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Clears the last location, and installs a hook that records the next one. The previous hook, which by default prints
/// to stderr, the function's log, is still called.
pub(crate) fn watch() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            remember(panic);
            previous(panic);
        }));
    });
    LOCATION.set(None);
}

fn remember(panic: &PanicHookInfo<'_>) {
    let location = panic.location().map(ToString::to_string);
    // A thread that is ending has no such variable any more, and no code that would read it.
    let _ = LOCATION.try_with(|last| last.replace(location));
}

/// `<payload>, at <file>:<line>:<column>`, as far as either is known.
pub(crate) fn describe(payload: &(dyn Any + Send)) -> String {
    let text = if let Some(text) = payload.downcast_ref::<&str>() {
        text
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text
    } else {
        "panic with a payload that is no text"
    };
    let hint = HINTS.iter().find(|(begin, _)| text.starts_with(begin)).map_or("", |(_, hint)| hint);
    match LOCATION.take() {
        Some(location) => format!("{text}, at {location}{hint}"),
        None => format!("{text}{hint}"),
    }
}

/// What the author does about panics that begin so.
const HINTS: [(&str, &str); 3] = [
    // tokio, without its runtime.
    ("there is no reactor running", RUNTIME_HINT),
    // Such as a header that the client didn't send.
    ("called `Option::unwrap()` on a `None` value", NONE_HINT),
    // `std::env::var`
    ("called `Result::unwrap()` on an `Err` value: NotPresent", VARIABLE_HINT),
];

const VARIABLE_HINT: &str = ": a function has no variables but those of `env` in fezz.json";
const NONE_HINT: &str = ": where a client may leave something out, return an error, as by `.ok_or(..)?`";

/// What the author does without tokio's runtime.
#[cfg(feature = "tokio")]
const RUNTIME_HINT: &str = ": the feature `tokio` of fezz runs async functions only: write `async fn`";
#[cfg(not(feature = "tokio"))]
const RUNTIME_HINT: &str = ": enable the feature `tokio` of fezz, which runs an async function on a tokio runtime: \
                            `fezz = { ..., features = [\"tokio\"] }`";

/// The message of a panic that has ended a task.
#[cfg(any(feature = "server", feature = "worker"))]
pub(crate) fn text(payload: Box<dyn Any + Send>) -> String {
    let text = describe(&*payload);
    // The payload's own drop may panic.
    std::mem::forget(payload);
    text
}
