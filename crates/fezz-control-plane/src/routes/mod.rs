//! Which function a request is for.

mod method;
mod route;
mod table;

pub use fezz_manifest::path::{PathError, PathFault};
pub use fezz_manifest::routing::NotText;
pub use method::{MethodName, RouteMethod};
pub use route::{Route, RouteError};
pub use table::{RouteMatch, RouteTable};
