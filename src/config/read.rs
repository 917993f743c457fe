//! Reading TOML with places: every value knows its file, line and key path.
//!
//! Deriving would be shorter, but its errors name neither the key path nor a suggestion, and a
//! token typed in the wrong place would be printed. Here each table says which keys it knows,
//! and an unknown one is an error before any value is looked at.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, ConfigErrorKind, closest};

/// The text of one file, for places.
pub(crate) struct Source {
    pub(crate) file: PathBuf,
    text: String,
}

impl Source {
    /// Reads a file of at most `max` bytes.
    pub(crate) fn read(file: &Path, max: u64) -> Result<Self, ConfigError> {
        use std::io::{ErrorKind, Read as _};
        let fail = |kind, reason: &str| ConfigError::new(kind, file, reason);
        let open = std::fs::File::open(file).map_err(|err| match err.kind() {
            ErrorKind::NotFound => fail(ConfigErrorKind::Missing, "no such file"),
            _ => fail(ConfigErrorKind::Unreadable, "cannot be opened").because(err),
        })?;
        let mut text = String::new();
        let length = open
            .take(max + 1)
            .read_to_string(&mut text)
            .map_err(|err| fail(ConfigErrorKind::Unreadable, "cannot be read as UTF-8 text").because(err))?;
        if length as u64 > max {
            return Err(fail(ConfigErrorKind::Unreadable, "is too large for a configuration"));
        }
        Ok(Self { file: file.to_owned(), text })
    }

    /// Takes a text for that of a file.
    pub(crate) fn of_text(file: &Path, text: String) -> Self {
        Self { file: file.to_owned(), text }
    }

    /// The text.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Parses the text.
    pub(crate) fn parse(&self) -> Result<DeTable<'_>, ConfigError> {
        DeTable::parse(&self.text).map(toml::Spanned::into_inner).map_err(|err| {
            // Only the message: the parser's own rendering quotes the line, which may hold a token.
            let reason = format!("not valid TOML: {}", err.message().replace('\n', ", "));
            let error = ConfigError::new(ConfigErrorKind::Syntax, &self.file, reason);
            match err.span() {
                Some(span) => error.at_line(self.line(span.start)),
                None => error,
            }
        })
    }

    fn line(&self, offset: usize) -> usize {
        self.text.as_bytes()[..offset.min(self.text.len())].iter().filter(|byte| **byte == b'\n').count() + 1
    }
}

/// One value, with its place.
#[derive(Clone)]
pub(crate) struct Value<'a> {
    source: &'a Source,
    pub(crate) path: String,
    offset: usize,
    value: &'a DeValue<'a>,
}

/// One table whose keys were checked.
pub(crate) struct Table<'a> {
    source: &'a Source,
    path: String,
    offset: usize,
    entries: Vec<(&'a str, Value<'a>)>,
}

/// Writes one part of a key path, quoted where TOML would need quotes.
pub(crate) fn segment(key: &str) -> Cow<'_, str> {
    let bare = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    if bare { Cow::Borrowed(key) } else { Cow::Owned(format!("{key:?}")) }
}

fn error(source: &Source, offset: usize, path: &str, kind: ConfigErrorKind, reason: String) -> ConfigError {
    ConfigError::new(kind, &source.file, reason).at_line(source.line(offset)).at_key(path)
}

impl<'a> Table<'a> {
    /// Returns the table of a whole file, which may hold the keys `known` and no others.
    pub(crate) fn root(
        source: &'a Source,
        table: &'a DeTable<'a>,
        known: &[&str],
    ) -> Result<Self, ConfigError> {
        Self::open(source, String::new(), 0, table).knowing(known)
    }

    fn open(source: &'a Source, path: String, offset: usize, table: &'a DeTable<'a>) -> Self {
        let mut entries: Vec<_> = table
            .iter()
            .map(|(key, value)| {
                let name: &str = key.get_ref();
                let path = match path.as_str() {
                    "" => segment(name).into_owned(),
                    path => format!("{path}.{}", segment(name)),
                };
                let offset = key.span().start;
                (name, Value { source, path, offset, value: value.get_ref() })
            })
            .collect();
        // In the order of the file, so that the first mistake is reported first.
        entries.sort_by_key(|(_, value)| value.offset);
        Self { source, path, offset, entries }
    }

    fn knowing(self, known: &[&str]) -> Result<Self, ConfigError> {
        let Some((key, value)) = self.entries.iter().find(|(key, _)| !known.contains(key)) else {
            return Ok(self);
        };
        let mut reason = String::from("unknown key");
        if let Some(word) = closest(key, known.iter().copied()) {
            reason += &format!(", did you mean {word:?}?");
        }
        reason += &format!(" (known here: {})", known.join(", "));
        Err(value.error(ConfigErrorKind::UnknownKey, reason))
    }

