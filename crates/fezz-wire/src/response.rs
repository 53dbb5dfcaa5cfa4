//! The message from a function: encoded in the module, decoded by the host, which doesn't trust it.

use crate::WireError;
use crate::cbor::Writer;
use crate::reader::Reader;
use crate::request::{read_headers, read_map, write_headers, write_optional_text};

/// One HTTP response, borrowed from its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FezzWireResponse<'a> {
    /// 200 to 599. A 1xx status is no answer (RFC 9110, section 15.2).
    pub status: u16,
    /// Names, compared without case, and values in bytes. The host checks whether HTTP allows them.
    pub headers: Vec<(&'a str, &'a [u8])>,
    /// The body; its length becomes the `Content-Length`.
    pub body: &'a [u8],
    /// Set if the function failed: the host then answers 500, and logs the message.
    pub error: Option<FezzWireError<'a>>,
}

/// Why a function has no answer of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FezzWireError<'a> {
    /// What kind of failure.
    pub kind: ErrorKind,
    /// For the log, never for the client.
    pub message: &'a str,
}

/// The kinds of failure that a shim reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The function panicked: `function_panicked`.
    Panicked,
    /// The function returned an error: `function_error`, and any kind unknown here.
    Returned,
}

impl ErrorKind {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Panicked => "function_panicked",
            Self::Returned => "function_error",
        }
    }

    pub(crate) fn from_wire(name: &str) -> Self {
        if name == Self::Panicked.as_str() { Self::Panicked } else { Self::Returned }
    }
}

impl<'a> FezzWireResponse<'a> {
    /// The statuses that a response may have.
    pub const STATUSES: std::ops::RangeInclusive<u16> = 200..=599;

    /// Encodes the whole message, in the shortest form and with `body` last.
    pub fn encode(&self) -> Vec<u8> {
        const KEYS_AND_LENGTHS_BYTES: usize = 64;
        let headers_bytes: usize =
            self.headers.iter().map(|(name, value)| name.len() + value.len() + 16).sum();
        let mut writer = Writer::with_capacity(KEYS_AND_LENGTHS_BYTES + headers_bytes + self.body.len());
        writer.map(3 + usize::from(self.error.is_some()));
        writer.text("status");
        writer.unsigned(self.status.into());
        write_headers(&mut writer, &self.headers);
        if let Some(error) = &self.error {
            writer.text("error");
            writer.map(2);
            write_optional_text(&mut writer, "kind", Some(error.kind.as_str()));
            write_optional_text(&mut writer, "message", Some(error.message));
        }
        writer.text("body");
        writer.bytes(self.body);
        writer.into_bytes()
    }

    /// Decodes one whole message; its strings borrow from `message`.
    ///
    /// # Errors
    ///
    /// The rule of the wire that the message breaks (see the crate's page), or a status outside [`Self::STATUSES`].
    pub fn decode(message: &'a [u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(message)?;
        let (mut status, mut headers, mut body, mut error) = (None, None, None, None);
        read_map(&mut reader, "the message", |reader, key| {
            match key {
                "status" => status = Some(reader.unsigned()?),
                "headers" => headers = Some(read_headers(reader)?),
                "body" => body = Some(reader.bytes()?),
                "error" => error = Some(FezzWireError::read(reader)?),
                _ => reader.skip()?,
            }
            Ok(())
        })?;
        let status = status.ok_or(WireError::MissingKey { key: "status" })?;
        let out_of_range = WireError::OutOfRange { key: "status", value: status, allowed: "200 to 599" };
        Ok(Self {
            status: u16::try_from(status)
                .ok()
                .filter(|status| Self::STATUSES.contains(status))
                .ok_or(out_of_range)?,
            headers: headers.unwrap_or_default(),
            body: body.unwrap_or_default(),
            error,
        })
    }
}

impl<'a> FezzWireError<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        let (mut kind, mut message) = (None, None);
        read_map(reader, "error", |reader, key| {
            match key {
                "kind" => kind = Some(reader.text()?),
                "message" => message = Some(reader.text()?),
                _ => reader.skip()?,
            }
            Ok(())
        })?;
        let kind = ErrorKind::from_wire(kind.ok_or(WireError::MissingKey { key: "error.kind" })?);
        Ok(Self { kind, message: message.ok_or(WireError::MissingKey { key: "error.message" })? })
    }
}
