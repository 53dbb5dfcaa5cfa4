//! The trait of a function that an embedded host serves, and how what `#[fezz_function]` prints is one.

use crate::server::hook::on_thread;
use crate::server::slot::of_this_call;
use crate::{FezzError, FezzRequest, FezzResponse, Function, FunctionContext, FunctionManifest, panic};
use async_trait::async_trait;
use fezz_wire::ErrorKind;
use tokio::task::{JoinError, JoinHandle, spawn_blocking};

/// A function that an [`HhrfServer`](crate::server::HhrfServer) serves in its own process. It is trusted code: it has all
/// rights of the program.
///
/// What `#[fezz_function]` prints is one: `HelloFunction::new()`. Written by hand it may keep state between requests:
///
/// ```
/// use fezz::prelude::*;
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// #[derive(Default)]
/// struct Counter {
///     calls: AtomicU64,
/// }
///
/// #[async_trait]
/// impl FezzFunction for Counter {
///     async fn fetch(&self, _: FezzRequest, _: &FunctionContext) -> Result<FezzResponse, FezzError> {
///         let calls = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
///         Ok(FezzResponse::text(format!("{calls}\n")))
///     }
///
///     fn name(&self) -> &str {
///         "counter"
///     }
/// }
/// ```
#[async_trait]
pub trait FezzFunction: Send + Sync {
    /// Called once, before any request, on a thread of its own: it may block.
    ///
    /// # Errors
    ///
    /// The function can't serve: registering it fails.
    async fn on_load(&mut self, ctx: &FunctionContext) -> Result<(), FezzError> {
        let _ = ctx;
        Ok(())
    }

    /// Answers a request, on the runtime of the server. The future is dropped at the deadline, and when the client
    /// disconnects. While it computes or blocks, it can't be ended, and holds a thread of the runtime.
    ///
    /// # Errors
    ///
    /// As for `#[fezz_function]`: the client gets 500 without details and the log has the message, or the client gets the
    /// response that the error stands for.
    async fn fetch(&self, request: FezzRequest, ctx: &FunctionContext) -> Result<FezzResponse, FezzError>;

    /// Called once, after the last request, on a thread of its own: it may block. It has ten seconds.
    ///
    /// # Errors
    ///
    /// They are logged, or returned to who unregisters the function.
    async fn on_unload(&mut self, ctx: &FunctionContext) -> Result<(), FezzError> {
        let _ = ctx;
        Ok(())
    }

    /// What it is called in messages. The id, by which it is served, is given when it is registered.
    fn name(&self) -> &str;

    /// What its attribute says, if it has one.
    #[doc(hidden)]
    fn attribute(&self) -> Option<&'static FunctionManifest> {
        None
    }
}

/// Such a function is synchronous, or runs its future itself, which needn't be `Send`. So it has a thread for each call
/// ([`tokio::task::spawn_blocking`]), which goes on after the deadline.
#[async_trait]
impl<F: Function + Clone + Send + Sync + 'static> FezzFunction for F {
    async fn on_load(&mut self, ctx: &FunctionContext) -> Result<(), FezzError> {
        let (function, load) = (self.clone(), ctx.for_load());
        on_thread(move || Function::on_load(&function, &load))
            .await
            .unwrap_or_else(|why| Err(FezzError::new(why)))
    }

    async fn fetch(&self, request: FezzRequest, ctx: &FunctionContext) -> Result<FezzResponse, FezzError> {
        let (function, context) = (self.clone(), ctx.clone());
        let request = request.with_context(ctx.clone());
        let mut call = Call(spawn_blocking(of_this_call(move || {
            let response = function.call(request);
            // To the end of the call, whatever the function does with its request: the host counts it until then.
            drop(context);
            response
        })));
        Ok((&mut call.0).await.unwrap_or_else(failed))
    }

    async fn on_unload(&mut self, _: &FunctionContext) -> Result<(), FezzError> {
        let function = self.clone();
        on_thread(move || Function::on_unload(&function)).await.map_err(FezzError::new)
    }

    fn name(&self) -> &str {
        self.manifest().id
    }

    fn attribute(&self) -> Option<&'static FunctionManifest> {
        Some(self.manifest())
    }
}

/// A call that is given up when this is dropped, unless it has begun.
struct Call(JoinHandle<FezzResponse>);

impl Drop for Call {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn failed(ended: JoinError) -> FezzResponse {
    let (kind, message) = described(ended);
    FezzResponse::failed(kind, message)
}

fn described(ended: JoinError) -> (ErrorKind, String) {
    match ended.try_into_panic() {
        Ok(payload) => (ErrorKind::Panicked, panic::text(payload)),
        Err(_) => (ErrorKind::Returned, "the runtime is shutting down".to_owned()),
    }
}
