//! The functions that are called: the smallest in C, the smallest in Rust, and one with serde and routes.

use clap::ValueEnum;

/// An example of the repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Function {
    /// `examples/hello-c`.
    HelloC,
    /// `examples/hello`.
    Hello,
    /// `examples/todosapi`.
    Todos,
}

impl Function {
    /// All of them, the smallest first.
    pub const ALL: [Self; 3] = [Self::HelloC, Self::Hello, Self::Todos];

    /// The id, as the folder under `functions/` and the table show it.
    pub fn id(self) -> &'static str {
        match self {
            Self::HelloC => "hello-c",
            Self::Hello => "hello",
            Self::Todos => "todos",
        }
    }

    /// The version, the same for all.
    pub const VERSION: &'static str = "v1";

    /// The module's file name.
    pub fn entry(self) -> &'static str {
        match self {
            Self::HelloC => "libhello_c.so",
            Self::Hello => "libexample_hello.so",
            Self::Todos => "libexample_todosapi.so",
        }
    }

    /// What builds the module.
    pub fn build_command(self) -> &'static str {
        match self {
            Self::HelloC => "make -C examples/hello-c",
            Self::Hello => "cargo build --release -p example_hello",
            Self::Todos => "cargo build --release -p example_todosapi",
        }
    }

    /// Where it is called, by name.
    pub fn path(self) -> String {
        let below = if self == Self::Todos { "/api/todos" } else { "" };
        format!("/rpc/{}@{}{below}", self.id(), Self::VERSION)
    }

    /// What its answer holds, so that an error page isn't measured.
    pub fn expected(self) -> &'static str {
        match self {
            Self::HelloC => "Hello, Ada, from C!",
            Self::Hello => "Hello, Ada!",
            Self::Todos => "buy milk",
        }
    }
}
