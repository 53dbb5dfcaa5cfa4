//! Waits that seldom end, in a task that is mostly woken for something else.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// A future that is polled only if it was woken itself, and not whenever its task is.
#[derive(Debug)]
pub(crate) struct Seldom<F> {
    future: Pin<Box<F>>,
    waking: Option<(Arc<Waking>, Waker)>,
}

/// Wakes the task, and notes for whom.
#[derive(Debug)]
struct Waking {
    is_woken: AtomicBool,
    task: Waker,
}

/// Has `future` polled only if it was woken.
pub(crate) fn seldom<F: Future>(future: F) -> Seldom<F> {
    Seldom { future: Box::pin(future), waking: None }
}

impl<F: Future> Future for Seldom<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let Self { future, waking } = &mut *self;
        // Of another task, a wake may have been missed.
        waking.take_if(|(waking, _)| !waking.task.will_wake(context.waker()));
        let (waking, waker) = waking.get_or_insert_with(|| {
            let waking = Arc::new(Waking { is_woken: AtomicBool::new(true), task: context.waker().clone() });
            (Arc::clone(&waking), Waker::from(waking))
        });
        if !waking.is_woken.swap(false, Ordering::AcqRel) {
            return Poll::Pending;
        }
        future.as_mut().poll(&mut Context::from_waker(waker))
    }
}

impl Wake for Waking {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Before the task runs, so that it sees it.
        self.is_woken.store(true, Ordering::Release);
        self.task.wake_by_ref();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::{Cell, RefCell};
    use std::future::poll_fn;

    /// Counts the wakes of a task.
    #[derive(Default)]
    struct Task(std::sync::atomic::AtomicUsize);

    impl Wake for Task {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn it_is_polled_once_at_first_and_then_after_each_wake_alone() {
        let (polls, inner) = (Cell::new(0), RefCell::new(None::<Waker>));
        let mut future = seldom(poll_fn(|context| {
            polls.set(polls.get() + 1);
            *inner.borrow_mut() = Some(context.waker().clone());
            if polls.get() < 4 { Poll::Pending } else { Poll::Ready(()) }
        }));
        let (task, other) = (Arc::<Task>::default(), Arc::<Task>::default());
        let mut poll = |task: &Arc<Task>| {
            Pin::new(&mut future).poll(&mut Context::from_waker(&Waker::from(Arc::clone(task))))
        };
        let wake = || inner.borrow().as_ref().unwrap().wake_by_ref();

        assert!(poll(&task).is_pending() && poll(&task).is_pending());
        assert_eq!(polls.get(), 1);
        wake();
        assert_eq!(task.0.load(Ordering::Relaxed), 1);
        assert!(poll(&task).is_pending() && poll(&task).is_pending());
        assert_eq!(polls.get(), 2);
        assert!(poll(&other).is_pending(), "another task must be known to it");
        wake();
        assert_eq!(other.0.load(Ordering::Relaxed), 1);
        assert!(poll(&other).is_ready());
    }
}
