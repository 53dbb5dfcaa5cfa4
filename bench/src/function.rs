//! The functions that are called.

use clap::ValueEnum;

/// An example of the repository, but for the last three.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Function {
    /// `examples/hello-c`: the smallest in C.
    HelloC,
    /// `examples/hello`: the smallest in Rust.
    Hello,
    /// `examples/todosapi`: one with serde and routes.
    Todos,
    /// `examples/echo`: sends back what it was sent.
    Echo,
    /// `bench/postgres`: asks a database.
    #[value(skip)]
    Select,
    /// `bench/c/touch.c`: touches memory as it is loaded.
    #[value(skip)]
    Touch,
    /// `bench/c/dirty.c`: writes to memory for each request.
    #[value(skip)]
    Dirty,
}

impl Function {
    /// The version, the same for all.
    pub const VERSION: &'static str = "v1";

    /// The id, as the folder under `functions/` and the table show it.
    pub fn id(self) -> &'static str {
        match self {
            Self::HelloC => "hello-c",
            Self::Hello => "hello",
            Self::Todos => "todos",
            Self::Echo => "echo",
            Self::Select => "select",
            Self::Touch => "touch",
            Self::Dirty => "dirty",
        }
    }

    /// The module's file name.
    pub fn entry(self) -> &'static str {
        match self {
            Self::HelloC => "libhello_c.so",
            Self::Hello => "libexample_hello.so",
            Self::Todos => "libexample_todosapi.so",
            Self::Echo => "libexample_echo.so",
            Self::Select => "libbench_select.so",
            Self::Touch => "libtouch.so",
            Self::Dirty => "libdirty.so",
        }
    }

    /// What builds the module.
    pub fn build_command(self) -> &'static str {
        match self {
            Self::HelloC => "make -C examples/hello-c",
            Self::Hello => "cargo build --release -p example_hello",
            Self::Todos => "cargo build --release -p example_todosapi",
            Self::Echo => "cargo build --release -p example_echo",
            Self::Select => "cargo build --release -p fezz-bench-postgres",
            Self::Touch | Self::Dirty => "make bench-curves",
        }
    }

    /// The path that calls it by name.
    pub fn path(self) -> String {
        format!("/rpc/{}@{}{}", self.id(), Self::VERSION, self.uri())
    }

    /// The target that it sees of this.
    pub fn uri(self) -> &'static str {
        if self == Self::Todos { "/api/todos" } else { "/" }
    }

    /// A part of the expected answer, so that an error page isn't measured.
    pub fn expected(self) -> Vec<u8> {
        let text = match self {
            Self::HelloC | Self::Hello => format!("Hello, Ada{}", self.greeting_end()),
            Self::Todos => "buy milk".to_owned(),
            Self::Echo => "GET /\n".to_owned(),
            // The whole body.
            Self::Select => "\r\n\r\n1".to_owned(),
            Self::Touch => "touched".to_owned(),
            Self::Dirty => "dirtied".to_owned(),
        };
        text.into_bytes()
    }

    /// The text after the name in its greeting; peers greet with the same text. Empty where it doesn't greet.
    pub fn greeting_end(self) -> &'static str {
        match self {
            Self::HelloC => ", from C!\n",
            Self::Hello => "!",
            Self::Todos | Self::Echo | Self::Select | Self::Touch | Self::Dirty => "",
        }
    }
}
