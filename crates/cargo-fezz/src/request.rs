//! The request of `invoke`, from flags like those of curl.

use fezz_sandbox::Request;
use std::io::{self, Read};
use std::path::PathBuf;

/// The flags.
#[derive(Debug, clap::Args)]
pub(crate) struct Flags {
    /// Path and query, percent-encoded as in a URL.
    #[arg(default_value = "/")]
    pub(crate) path: String,
    /// The method; else GET, or POST where there is a body.
    #[arg(short = 'X', long = "request", value_name = "METHOD")]
    method: Option<String>,
    /// A header, `Name: value`; may be repeated.
    #[arg(short = 'H', long = "header", value_name = "HEADER")]
    headers: Vec<String>,
    /// The body: text, `@FILE`, or `@-` for stdin. Like curl, it is a form where no header says otherwise.
    #[arg(short, long, value_name = "DATA")]
    data: Option<String>,
    /// The same, as JSON.
    #[arg(long, value_name = "DATA", conflicts_with = "data")]
    json: Option<String>,
}

/// Names the request in the function's context.
const REQUEST_ID: &str = "invoke";

/// What is wrong with the flags.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RequestError {
    #[error("the path `{path}` doesn't begin with `/`: write the path and query of a URL alone")]
    Path { path: String },
    #[error("the header `{header}` is not `Name: value`")]
    Header { header: String },
    #[error("failed to read the body from `{}`", path.display())]
    Body { path: PathBuf, source: io::Error },
}

impl Flags {
    /// Reads the body's file, if there is one.
    pub(crate) fn request(&self) -> Result<Request, RequestError> {
        if !self.path.starts_with('/') {
            return Err(RequestError::Path { path: self.path.clone() });
        }
        let headers = self.headers.iter().map(|header| parse_header(header));
        let mut headers: Vec<_> = headers.collect::<Result<_, _>>()?;
        let data = match (&self.data, &self.json) {
            (Some(data), _) => Some((data, "application/x-www-form-urlencoded")),
            (None, Some(json)) => Some((json, "application/json")),
            (None, None) => None,
        };
        let body = data.map(|(data, _)| read(data)).transpose()?;
        if let Some((_, kind)) = data {
            let has = |name: &str| headers.iter().any(|(own, _)| own == name);
            let kind = (!has("content-type")).then(|| ("content-type".to_owned(), kind.into()));
            let length =
                body.as_ref().map(|body| ("content-length".to_owned(), body.len().to_string().into()));
            headers.extend(kind.into_iter().chain(length));
        }
        let method =
            self.method.clone().unwrap_or_else(|| if body.is_some() { "POST" } else { "GET" }.to_owned());
        let (uri, body) = (self.path.clone(), body.unwrap_or_default());
        Ok(Request { method, uri, headers, body, request_id: REQUEST_ID.to_owned() })
    }
}

fn parse_header(header: &str) -> Result<(String, Vec<u8>), RequestError> {
    let pair = header.split_once(':').map(|(name, value)| (name.trim().to_lowercase(), value.trim().into()));
    pair.filter(|(name, _)| !name.is_empty())
        .ok_or_else(|| RequestError::Header { header: header.to_owned() })
}

fn read(data: &str) -> Result<Vec<u8>, RequestError> {
    let Some(file) = data.strip_prefix('@') else { return Ok(data.as_bytes().to_owned()) };
    let mut bytes = Vec::new();
    let read = match file {
        "-" => io::stdin().read_to_end(&mut bytes).map(|_| bytes),
        file => std::fs::read(file),
    };
    read.map_err(|source| RequestError::Body { path: file.into(), source })
}
