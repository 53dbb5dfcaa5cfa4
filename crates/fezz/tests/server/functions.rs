//! Functions that several tests serve.

use fezz::LoadContext;
use fezz::prelude::*;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

/// What is done with a request: written in a test as a closure.
pub(crate) struct Does<F>(pub(crate) F);

#[async_trait]
impl<F, R> FezzFunction for Does<F>
where
    F: Fn(FezzRequest, FunctionContext) -> R + Send + Sync,
    R: Future<Output = Result<FezzResponse, FezzError>> + Send,
{
    async fn fetch(&self, request: FezzRequest, ctx: &FunctionContext) -> Result<FezzResponse, FezzError> {
        (self.0)(request, ctx.clone()).await
    }

    fn name(&self) -> &str {
        "does"
    }
}

/// Answers with its text.
pub(crate) fn says(text: &'static str) -> impl FezzFunction {
    Does(move |_, _| async move { Ok(FezzResponse::text(text)) })
}

/// What has happened, in order.
pub(crate) type Events = Arc<Mutex<Vec<String>>>;

pub(crate) fn add(events: &Events, event: impl Into<String>) {
    events.lock().unwrap().push(event.into());
}

/// Writes its life into a list.
pub(crate) struct Lives {
    pub(crate) events: Events,
    pub(crate) fails: Option<&'static str>,
}

#[async_trait]
impl FezzFunction for Lives {
    async fn on_load(&mut self, ctx: &FunctionContext) -> Result<(), FezzError> {
        add(&self.events, format!("load {}@{}", ctx.function_name(), ctx.version()));
        match self.fails {
            Some("error") => Err("the disk is full".into()),
            Some(text) => panic!("{text}"),
            None => Ok(()),
        }
    }

    async fn fetch(&self, request: FezzRequest, _: &FunctionContext) -> Result<FezzResponse, FezzError> {
        add(&self.events, format!("fetch {}", request.path));
        Ok(FezzResponse::text("lives"))
    }

    async fn on_unload(&mut self, ctx: &FunctionContext) -> Result<(), FezzError> {
        add(&self.events, format!("unload {}", ctx.function_name()));
        Ok(())
    }

    fn name(&self) -> &str {
        "lives"
    }
}

/// Adds an event when it is dropped.
pub(crate) struct Dropped(pub(crate) Events);

impl Drop for Dropped {
    fn drop(&mut self) {
        add(&self.0, "dropped");
    }
}

/// Never ready; dropped with what it owns.
pub(crate) fn for_ever<T>(owned: T) -> Pin<Box<impl Future<Output = Result<FezzResponse, FezzError>>>> {
    Box::pin(async move {
        let _owned = owned;
        std::future::pending().await
    })
}

/// The hooks of [`hooked`], in order.
pub(crate) static HOOKS: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn load(context: &LoadContext) -> Result<(), FezzError> {
    let region = context.require_env("REGION")?;
    HOOKS.lock().unwrap().push(format!("load {} {region}", context.function()));
    Ok(())
}

fn close() {
    HOOKS.lock().unwrap().push("unload".to_owned());
}

#[fezz_function(id = "hooked", version = "v3", path = "/items/{id}", timeout = "1500ms", on_load = load,
    on_unload = close, export = false)]
pub(crate) async fn hooked(Path(id): Path<u32>, ctx: &FunctionContext) -> Result<String, FezzError> {
    // A handler isn't `Send`.
    let region = std::rc::Rc::new(ctx.require_env("REGION")?.to_owned());
    std::future::ready(()).await;
    assert_ne!(id, 13, "bad luck");
    Ok(format!("{id} in {region}"))
}