    /// Returns the value of a key, if it is there.
    pub(crate) fn get(&self, key: &str) -> Option<&Value<'a>> {
        self.entries.iter().find(|(name, _)| *name == key).map(|(_, value)| value)
    }

    /// Returns the value of a key that must be there.
    pub(crate) fn need(&self, key: &str) -> Result<&Value<'a>, ConfigError> {
        self.get(key).ok_or_else(|| {
            let reason = format!("the key {key:?} is missing");
            error(self.source, self.offset, &self.path, ConfigErrorKind::InvalidValue, reason)
        })
    }

    /// Returns all entries in the order of the file.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&'a str, &Value<'a>)> {
        self.entries.iter().map(|(key, value)| (*key, value))
    }

    /// Returns what `read` makes of a key's value, or `None` when the key is not there.
    pub(crate) fn read<T>(
        &self,
        key: &str,
        read: impl FnOnce(&Value<'a>) -> Result<T, ConfigError>,
    ) -> Result<Option<T>, ConfigError> {
        self.get(key).map(read).transpose()
    }
}

impl<'a> Value<'a> {
    /// Line of this value's key.
    pub(crate) fn line(&self) -> usize {
        self.source.line(self.offset)
    }

    pub(crate) fn error(&self, kind: ConfigErrorKind, reason: impl Into<String>) -> ConfigError {
        error(self.source, self.offset, &self.path, kind, reason.into())
    }

    /// Returns the error that this value is not usable.
    pub(crate) fn invalid(&self, reason: impl Into<String>) -> ConfigError {
        self.error(ConfigErrorKind::InvalidValue, reason)
    }

    fn wrong_type(&self, wanted: &str) -> ConfigError {
        let found = match self.value {
            DeValue::String(_) => "text",
            DeValue::Integer(_) | DeValue::Float(_) => "a number",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        self.invalid(format!("must be {wanted}, not {found}"))
    }

    /// Whether this is text.
    pub(crate) fn is_text(&self) -> bool {
        self.value.is_str()
    }

    /// Returns text that is not empty.
    pub(crate) fn text(&self) -> Result<&'a str, ConfigError> {
        match self.value.as_str() {
            Some("") => Err(self.invalid("is empty")),
            Some(text) => Ok(text),
            None => Err(self.wrong_type("text in quotes")),
        }
    }

    /// Returns text in the form of `T`; the error of `T` names what it should be.
    pub(crate) fn parse<T: FromStr<Err: std::fmt::Display>>(&self) -> Result<T, ConfigError> {
        self.text()?.parse().map_err(|err: T::Err| self.invalid(err.to_string()))
    }

    /// Returns true or false.
    pub(crate) fn flag(&self) -> Result<bool, ConfigError> {
        self.value.as_bool().ok_or_else(|| self.wrong_type("true or false"))
    }

    /// Returns a whole number in a range, both ends included.
    pub(crate) fn integer(&self, min: u64, max: u64) -> Result<u64, ConfigError> {
        let DeValue::Integer(integer) = self.value else {
            return Err(self.wrong_type("a whole number"));
        };
        i128::from_str_radix(integer.as_str(), integer.radix())
            .ok()
            .and_then(|number| u64::try_from(number).ok())
            .filter(|number| (min..=max).contains(number))
            .ok_or_else(|| self.invalid(format!("must be from {min} to {max}")))
    }

    /// Returns a number above 0 and at most `max`.
    pub(crate) fn rate(&self, max: f64) -> Result<f64, ConfigError> {
        let number = match self.value {
            DeValue::Integer(_) => self.integer(0, u64::from(u32::MAX)).ok().map(|n| n as f64),
            DeValue::Float(float) => float.as_str().parse::<f64>().ok(),
            _ => return Err(self.wrong_type("a number")),
        };
        number
            .filter(|number| *number > 0.0 && *number <= max)
            .ok_or_else(|| self.invalid(format!("must be above 0 and at most {max}")))
    }

    /// Returns the values of a list.
    pub(crate) fn list(&self) -> Result<Vec<Value<'a>>, ConfigError> {
        let DeValue::Array(array) = self.value else {
            return Err(self.wrong_type("a list in brackets"));
        };
        let item = |(index, value): (usize, &'a toml::Spanned<DeValue<'a>>)| Value {
            source: self.source,
            path: format!("{}[{index}]", self.path),
            offset: value.span().start,
            value: value.get_ref(),
        };
        Ok(array.iter().enumerate().map(item).collect())
    }

    /// Returns a table that may hold the keys `known` and no others.
    pub(crate) fn table(&'a self, known: &[&str]) -> Result<Table<'a>, ConfigError> {
        self.map()?.knowing(known)
    }

    /// Returns a table whose keys are names that people chose.
    pub(crate) fn map(&self) -> Result<Table<'a>, ConfigError> {
        let DeValue::Table(table) = self.value else {
            return Err(self.wrong_type("a table"));
        };
        Ok(Table::open(self.source, self.path.clone(), self.offset, table))
    }
}
