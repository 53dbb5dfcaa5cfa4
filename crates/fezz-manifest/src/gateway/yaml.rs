//! Reads YAML as JSON values, and remembers the place of each.
//!
//! Of YAML 1.2 it takes one document of maps with text keys, lists and plain values (the core schema, section 10.3).
//! Anchors, aliases and tags are refused: a file of some lines could stand for gigabytes.

use super::error::{GatewayError, Place, YamlError};
use super::places::{Inner, Places};
use saphyr_parser::{Event, Parser, ScalarStyle, Span, StrInput};
use serde_json::{Map, Number, Value};
use std::collections::HashMap;

/// Maps and lists inside each other: a manifest has 6 in a gateway file.
const DEPTH_MAX: usize = 16;

/// Characters of a key: what YAML itself allows for keys without `?` (YAML 1.2.2, section 7.4.2).
const KEY_CHARS_MAX: usize = 1024;

/// Values in a file, maps and lists included: a hundred for hundreds of functions. Each takes some hundred bytes of memory,
/// whatever its length in the file.
const VALUES_MAX: usize = 65_536;

/// Reads the one document of a text.
pub(super) fn read(text: &str) -> Result<(Value, Places), GatewayError> {
    let mut reader = Reader { events: Parser::new_from_str(text), path: String::new(), values: 0 };
    reader.document()
}

struct Reader<'a> {
    events: Parser<'a, StrInput<'a>>,
    /// That of the value which is being read, with a dot before each inner key.
    path: String,
    /// So far.
    values: usize,
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

    fn document(&mut self) -> Result<(Value, Places), GatewayError> {
        let mut value = (Value::Null, Places::new(Place { line: 1, column: 1 }));
        let mut documents = 0;
        loop {
            match self.next()? {
                (Event::DocumentStart(_), place) if documents == 1 => {
                    return Err(GatewayError::new(place, YamlError::SecondDocument));
                }
                (Event::DocumentStart(_), _) => {
                    documents += 1;
                    let (event, place) = self.next()?;
                    value = self.value(event, place, 0)?;
                    // What is missing in the file has no place in it.
                    value.1.place = Place { line: 1, column: 1 };
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
        depth: usize,
    ) -> Result<(Value, Places), GatewayError> {
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
        self.values += 1;
        if self.values > VALUES_MAX {
            return failed(YamlError::TooManyValues { values_max: VALUES_MAX });
        }
        match event {
            Event::Scalar(text, style, ..) => Ok((scalar(&text, style), Places::new(place))),
            Event::SequenceStart(..) => self.list(place, depth),
            Event::MappingStart(..) => self.map(place, depth),
            _ => Ok((Value::Null, Places::new(place))),
        }
    }

    fn list(&mut self, place: Place, depth: usize) -> Result<(Value, Places), GatewayError> {
        let (mut list, mut places) = (Vec::new(), Vec::new());
        let length = self.path.len();
        loop {
            let (event, at) = self.next()?;
            if event == Event::SequenceEnd {
                return Ok((Value::Array(list), Places { place, inner: Inner::List(places) }));
            }
            self.path.push_str(&format!("[{}]", list.len()));
            let (value, inner) = self.value(event, at, depth + 1)?;
            self.path.truncate(length);
            list.push(value);
            places.push(inner);
        }
    }

    fn map(&mut self, place: Place, depth: usize) -> Result<(Value, Places), GatewayError> {
        let (mut map, mut places) = (Map::new(), HashMap::new());
        let length = self.path.len();
        loop {
            let (event, at) = self.next()?;
            let key = match event {
                Event::MappingEnd => {
                    return Ok((Value::Object(map), Places { place, inner: Inner::Map(places) }));
                }
                Event::Scalar(text, _, 0, None) => text,
                _ => return Err(GatewayError::new(at, YamlError::NotATextKey)),
            };
            let chars = key.chars().count();
            if chars > KEY_CHARS_MAX {
                let cause = YamlError::LongKey { chars, chars_max: KEY_CHARS_MAX };
                return Err(GatewayError::new(at, cause));
            }
            if length > 0 {
                self.path.push('.');
            }
            self.path.push_str(&key);
            if map.contains_key(&*key) {
                return Err(GatewayError::new(at, YamlError::Twice { key: self.path.clone() }));
            }
            let (event, value_at) = self.next()?;
            let (value, mut inner) = self.value(event, value_at, depth + 1)?;
            inner.place = at;
            self.path.truncate(length);
            places.insert(key.to_string(), inner);
            map.insert(key.into_owned(), value);
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
