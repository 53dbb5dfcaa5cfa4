//! Compiles `tests/c/driver.c`, with the compiler's sanitizers where it has them, and speaks to it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// The folder with the headers that are shipped.
pub(crate) fn include_path() -> &'static str {
    concat!(env!("CARGO_MANIFEST_DIR"), "/include")
}

/// The compiled program.
pub(crate) struct Driver {
    program: PathBuf,
}

impl Driver {
    /// Compiled once, since the sanitizers take seconds.
    pub(crate) fn get() -> &'static Self {
        static DRIVER: OnceLock<Driver> = OnceLock::new();
        DRIVER.get_or_init(Self::compile)
    }

    fn compile() -> Self {
        let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fezz_cbor_driver");
        if !compile(&program, &["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]) {
            eprintln!(
                "SKIPPED: cc has no address and undefined-behaviour sanitizers: install libasan and libubsan"
            );
            assert!(std::env::var_os("CI").is_none(), "in CI nothing may be skipped");
            assert!(compile(&program, &[]), "driver.c doesn't compile");
        }
        Self { program }
    }

    /// Runs the program over the messages. Returns a line for each.
    pub(crate) fn read(&self, arguments: &[&str], messages: &[Vec<u8>]) -> Vec<Line> {
        let mut command = Command::new(&self.program);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut driver = command.spawn().unwrap();
        let mut stdin = driver.stdin.take().unwrap();
        let input: Vec<u8> = messages
            .iter()
            .flat_map(|message| [&(message.len() as u32).to_be_bytes()[..], message].concat())
            .collect();
        // Both at once: a pipe holds little, and neither side may wait for the other.
        let writer = std::thread::spawn(move || stdin.write_all(&input));
        let output = driver.wait_with_output().unwrap();
        assert!(output.status.success(), "the driver failed: {}", output.status);
        writer.join().unwrap().unwrap();
        let lines: Vec<_> = String::from_utf8(output.stdout).unwrap().lines().map(Line::new).collect();
        assert!(messages.is_empty() || lines.len() == messages.len());
        lines
    }
}

fn compile(program: &Path, flags: &[&str]) -> bool {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/c/driver.c");
    let mut command = Command::new("cc");
    command
        .args(["-std=c99", "-O1", "-g", "-I", include_path()])
        .args(flags)
        .arg(source)
        .arg("-o")
        .arg(program);
    command.status().expect("the C compiler `cc` runs").success()
}

/// One line of the driver's output, word by word.
pub(crate) struct Line {
    words: std::vec::IntoIter<String>,
}

impl Line {
    fn new(line: &str) -> Self {
        Self { words: line.split_whitespace().map(str::to_owned).collect::<Vec<_>>().into_iter() }
    }

    pub(crate) fn word(&mut self) -> String {
        self.words.next().unwrap()
    }

    pub(crate) fn status(&mut self) -> u32 {
        self.word().parse().unwrap()
    }

    /// `-` is an absent slice; `.` precedes the bytes in hex.
    pub(crate) fn bytes(&mut self) -> Option<Vec<u8>> {
        unhex(&self.word())
    }

    pub(crate) fn text(&mut self) -> Option<String> {
        self.bytes().map(|bytes| String::from_utf8(bytes).unwrap())
    }

    /// Names and values, up to a `|`.
    pub(crate) fn pairs(&mut self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut pairs = Vec::new();
        loop {
            match self.word().as_str() {
                "|" => return pairs,
                name => pairs.push((unhex(name).unwrap(), self.bytes().unwrap())),
            }
        }
    }

    pub(crate) fn last(self) -> Vec<u8> {
        unhex(&self.words.last().unwrap()).unwrap()
    }
}

fn unhex(word: &str) -> Option<Vec<u8>> {
    let digits = word.strip_prefix('.')?;
    let bytes = (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap());
    Some(bytes.collect())
}
