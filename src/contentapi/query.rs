//! The grammar of the `q` parameter: text to [`Query`], or the error Prismic answers with.
//!
//! ```text
//! q          = "[" predicate+ "]"
//! predicate  = "[" [ ":d" "=" ] name "(" argument ("," argument)* ")" "]"
//! ```
//!
//! Everything that is not evaluated is refused with its position; nothing is skipped, because a
//! predicate that is ignored returns documents nobody asked for.
//!
//! Freely chosen where Prismic documents nothing: in strings a backslash escapes the double
//! quote and itself and is an ordinary character before any other; `document.lang` is a path.

use super::dates::{DatePart, Millis, parse_millis};
use super::lexer::{Lexer, Value};

/// Why a parameter could not be read, with the place; becomes the 400 body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ParsingError {
    /// Sentence for people, the query and a caret under the place included.
    pub message: String,
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
    /// Which of several `q` parameters, from 0.
    pub id: u32,
    /// Parameter: `query`, `orderings`, …
    pub location: &'static str,
}

impl ParsingError {
    /// Returns an error about a parameter as a whole.
    pub fn parameter(location: &'static str, message: impl Into<String>) -> Self {
        Self { message: message.into(), line: 1, column: 1, id: 0, location }
    }
}

/// What a predicate looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Path {
    /// `document`: all texts of a document; `fulltext` only.
    Document,
    /// `document.id`
    Id,
    /// `document.type`
    Type,
    /// `document.tags`
    Tags,
    /// `document.lang`
    Lang,
    /// `document.first_publication_date`
    FirstPublication,
    /// `document.last_publication_date`
    LastPublication,
    /// `my.<type>.uid`
    Uid {
        /// The custom type it restricts to.
        type_id: String,
    },
    /// `my.<type>.<field>[.<field of a group>]…`
    Field {
        /// The custom type it restricts to.
        type_id: String,
        /// Field, then fields within groups.
        names: Vec<String>,
    },
}

impl Path {
    /// Reads a path; `None` for one that does not exist.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "document" => Self::Document,
            "document.id" => Self::Id,
            "document.type" => Self::Type,
            "document.tags" => Self::Tags,
            "document.lang" => Self::Lang,
            "document.first_publication_date" => Self::FirstPublication,
            "document.last_publication_date" => Self::LastPublication,
            _ => {
                let mut parts = text.strip_prefix("my.")?.split('.').map(str::to_owned);
                let type_id = parts.next()?;
                let names: Vec<String> = parts.collect();
                if names.is_empty() || names.iter().any(String::is_empty) || type_id.is_empty() {
                    return None;
                }
                if names == ["uid"] { Self::Uid { type_id } } else { Self::Field { type_id, names } }
            }
        })
    }

    /// Returns the custom type that a predicate on this path restricts the result to.
    pub fn type_id(&self) -> Option<&str> {
        match self {
            Self::Uid { type_id } | Self::Field { type_id, .. } => Some(type_id),
            _ => None,
        }
    }
}

/// A value to compare with.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar {
    /// A string.
    Text(String),
    /// A number.
    Number(f64),
    /// A boolean.
    Bool(bool),
}

/// How a number or a part of a date is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// Less, before; strict.
    Less,
    /// The same.
    Equal,
    /// Greater, after; strict.
    Greater,
}

/// What is asked of a date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DateTest {
    /// Before or after an instant, strictly.
    Instant(Comparison, Millis),
    /// From the first to the second instant, both included (Prismic does not say).
    Between(Millis, Millis),
    /// A part before, at or after a value.
    Part(DatePart, Comparison, i64),
}

