//! `cargo fezz new`.

use crate::exit::Exit;
use crate::template::Template;
use crate::terminal;
use clap::{Args, ValueEnum};
use fezz_manifest::names::{NameError, check_name};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

/// Make a project with a function that answers
///
/// On a terminal it asks for the template; a script gets `hello` where it names none.
#[derive(Debug, Args)]
pub(crate) struct New {
    /// The folder to make. Its name is the function's id.
    #[arg(value_name = "NAME")]
    folder: PathBuf,
    /// What the project begins with.
    #[arg(long, value_enum)]
    template: Option<Template>,
    /// The folder `crates/fezz` of a clone of Fezz. `fezz` is not on crates.io. Left out: the clone that this program was
    /// built from.
    #[arg(long, value_name = "PATH", conflicts_with = "fezz_git")]
    fezz_path: Option<PathBuf>,
    /// A git repository of Fezz instead, which cargo then fetches.
    #[arg(long, value_name = "URL")]
    fezz_git: Option<String>,
}

/// Why there is no project.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NewError {
    #[error(
        "`{name}` can't be a function's id: it {cause}; use letters, digits, `_` and `-`, beginning with a letter"
    )]
    Name { name: String, cause: NameError },
    #[error("`{name}` can't be a package's name: use letters, digits, `_` and `-`, beginning with a letter")]
    PackageName { name: String },
    #[error("`{}` is there already: choose another name, or remove it", folder.display())]
    Exists { folder: PathBuf },
    #[error(
        "the crate `fezz` isn't in `{}`: fezz is not on crates.io, so clone its repository and name the clone's crates/fezz by \
         --fezz-path, or the repository by --fezz-git", path.display()
    )]
    NoFezz { path: PathBuf },
    #[error("failed to read the answer")]
    Prompt(#[source] io::Error),
    #[error("failed to write `{}`", path.display())]
    NotWritten { path: PathBuf, source: io::Error },
}

/// The crate `fezz` of the clone that this program was built from: `cargo install --path` leaves it where it is.
const FEZZ_BESIDE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../fezz");

impl New {
    pub(crate) fn run(&self) -> Result<Exit, NewError> {
        let name = name_of(&self.folder)?;
        if self.folder.exists() {
            return Err(NewError::Exists { folder: self.folder.clone() });
        }
        let template = match self.template {
            Some(template) => template,
            None if io::stdin().is_terminal() && io::stderr().is_terminal() => ask()?,
            None => Template::Hello,
        };
        let origin = if template.is_rust() { self.origin()? } else { String::new() };
        for (file, text) in template.files(&name, |features| dependency(&origin, features)) {
            let path = self.folder.join(file);
            write(&path, &text).map_err(|source| NewError::NotWritten { path, source })?;
        }
        let folder = self.folder.display();
        terminal::status("Created", &format!("{folder}"));
        terminal::status("Next", &format!("cd {folder} && {}", template.first_command(&name)));
        Ok(Exit::Done)
    }

    /// Where the crate `fezz` comes from, as Cargo.toml says it.
    fn origin(&self) -> Result<String, NewError> {
        if let Some(url) = &self.fezz_git {
            return Ok(format!("git = {}", toml::Value::from(url.as_str())));
        }
        let path = self.fezz_path.as_deref().unwrap_or(Path::new(FEZZ_BESIDE));
        let no_fezz = || NewError::NoFezz { path: path.to_owned() };
        if !path.join("Cargo.toml").is_file() {
            return Err(no_fezz());
        }
        let path = path.canonicalize().map_err(|_| no_fezz())?;
        Ok(format!("path = {}", toml::Value::from(path.to_string_lossy().as_ref())))
    }
}

/// The line of Cargo.toml.
fn dependency(origin: &str, features: &[&str]) -> String {
    match features {
        [] => format!("fezz = {{ {origin} }}"),
        features => format!("fezz = {{ {origin}, features = {features:?} }}"),
    }
}

/// The folder's name, which must do as a function's id and as a package's name.
fn name_of(folder: &Path) -> Result<String, NewError> {
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    check_name(&name).map_err(|cause| NewError::Name { name: name.clone(), cause })?;
    let is_package_name = name.starts_with(|first: char| first.is_ascii_alphabetic()) && !name.contains('.');
    if is_package_name { Ok(name) } else { Err(NewError::PackageName { name }) }
}

fn ask() -> Result<Template, NewError> {
    let templates = Template::value_variants();
    loop {
        for value in templates.iter().filter_map(Template::to_possible_value) {
            let help = value.get_help().map(ToString::to_string).unwrap_or_default();
            anstream::eprintln!("  {:<9} {help}", value.get_name());
        }
        anstream::eprint!("template [hello]: ");
        io::stderr().flush().map_err(NewError::Prompt)?;
        let mut answer = String::new();
        let bytes = io::stdin().read_line(&mut answer).map_err(NewError::Prompt)?;
        match answer.trim() {
            "" if bytes == 0 => return Err(NewError::Prompt(io::ErrorKind::UnexpectedEof.into())),
            "" => return Ok(Template::Hello),
            answer => match Template::from_str(answer, true) {
                Ok(template) => return Ok(template),
                Err(_) => terminal::warning(&format!("there is no template `{answer}`")),
            },
        }
    }
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(path, text)
}
