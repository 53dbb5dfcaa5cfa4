//! Tests of a function as its clients see it: by requests. With the feature `testing`, which belongs into
//! `[dev-dependencies]`.
//!
//! Both kinds find the function's routes and its path parameters, and answer 404, 405, 500 and 502, as a host does.
//!
//! - [`InProcess`] calls the function in the test's own process: fast, and a debugger sees it.
//! - [`Sandboxed`] has `fezz-runner` load the built module and confine it, as a host does with `spawn`. What works there
//!   works in the jail.
//!
//! ```
//! use fezz::prelude::*;
//! use fezz::testing::InProcess;
//!
//! #[fezz_request]
//! struct NewTodo {
//!     title: String,
//! }
//!
//! #[fezz_function(method = "PUT", path = "/todos/{id}")]
//! fn put(Path(id): Path<u32>, Json(todo): Json<NewTodo>) -> String {
//!     format!("{id}: {}", todo.title)
//! }
//!
//! # pub // so that this example is run
//! fn a_todo_is_put() {
//!     let app = InProcess::new(PutFunction::new());
//!     let answer = app.put("/todos/7").json(&serde_json::json!({"title": "buy milk"})).send();
//!     assert_eq!((answer.status(), answer.text()), (200, "7: buy milk"));
//!
//!     // The client is told what is wrong.
//!     let refused = app.put("/todos/7").json(&serde_json::json!({})).send();
//!     assert_eq!(refused.status(), 422);
//!     assert_eq!(app.get("/todos/7").send().status(), 405);
//! }
//! # a_todo_is_put();
//! ```
//!
//! An [`Answer`] is shown as text, so that a snapshot is one line: `insta::assert_snapshot!(app.get("/todos").send())`.

mod answer;
mod call;
mod in_process;
mod sandboxed;

pub use answer::Answer;
pub use call::{Call, Client};
pub use fezz_sandbox::{Jail, SandboxError};
pub use in_process::InProcess;
pub use sandboxed::Sandboxed;
