//! A writer of compact JSON that keeps the order it is given and can escape as Prismic's older
//! answers did (`\u00e9`).

use std::fmt::Write as _;

/// Builds one JSON text.
#[derive(Debug, Default)]
pub(super) struct Json {
    out: String,
    /// Whether letters beyond ASCII are written as `\uXXXX`.
    pub(super) ascii: bool,
}

impl Json {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self { out: String::with_capacity(bytes), ascii: false }
    }

    pub(super) fn finish(self) -> String {
        self.out
    }

    fn separate(&mut self) {
        if !matches!(self.out.as_bytes().last(), None | Some(b'{' | b'[' | b':')) {
            self.out.push(',');
        }
    }

    /// Writes a member's name; a value must follow.
    pub(super) fn key(&mut self, name: &str) -> &mut Self {
        self.separate();
        self.quote(name);
        self.out.push(':');
        self
    }

    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        self.separate();
        self.quote(text);
        self
    }

    /// Writes JSON as it is.
    pub(super) fn raw(&mut self, json: &str) -> &mut Self {
        self.separate();
        self.out.push_str(json);
        self
    }

    pub(super) fn number(&mut self, number: impl std::fmt::Display) -> &mut Self {
        self.separate();
        write!(self.out, "{number}").expect("writing to a String cannot fail");
        self
    }

    pub(super) fn null(&mut self) -> &mut Self {
        self.raw("null")
    }

    /// Opens an object or array; [`end`](Self::end) must follow.
    pub(super) fn begin(&mut self, bracket: char) -> &mut Self {
        self.separate();
        self.out.push(bracket);
        self
    }

    pub(super) fn end(&mut self, bracket: char) -> &mut Self {
        self.out.push(bracket);
        self
    }

    pub(super) fn object(&mut self, members: impl FnOnce(&mut Self)) -> &mut Self {
        self.separate();
        self.out.push('{');
        members(self);
        self.out.push('}');
        self
    }

    pub(super) fn array(&mut self, items: impl FnOnce(&mut Self)) -> &mut Self {
        self.separate();
        self.out.push('[');
        items(self);
        self.out.push(']');
        self
    }

    /// Writes a member with a text.
    pub(super) fn member(&mut self, name: &str, text: &str) -> &mut Self {
        self.key(name).text(text)
    }

    /// Writes a member with JSON as it is.
    pub(super) fn raw_member(&mut self, name: &str, json: &str) -> &mut Self {
        self.key(name).raw(json)
    }

    fn quote(&mut self, text: &str) {
        self.out.push('"');
        for c in text.chars() {
            match c {
                '"' => self.out.push_str("\\\""),
                '\\' => self.out.push_str("\\\\"),
                '\n' => self.out.push_str("\\n"),
                c if c < ' ' || self.ascii && !c.is_ascii() => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        write!(self.out, "\\u{unit:04x}").expect("writing to a String cannot fail");
                    }
                }
                c => self.out.push(c),
            }
        }
        self.out.push('"');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        for ascii in [false, true] {
            let mut json = Json { ascii, ..Json::default() };
            json.object(|json| {
                json.member("a", "é \"\\\n\u{1} 👩🏽‍💻").key("b").array(|json| {
                    json.number(1).text("x").object(|_| {}).null();
                });
                json.raw_member("c", "10.0");
            });
            let text = json.finish();
            let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
            assert_eq!(value["a"], "é \"\\\n\u{1} 👩🏽‍💻");
            assert_eq!(value["b"], serde_json::json!([1, "x", {}, null]));
            assert_eq!(text.is_ascii(), ascii);
        }
    }
}
