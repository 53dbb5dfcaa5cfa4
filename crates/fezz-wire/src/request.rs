//! The message to a function: encoded by the host, decoded in the module.

use crate::cbor::Writer;
use crate::reader::Reader;
use crate::{PAIRS_MAX, WireError};
use std::collections::{BTreeMap, BTreeSet};

/// One HTTP request, borrowed from the host's buffers, or from the received message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FezzWireRequest<'a> {
    /// The method, as received: `GET`.
    pub method: &'a str,
    /// Path and query, percent-encoded: as received, or without `/rpc/<name>` where the function was called by its name.
    pub uri: &'a str,
    /// `Host`, or `:authority` in HTTP/2.
    pub authority: Option<&'a str>,
    /// `http`, or what the proxy in front forwarded.
    pub scheme: Option<&'a str>,
    /// Names in lower case; order and duplicates kept; values are bytes.
    pub headers: Vec<(&'a str, &'a [u8])>,
    /// The route's path parameters, percent-decoded.
    pub params: BTreeMap<&'a str, &'a str>,
    /// The body, without its transfer coding.
    pub body: &'a [u8],
    /// What the host says about the request.
    pub meta: Meta<'a>,
}

/// What the host says about a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meta<'a> {
    /// Names the request in every log line: 1 to 128 visible ASCII characters.
    pub request_id: &'a str,
    /// The function's id.
    pub function: &'a str,
    /// The function's version.
    pub version: &'a str,
    /// Milliseconds left until the process is killed, counted when the message was written.
    pub deadline_ms: u64,
    /// The client's IP address in text, where it is known.
    pub client_ip: Option<&'a str>,
    /// Path and query as received, where they differ from `uri`.
    pub original_uri: Option<&'a str>,
}

impl<'a> FezzWireRequest<'a> {
    /// Encodes the whole message, in the shortest form and with `body` last.
    pub fn encode(&self) -> Vec<u8> {
        let mut message = self.encode_head(self.body.len());
        message.extend_from_slice(self.body);
        message
    }

    /// Encodes all but the body's content, with a header for `body_bytes`, which the caller sends next: so a large body
    /// need not be copied. `self.body` is ignored.
    pub fn encode_head(&self, body_bytes: usize) -> Vec<u8> {
        const TYPICAL_HEAD_BYTES: usize = 1024;
        let mut writer = Writer::with_capacity(TYPICAL_HEAD_BYTES);
        writer.map(6 + usize::from(self.authority.is_some()) + usize::from(self.scheme.is_some()));
        for (key, text) in [("method", Some(self.method)), ("uri", Some(self.uri))]
            .into_iter()
            .chain([("authority", self.authority), ("scheme", self.scheme)])
        {
            write_optional_text(&mut writer, key, text);
        }
        write_headers(&mut writer, &self.headers);
        writer.text("params");
        writer.map(self.params.len());
        for (name, value) in &self.params {
            writer.text(name);
            writer.text(value);
        }
        writer.text("meta");
        self.meta.write(&mut writer);
        writer.text("body");
        writer.bytes_header(body_bytes);
        writer.into_bytes()
    }

    /// Decodes one whole message; its strings borrow from `message`.
    ///
    /// # Errors
    ///
    /// The rule of the wire that the message breaks (see the crate's page), with the key or offset.
    pub fn decode(message: &'a [u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(message)?;
        let (mut method, mut uri, mut authority, mut scheme) = (None, None, None, None);
        let (mut headers, mut params, mut body, mut meta) = (None, None, None, None);
        read_map(&mut reader, "the message", |reader, key| {
            match key {
                "method" => method = Some(reader.text()?),
                "uri" => uri = Some(reader.text()?),
                "authority" => authority = Some(reader.text()?),
                "scheme" => scheme = Some(reader.text()?),
                "headers" => headers = Some(read_headers(reader)?),
                "params" => params = Some(read_texts(reader, "params")?),
                "body" => body = Some(reader.bytes()?),
                "meta" => meta = Some(Meta::read(reader)?),
                _ => reader.skip()?,
            }
            Ok(())
        })?;
        Ok(Self {
            method: method.ok_or(WireError::MissingKey { key: "method" })?,
            uri: uri.ok_or(WireError::MissingKey { key: "uri" })?,
            authority,
            scheme,
            headers: headers.ok_or(WireError::MissingKey { key: "headers" })?,
            params: params.ok_or(WireError::MissingKey { key: "params" })?,
            body: body.ok_or(WireError::MissingKey { key: "body" })?,
            meta: meta.ok_or(WireError::MissingKey { key: "meta" })?,
        })
    }
}

