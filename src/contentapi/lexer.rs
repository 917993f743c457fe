//! The words of queries and orderings, with places for error messages.

use super::query::{ParsingError, Scalar};

/// An argument.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    /// `"…"`
    Text(String),
    /// `12`, `-1.5`
    Number(f64),
    /// `true`, `false`
    Bool(bool),
    /// `[…]`
    List(Vec<Value>),
}

impl Value {
    /// Returns what is not a list.
    pub(super) fn scalar(&self) -> Option<Scalar> {
        match self {
            Self::Text(text) => Some(Scalar::Text(text.clone())),
            Self::Number(number) => Some(Scalar::Number(*number)),
            Self::Bool(value) => Some(Scalar::Bool(*value)),
            Self::List(_) => None,
        }
    }
}

/// Reads a parameter from left to right. Places are byte offsets into it.
pub(super) struct Lexer<'a> {
    text: &'a str,
    at: usize,
    id: u32,
    location: &'static str,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str, id: u32, location: &'static str) -> Self {
        Self { text, at: 0, id, location }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn skip_space(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    /// Returns the place of the next word.
    pub(super) fn place(&mut self) -> usize {
        self.skip_space();
        self.at
    }

    /// Takes `token` if it is next.
    pub(super) fn eat(&mut self, token: &str) -> bool {
        self.skip_space();
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    /// Takes a character that must be next.
    pub(super) fn expect(&mut self, wanted: char) -> Result<(), ParsingError> {
        if self.eat(wanted.encode_utf8(&mut [0; 4])) {
            Ok(())
        } else {
            Err(self.unexpected(&format!("`{wanted}'")))
        }
    }

    /// Checks that nothing is left.
    pub(super) fn end(&mut self) -> Result<(), ParsingError> {
        self.skip_space();
        if self.rest().is_empty() { Ok(()) } else { Err(self.unexpected("end of query")) }
    }

    fn word_len(&self) -> usize {
        let part = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-');
        self.rest().find(|c| !part(c)).unwrap_or(self.rest().len())
    }

    /// Takes letters, digits, `.`, `_` and `-`; `None` when none is next.
    pub(super) fn word(&mut self) -> Option<String> {
        self.skip_space();
        let len = self.word_len();
        let word = self.rest()[..len].to_owned();
        self.at += len;
        (len > 0).then_some(word)
    }

    /// Returns whether a path is next, not a value.
    pub(super) fn word_is_path(&mut self) -> bool {
        self.skip_space();
        let word = &self.rest()[..self.word_len()];
        word.starts_with(|c: char| c.is_alphabetic()) && !matches!(word, "true" | "false")
    }

    /// Takes a value.
    pub(super) fn value(&mut self) -> Result<Value, ParsingError> {
        self.nested_value(false)
    }

    /// Lists do not nest: the depth of recursion is one.
    fn nested_value(&mut self, in_list: bool) -> Result<Value, ParsingError> {
        self.skip_space();
        match self.rest().chars().next() {
            Some('"') => self.string(),
            Some('[') if !in_list => {
                self.at += 1;
                let mut values = Vec::new();
                if self.eat("]") {
                    return Ok(Value::List(values));
                }
                loop {
                    values.push(self.nested_value(true)?);
                    if self.eat("]") {
                        return Ok(Value::List(values));
                    }
                    self.expect(',')?;
                }
            }
            _ => {
                let from = self.at;
                match self.word().as_deref() {
                    Some("true") => Ok(Value::Bool(true)),
                    Some("false") => Ok(Value::Bool(false)),
                    Some(word) if word.parse::<f64>().is_ok_and(f64::is_finite) => {
                        Ok(Value::Number(word.parse().expect("it was just parsed")))
                    }
                    _ => {
                        self.at = from;
                        Err(self.unexpected("a value"))
                    }
                }
            }
        }
    }

    fn string(&mut self) -> Result<Value, ParsingError> {
        let mut text = String::new();
        let mut characters = self.rest().char_indices().skip(1).peekable();
        while let Some((at, c)) = characters.next() {
            match c {
                '"' => {
                    self.at += at + 1;
                    return Ok(Value::Text(text));
                }
                '\\' => match characters.next_if(|(_, next)| matches!(next, '"' | '\\')) {
                    Some((_, next)) => text.push(next),
                    None => text.push('\\'),
                },
                c => text.push(c),
            }
        }
        self.at = self.text.len();
        Err(self.unexpected("`\"'"))
    }

    /// Returns the error that something else was expected here.
    pub(super) fn unexpected(&self, wanted: &str) -> ParsingError {
        let found = match self.rest().chars().next() {
            Some(c) => format!("`{c}'"),
            None => format!("end of {}", self.location),
        };
        self.error(self.at, &format!("{wanted} expected but {found} found"))
    }

    /// Returns an error at a place, in the words of Prismic: what, where, the parameter again and
    /// a caret.
    pub(super) fn error(&self, at: usize, what: &str) -> ParsingError {
        let before = &self.text[..at];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let column = before[line_start..].chars().count() + 1;
        let line = before.matches('\n').count() + 1;
        let source = self.text[line_start..].lines().next().unwrap_or_default();
        let (text, location, indent) = (self.text, self.location, " ".repeat(column - 1));
        let message =
            format!("{what} on line:{line} col:{column} in {location} '{text}'\n{source}\n{indent}^\n");
        let number = |n| u32::try_from(n).unwrap_or(u32::MAX);
        ParsingError {
            message,
            line: number(line),
            column: number(column),
            id: self.id,
            location: self.location,
        }
    }
}