/// One condition.
#[derive(Debug, Clone, PartialEq)]
pub enum Predicate {
    /// Equal to the value; for tags: all of the values are there.
    At(Path, Vec<Scalar>),
    /// The opposite of `At`, among documents of the path's type.
    Not(Path, Vec<Scalar>),
    /// Equal to one of the values.
    Any(Path, Vec<Scalar>),
    /// Id or UID is one of the values; results come in their order.
    In(Path, Vec<String>),
    /// All words occur.
    Fulltext(Path, Vec<String>),
    /// Not empty.
    Has(Path),
    /// Empty or absent.
    Missing(Path),
    /// Resembles a document; terms that more documents than this contain do not count.
    Similar(String, f64),
    /// A number compared strictly, or equal.
    Number(Path, Comparison, f64),
    /// A number from the first to the second, both included.
    NumberInRange(Path, f64, f64),
    /// Within a radius; results come nearest first.
    Near {
        /// A geopoint field.
        path: Path,
        /// Degrees.
        latitude: f64,
        /// Degrees.
        longitude: f64,
        /// Kilometres.
        radius: f64,
    },
    /// A test of a date.
    Date(Path, DateTest),
}

/// All conditions of a request; all must hold.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Query {
    /// In the order of the request.
    pub predicates: Vec<Predicate>,
}

impl Query {
    /// Reads the values of the `q` parameters. `known_type` says whether a custom type has had a
    /// published document: Prismic's parser knows no field of a type before.
    pub fn parse(values: &[&str], known_type: impl Fn(&str) -> bool) -> Result<Self, ParsingError> {
        let mut predicates = Vec::new();
        for (id, text) in (0..).zip(values) {
            let mut parser = Parser { lexer: Lexer::new(text, id, "query"), known_type: &known_type };
            parser.query(&mut predicates)?;
        }
        Ok(Self { predicates })
    }
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    known_type: &'a dyn Fn(&str) -> bool,
}

/// A call as it was read: arguments with the places they stand at.
struct Call {
    name: String,
    at: usize,
    path: Option<(String, usize)>,
    values: Vec<(Value, usize)>,
}

impl Parser<'_> {
    fn query(&mut self, into: &mut Vec<Predicate>) -> Result<(), ParsingError> {
        self.lexer.expect('[')?;
        loop {
            self.lexer.expect('[')?;
            if self.lexer.eat(":d") {
                self.lexer.expect('=')?;
            }
            let call = self.call()?;
            into.push(self.predicate(call)?);
            self.lexer.expect(']')?;
            if self.lexer.eat("]") {
                return self.lexer.end();
            }
        }
    }

    fn call(&mut self) -> Result<Call, ParsingError> {
        let at = self.lexer.place();
        let name = self.lexer.word().ok_or_else(|| self.lexer.unexpected("a function"))?;
        self.lexer.expect('(')?;
        let mut call = Call { name, at, path: None, values: Vec::new() };
        if self.lexer.eat(")") {
            return Ok(call);
        }
        loop {
            let at = self.lexer.place();
            match self.lexer.word_is_path() {
                true if call.path.is_none() && call.values.is_empty() => {
                    let word = self.lexer.word().ok_or_else(|| self.lexer.unexpected("a field"))?;
                    call.path = Some((word, at));
                }
                _ => call.values.push((self.lexer.value()?, at)),
            }
            if self.lexer.eat(")") {
                return Ok(call);
            }
            self.lexer.expect(',')?;
        }
    }

    fn predicate(&self, call: Call) -> Result<Predicate, ParsingError> {
        let typed = Typed { parser: self, call: &call };
        Ok(match call.name.as_str() {
            "at" | "not" => {
                let path = typed.path(comparable)?;
                let values = if path == Path::Tags { typed.list_or_one()? } else { vec![typed.scalar(0)?] };
                typed.count(1)?;
                if call.name == "at" { Predicate::At(path, values) } else { Predicate::Not(path, values) }
            }
            "any" => Predicate::Any(typed.path(comparable)?, typed.only_list()?),
            "in" => {
                let path = typed.path(|path| matches!(path, Path::Id | Path::Uid { .. }))?;
                Predicate::In(path, typed.texts()?)
            }
            "fulltext" => {
                let path = typed
                    .path(|path| matches!(path, Path::Document | Path::Uid { .. } | Path::Field { .. }))?;
                typed.count(1)?;
                Predicate::Fulltext(path, super::text::words(&typed.text(0)?))
            }
            "has" | "missing" => {
                let path = typed.path(|path| path.type_id().is_some())?;
                typed.count(0)?;
                if call.name == "has" { Predicate::Has(path) } else { Predicate::Missing(path) }
            }
            "similar" => {
                if let Some((name, at)) = &call.path {
                    return Err(typed.field_error(name, *at));
                }
                typed.count(2)?;
                Predicate::Similar(typed.text(0)?, typed.number(1)?)
            }
            "geopoint.near" => {
                let path = typed.path(|path| matches!(path, Path::Field { .. }))?;
                typed.count(3)?;
                let (latitude, longitude, radius) = (typed.number(0)?, typed.number(1)?, typed.number(2)?);
                Predicate::Near { path, latitude, longitude, radius }
            }
            name if name.starts_with("number.") => typed.number_predicate(&name["number.".len()..])?,
            name if name.starts_with("date.") => typed.date_predicate(&name["date.".len()..])?,
            _ => return Err(typed.unknown_function()),
        })
    }
}