impl<'a> Meta<'a> {
    fn write(&self, writer: &mut Writer) {
        writer.map(4 + usize::from(self.client_ip.is_some()) + usize::from(self.original_uri.is_some()));
        write_optional_text(writer, "request_id", Some(self.request_id));
        write_optional_text(writer, "function", Some(self.function));
        write_optional_text(writer, "version", Some(self.version));
        writer.text("deadline_ms");
        writer.unsigned(self.deadline_ms);
        write_optional_text(writer, "client_ip", self.client_ip);
        write_optional_text(writer, "original_uri", self.original_uri);
    }

    fn read(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        let (mut request_id, mut function, mut version) = (None, None, None);
        let (mut deadline_ms, mut client_ip, mut original_uri) = (None, None, None);
        read_map(reader, "meta", |reader, key| {
            match key {
                "request_id" => request_id = Some(reader.text()?),
                "function" => function = Some(reader.text()?),
                "version" => version = Some(reader.text()?),
                "deadline_ms" => deadline_ms = Some(reader.unsigned()?),
                "client_ip" => client_ip = Some(reader.text()?),
                "original_uri" => original_uri = Some(reader.text()?),
                _ => reader.skip()?,
            }
            Ok(())
        })?;
        Ok(Self {
            request_id: request_id.ok_or(WireError::MissingKey { key: "meta.request_id" })?,
            function: function.ok_or(WireError::MissingKey { key: "meta.function" })?,
            version: version.ok_or(WireError::MissingKey { key: "meta.version" })?,
            deadline_ms: deadline_ms.ok_or(WireError::MissingKey { key: "meta.deadline_ms" })?,
            client_ip,
            original_uri,
        })
    }
}

/// Enough to identify a key; a longer one could fill the log.
const KEY_CHARS_SHOWN: usize = 64;

/// Reads a map with text keys, and calls `value` after each key. It refuses duplicate keys, and more than [`PAIRS_MAX`]
/// keys. `name` is the map's own key.
pub(crate) fn read_map<'a>(
    reader: &mut Reader<'a>,
    name: &'static str,
    mut value: impl FnMut(&mut Reader<'a>, &'a str) -> Result<(), WireError>,
) -> Result<(), WireError> {
    let mut left = reader.map()?;
    let mut seen = BTreeSet::new();
    while reader.more(&mut left)? {
        let at = reader.at();
        let key = reader.text()?;
        if seen.len() == PAIRS_MAX {
            return Err(WireError::TooManyPairs { key: name, max: PAIRS_MAX });
        }
        if !seen.insert(key) {
            return Err(WireError::DuplicateKey { key: key.chars().take(KEY_CHARS_SHOWN).collect(), at });
        }
        value(reader, key)?;
    }
    Ok(())
}

pub(crate) fn write_optional_text(writer: &mut Writer, key: &str, text: Option<&str>) {
    if let Some(text) = text {
        writer.text(key);
        writer.text(text);
    }
}

pub(crate) fn write_headers(writer: &mut Writer, headers: &[(&str, &[u8])]) {
    writer.text("headers");
    writer.array(headers.len());
    for (name, value) in headers {
        writer.array(2);
        writer.text(name);
        writer.bytes(value);
    }
}

pub(crate) fn read_headers<'a>(reader: &mut Reader<'a>) -> Result<Vec<(&'a str, &'a [u8])>, WireError> {
    let mut headers = Vec::new();
    let mut left = reader.array()?;
    while reader.more(&mut left)? {
        if headers.len() == PAIRS_MAX {
            return Err(WireError::TooManyPairs { key: "headers", max: PAIRS_MAX });
        }
        headers.push(read_header_pair(reader)?);
    }
    Ok(headers)
}

fn read_header_pair<'a>(reader: &mut Reader<'a>) -> Result<(&'a str, &'a [u8]), WireError> {
    let not_a_pair = WireError::WrongType { expected: "an array of a name and a value", at: reader.at() };
    let mut left = reader.array()?;
    if !reader.more(&mut left)? {
        return Err(not_a_pair);
    }
    let name = reader.text()?;
    if !reader.more(&mut left)? {
        return Err(not_a_pair);
    }
    let value = reader.bytes()?;
    if reader.more(&mut left)? {
        return Err(not_a_pair);
    }
    Ok((name, value))
}

/// Reads a map of text to text; `name` is its own key.
pub(crate) fn read_texts<'a>(
    reader: &mut Reader<'a>,
    name: &'static str,
) -> Result<BTreeMap<&'a str, &'a str>, WireError> {
    let mut texts = BTreeMap::new();
    read_map(reader, name, |reader, key| {
        texts.insert(key, reader.text()?);
        Ok(())
    })?;
    Ok(texts)
}
