//! Reads YAML as JSON values, and remembers where each key stands.
//!
//! Of YAML 1.2 it takes one document of maps with text keys, lists and plain values (the core schema, section 10.3).
//! Anchors, aliases and tags are refused: a file of some lines could stand for gigabytes.

use super::error::{GatewayError, Place, YamlError};
use saphyr_parser::{Event, Parser, ScalarStyle, Span, StrInput};
use serde_json::{Map, Number, Value};
use std::collections::HashMap;

/// Maps and lists inside each other: a manifest has 6 in a gateway file.
const DEPTH_MAX: usize = 16;

/// Where each key stands, by its path with a dot before each inner key, as `functions.items.routes[0].path`.
#[derive(Debug, Default)]
pub(super) struct Places(HashMap<String, Place>);

impl Places {
    /// The place of a key, or, if the file hasn't got it, of the nearest one around it.
    pub(super) fn of(&self, path: &str) -> Place {
        let mut path = path;
        loop {
            if let Some(place) = self.0.get(path) {
                return *place;
            }
            match path.rfind(['.', '[']) {
                Some(end) => path = &path[..end],
                None => return Place { line: 1, column: 1 },
            }
        }
    }
}

/// Reads the one document of a text.
pub(super) fn read(text: &str) -> Result<(Value, Places), GatewayError> {
    let mut reader = Reader { events: Parser::new_from_str(text), places: Places::default() };
    let value = reader.document()?;
    Ok((value, reader.places))
}

struct Reader<'a> {
    events: Parser<'a, StrInput<'a>>,
    places: Places,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Place), GatewayError> {
        match self.events.next() {
            Some(Ok((event, span))) => Ok((event, place(&span))),
            Some(Err(error)) => {
                let marker = error.marker();
                let place = Place { line: marker.line(), column: marker.col() + 1 };
                Err(GatewayError::new(place, YamlError::Syntax { message: error.info().to_owned() }))
            }
            // After its end, which `document` doesn't pass.
            None => Ok((Event::StreamEnd, Place { line: 1, column: 1 })),
        }
    }

    fn document(&mut self) -> Result<Value, GatewayError> {
        let mut value = Value::Null;
        let mut documents = 0;
        loop {
            match self.next()? {
                (Event::DocumentStart(_), place) if documents == 1 => {
                    return Err(GatewayError::new(place, YamlError::SecondDocument));
                }
                (Event::DocumentStart(_), _) => {
                    documents += 1;
                    let (event, place) = self.next()?;
                    value = self.value(event, place, "", 0)?;
                }
                (Event::StreamEnd, _) => return Ok(value),
                _ => {}
            }
        }
    }

    fn value(
        &mut self,
        event: Event<'a>,
        place: Place,
        path: &str,
        depth: usize,
    ) -> Result<Value, GatewayError> {
        let failed = |cause| Err(GatewayError::new(place, cause));
        let (anchor, tag) = match &event {
            Event::Scalar(_, _, anchor, tag) => (*anchor, tag.is_some()),
            Event::SequenceStart(anchor, tag) | Event::MappingStart(anchor, tag) => (*anchor, tag.is_some()),
            Event::Alias(anchor) => (*anchor, false),
            _ => (0, false),
        };
        if anchor != 0 {
            return failed(YamlError::Anchor);
        }
        if tag {
            return failed(YamlError::Tag);
        }
        if depth > DEPTH_MAX {
            return failed(YamlError::TooDeep { depth_max: DEPTH_MAX });
        }
        match event {
            Event::Scalar(text, style, ..) => Ok(scalar(&text, style)),
            Event::SequenceStart(..) => self.list(path, depth),
            Event::MappingStart(..) => self.map(path, depth),
            _ => Ok(Value::Null),
        }
    }

    fn list(&mut self, path: &str, depth: usize) -> Result<Value, GatewayError> {
        let mut list = Vec::new();
        loop {
            let (event, place) = self.next()?;
            if event == Event::SequenceEnd {
                return Ok(Value::Array(list));
            }
            let path = format!("{path}[{}]", list.len());
            self.places.0.insert(path.clone(), place);
            list.push(self.value(event, place, &path, depth + 1)?);
        }
    }

    fn map(&mut self, path: &str, depth: usize) -> Result<Value, GatewayError> {
        let mut map = Map::new();
        loop {
            let (event, place) = self.next()?;
            let key = match event {
                Event::MappingEnd => return Ok(Value::Object(map)),
                Event::Scalar(text, _, 0, None) => text.into_owned(),
                _ => return Err(GatewayError::new(place, YamlError::NotATextKey)),
            };
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            if map.contains_key(&key) {
                return Err(GatewayError::new(place, YamlError::Twice { key: path }));
            }
            self.places.0.insert(path.clone(), place);
            let (event, place) = self.next()?;
            let value = self.value(event, place, &path, depth + 1)?;
            map.insert(key, value);
        }
    }
}

fn place(span: &Span) -> Place {
    Place { line: span.start.line(), column: span.start.col() + 1 }
}

/// By the core schema. A quoted one is text, whatever stands in it.
fn scalar(text: &str, style: ScalarStyle) -> Value {
    if style != ScalarStyle::Plain {
        return text.into();
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => true.into(),
        "false" | "False" | "FALSE" => false.into(),
        _ => number(text).map_or_else(|| text.into(), Value::Number),
    }
}

fn number(text: &str) -> Option<Number> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !unsigned.starts_with(|first: char| first.is_ascii_digit() || first == '.') {
        return None;
    }
    if let Some(digits) = text.strip_prefix("0x") {
        return u64::from_str_radix(digits, 16).ok().map(Number::from);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return u64::from_str_radix(digits, 8).ok().map(Number::from);
    }
    let signed = || text.parse::<i64>().ok().map(Number::from);
    let float = || text.parse::<f64>().ok().and_then(Number::from_f64);
    text.parse::<u64>().ok().map(Number::from).or_else(signed).or_else(float)
}