fn comparable(path: &Path) -> bool {
    !matches!(path, Path::Document | Path::FirstPublication | Path::LastPublication)
}

/// Reads the arguments of a call as the types that its function wants.
struct Typed<'a> {
    parser: &'a Parser<'a>,
    call: &'a Call,
}

impl Typed<'_> {
    fn error(&self, at: usize, what: &str) -> ParsingError {
        self.parser.lexer.error(at, &format!("[function {}(..)] {what}", self.call.name))
    }

    fn unknown_function(&self) -> ParsingError {
        self.parser.lexer.error(self.call.at, &format!("unknown function '{}'", self.call.name))
    }

    fn field_error(&self, name: &str, at: usize) -> ParsingError {
        self.error(at, &format!("unexpected field '{name}'"))
    }

    fn path(&self, accepts: impl Fn(&Path) -> bool) -> Result<Path, ParsingError> {
        let Some((name, at)) = &self.call.path else {
            let at = self.call.values.first().map_or(self.call.at, |(_, at)| *at);
            return Err(self.error(at, "a field is expected"));
        };
        Path::parse(name)
            .filter(|path| accepts(path) && path.type_id().is_none_or(|id| (self.parser.known_type)(id)))
            .ok_or_else(|| self.field_error(name, *at))
    }

    fn count(&self, wanted: usize) -> Result<(), ParsingError> {
        let found = self.call.values.len();
        if found == wanted {
            return Ok(());
        }
        let at = self.call.values.get(wanted).map_or(self.call.at, |(_, at)| *at);
        Err(self.error(at, &format!("unexpected number of values, {wanted} expected but {found} found")))
    }

    fn value(&self, index: usize) -> Result<&(Value, usize), ParsingError> {
        self.call.values.get(index).ok_or_else(|| self.error(self.call.at, "a value is expected"))
    }

    fn scalar(&self, index: usize) -> Result<Scalar, ParsingError> {
        let (value, at) = self.value(index)?;
        value.scalar().ok_or_else(|| self.error(*at, "unexpected list"))
    }

    fn text(&self, index: usize) -> Result<String, ParsingError> {
        match self.value(index)? {
            (Value::Text(text), _) => Ok(text.clone()),
            (_, at) => Err(self.error(*at, "a string is expected")),
        }
    }

    fn number(&self, index: usize) -> Result<f64, ParsingError> {
        match self.value(index)? {
            (Value::Number(number), _) => Ok(*number),
            (_, at) => Err(self.error(*at, "a number is expected")),
        }
    }

    fn list_or_one(&self) -> Result<Vec<Scalar>, ParsingError> {
        match self.value(0)? {
            (Value::List(_), _) => self.list(),
            _ => Ok(vec![self.scalar(0)?]),
        }
    }

    fn list(&self) -> Result<Vec<Scalar>, ParsingError> {
        let (value, at) = self.value(0)?;
        let Value::List(values) = value else { return Err(self.error(*at, "a list is expected")) };
        values
            .iter()
            .map(|value| value.scalar().ok_or_else(|| self.error(*at, "unexpected list in a list")))
            .collect()
    }

    fn only_list(&self) -> Result<Vec<Scalar>, ParsingError> {
        self.count(1)?;
        self.list()
    }

    fn texts(&self) -> Result<Vec<String>, ParsingError> {
        let (_, at) = self.value(0)?;
        self.only_list()?
            .into_iter()
            .map(|value| match value {
                Scalar::Text(text) => Ok(text),
                _ => Err(self.error(*at, "a list of strings is expected")),
            })
            .collect()
    }

    fn number_predicate(&self, name: &str) -> Result<Predicate, ParsingError> {
        let path = || self.path(|path| matches!(path, Path::Field { .. }));
        Ok(match name {
            "lt" | "gt" => {
                let path = path()?;
                self.count(1)?;
                let comparison = if name == "lt" { Comparison::Less } else { Comparison::Greater };
                Predicate::Number(path, comparison, self.number(0)?)
            }
            "inRange" => {
                let path = path()?;
                self.count(2)?;
                Predicate::NumberInRange(path, self.number(0)?, self.number(1)?)
            }
            _ => return Err(self.unknown_function()),
        })
    }

    fn date_predicate(&self, name: &str) -> Result<Predicate, ParsingError> {
        let path = || {
            self.path(|path| {
                matches!(path, Path::FirstPublication | Path::LastPublication | Path::Field { .. })
            })
        };
        let instant = match name {
            "before" => Some(Comparison::Less),
            "after" => Some(Comparison::Greater),
            _ => None,
        };
        if let Some(comparison) = instant {
            let path = path()?;
            self.count(1)?;
            return Ok(Predicate::Date(path, DateTest::Instant(comparison, self.instant(0)?)));
        }
        if name == "between" {
            let path = path()?;
            self.count(2)?;
            return Ok(Predicate::Date(path, DateTest::Between(self.instant(0)?, self.instant(1)?)));
        }
        let (part, comparison) = match name.strip_suffix("-before") {
            Some(part) => (part, Comparison::Less),
            None => match name.strip_suffix("-after") {
                Some(part) => (part, Comparison::Greater),
                None => (name, Comparison::Equal),
            },
        };
        let part = match part {
            "day-of-month" => DatePart::DayOfMonth,
            "day-of-week" => DatePart::DayOfWeek,
            "month" => DatePart::Month,
            "hour" => DatePart::Hour,
            "year" if comparison == Comparison::Equal => DatePart::Year,
            _ => return Err(self.unknown_function()),
        };
        let path = path()?;
        self.count(1)?;
        Ok(Predicate::Date(path, DateTest::Part(part, comparison, self.date_part(part)?)))
    }

    fn instant(&self, index: usize) -> Result<Millis, ParsingError> {
        let (value, at) = self.value(index)?;
        let at_millis = match value {
            Value::Text(text) => parse_millis(text),
            #[expect(clippy::cast_possible_truncation, reason = "a saturating cast of a whole number")]
            Value::Number(number) => Some(*number as Millis),
            _ => None,
        };
        at_millis.ok_or_else(|| self.error(*at, "a date is expected"))
    }

    fn date_part(&self, part: DatePart) -> Result<i64, ParsingError> {
        let (value, at) = self.value(0)?;
        let number = match value {
            #[expect(clippy::cast_possible_truncation, reason = "a saturating cast of a whole number")]
            Value::Number(number) if number.fract() == 0.0 => Some(*number as i64),
            Value::Text(name) => part.parse_name(name),
            _ => None,
        };
        let range = match part {
            DatePart::DayOfMonth => 1..=31,
            DatePart::DayOfWeek => 1..=7,
            DatePart::Month => 1..=12,
            DatePart::Hour => 0..=23,
            DatePart::Year => i64::MIN..=i64::MAX,
        };
        number
            .filter(|number| range.contains(number))
            .ok_or_else(|| self.error(*at, "unexpected value for a part of a date"))
    }
}
