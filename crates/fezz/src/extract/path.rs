//! The parameters of the route's path, in types.

use crate::{FezzRequest, FromRequest, Rejection, RequestData, data};
use serde::de::value::{Error, MapDeserializer};
use serde::de::{Deserializer, Error as _, IntoDeserializer, Visitor};
use std::collections::BTreeMap;

/// The parameters of the route's path: one of them as `Path<u32>`, several in a struct by their names.
///
/// ```
/// use fezz::prelude::*;
///
/// #[fezz_function(path = "/api/todos/{id}")]
/// fn todo(Path(id): Path<u32>) -> String {
///     format!("todo {id}")
/// }
///
/// let call = |id| TodoFunction::new().call(FezzRequest::new("GET", "/api/todos/7").with_param("id", id));
/// assert_eq!(call("7").bytes(), b"todo 7");
/// assert_eq!(call("seven").status(), 400);
///
/// #[fezz_request]
/// struct Place {
///     country: String,
///     zip: u32,
/// }
///
/// #[fezz_function(path = "/places/{country}/{zip}", export = false)]
/// fn place(Path(place): Path<Place>) -> String {
///     format!("{} in {}", place.zip, place.country)
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Path<T>(
    /// The value.
    pub T,
);

impl<T: RequestData> FromRequest for Path<T> {
    type Rejection = Rejection;

    fn from_request(request: &FezzRequest) -> Result<Self, Rejection> {
        let params = request.params();
        let only = params.iter().next().filter(|_| params.len() == 1);
        data::fields(Params(params)).map(Self).map_err(|error| {
            let rejection = data::wrong_field(400, "path", &error);
            match (rejection.field(), only) {
                (None, Some((name, _))) => {
                    data::named_field(400, "path", name, &error.into_inner().to_string())
                }
                _ => rejection,
            }
        })
    }

    fn is_present(request: &FezzRequest) -> bool {
        !request.params().is_empty()
    }
}

/// All parameters: a map or a struct of them, or the value of the only one.
struct Params<'a>(&'a BTreeMap<String, String>);

impl<'a> Params<'a> {
    fn only(&self) -> Result<Value<'a>, Error> {
        match (self.0.values().next(), self.0.len()) {
            (Some(value), 1) => Ok(Value(value)),
            (_, 0) => Err(Error::custom("this path has no parameters")),
            (_, several) => {
                Err(Error::custom(format!("there are {several} parameters: name them in a struct")))
            }
        }
    }
}

/// Those that need the one value.
macro_rules! of_the_only {
    ($($method:ident($($argument:ident: $type:ty),*))*) => {
        $(fn $method<V: Visitor<'de>>(self, $($argument: $type,)* visitor: V) -> Result<V::Value, Error> {
            self.only()?.$method($($argument,)* visitor)
        })*
    };
}

impl<'de> Deserializer<'de> for Params<'_> {
    type Error = Error;

    of_the_only! {
        deserialize_bool() deserialize_i8() deserialize_i16() deserialize_i32() deserialize_i64() deserialize_i128()
        deserialize_u8() deserialize_u16() deserialize_u32() deserialize_u64() deserialize_u128()
        deserialize_f32() deserialize_f64() deserialize_char() deserialize_str() deserialize_string()
        deserialize_bytes() deserialize_byte_buf() deserialize_option() deserialize_identifier()
        deserialize_seq() deserialize_tuple(len: usize) deserialize_tuple_struct(name: &'static str, len: usize)
        deserialize_enum(name: &'static str, variants: &'static [&'static str])
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_map(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor
            .visit_map(MapDeserializer::new(self.0.iter().map(|(name, value)| (name.as_str(), Value(value)))))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_map(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }
}

/// One value, which is text: what else is asked for is parsed.
struct Value<'a>(&'a str);

macro_rules! parsed {
    ($($method:ident $visit:ident $what:literal)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            let wrong = |_| Error::custom(format!("`{}` is {}", self.0, $what));
            visitor.$visit(self.0.parse().map_err(wrong)?)
        })*
    };
}

impl<'de> Deserializer<'de> for Value<'_> {
    type Error = Error;

    parsed! {
        deserialize_bool visit_bool "neither `true` nor `false`"
        deserialize_i8 visit_i8 "no number of 8 bits"
        deserialize_i16 visit_i16 "no number of 16 bits"
        deserialize_i32 visit_i32 "no number of 32 bits"
        deserialize_i64 visit_i64 "no number of 64 bits"
        deserialize_i128 visit_i128 "no number of 128 bits"
        deserialize_u8 visit_u8 "no number from 0 to 255"
        deserialize_u16 visit_u16 "no number from 0 to 65535"
        deserialize_u32 visit_u32 "no number from 0 to 4294967295"
        deserialize_u64 visit_u64 "no number of 64 bits from 0 on"
        deserialize_u128 visit_u128 "no number of 128 bits from 0 on"
        deserialize_f32 visit_f32 "no number"
        deserialize_f64 visit_f64 "no number"
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_str(self.0)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_enum(self.0.into_deserializer())
    }

    serde::forward_to_deserialize_any! {
        char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

impl<'de> IntoDeserializer<'de, Error> for Value<'_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::Path;
    use crate::{FezzRequest, FromRequest, Rejection};
    use serde::Deserialize;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Place {
        country: String,
        zip: Option<u32>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Colour {
        Red,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Id(u8);

    fn read<T: crate::RequestData>(params: &[(&str, &str)]) -> Result<T, Rejection> {
        let request = params
            .iter()
            .fold(FezzRequest::new("GET", "/"), |request, (name, value)| request.with_param(name, value));
        Path::from_request(&request).map(|path| path.0)
    }

    #[test]
    fn one_parameter_is_a_value_and_several_are_a_struct() {
        let place = Place { country: "no".to_owned(), zip: Some(150) };
        assert_eq!(read(&[("country", "no"), ("zip", "150")]), Ok(place));
        assert_eq!(read(&[("id", "7")]), Ok(7_u64));
        assert_eq!(read(&[("id", "7")]), Ok(Id(7)));
        assert_eq!(read(&[("id", "7")]), Ok("7".to_owned()));
        assert_eq!(read(&[("colour", "red")]), Ok(Colour::Red));
    }

    #[test]
    fn a_wrong_parameter_is_named() {
        let wrong = read::<Place>(&[("country", "no"), ("zip", "x")]).unwrap_err();
        assert_eq!((wrong.status(), wrong.field()), (400, Some("zip")));
        let wrong = read::<u8>(&[("id", "256")]).unwrap_err();
        assert_eq!(wrong.detail(), "path, field `id`: `256` is no number from 0 to 255");
        assert_eq!(read::<Colour>(&[("colour", "blue")]).unwrap_err().field(), Some("colour"));
        let wrong = read::<u8>(&[("a", "1"), ("b", "2")]).unwrap_err();
        assert_eq!(wrong.detail(), "path: there are 2 parameters: name them in a struct");
        assert!(read::<u8>(&[]).unwrap_err().detail().contains("no parameters"));
    }
}
