// curl -H 'X-Name: Ada' localhost:3000/greet
//! The smallest function.

use fezz::prelude::*;

#[fezz_function(path = "/greet", method = "GET")]
fn greet(request: FezzRequest) -> String {
    format!("Hello, {}!", request.header("X-Name").unwrap_or("world"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_visitor_with_a_name_is_greeted_by_it() {
        assert_eq!(greet(FezzRequest::new("GET", "/greet").with_header("X-Name", "Ada")), "Hello, Ada!");
        assert_eq!(greet(FezzRequest::new("GET", "/greet")), "Hello, world!");
    }
}
