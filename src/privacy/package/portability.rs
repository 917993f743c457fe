//! What of the data falls under portability (GDPR Art. 20), as somebody decided in a note.
//!
//! Only what the person provided, and only where consent or a contract is the basis. A program cannot know
//! that, and an access package is not the answer: a person decides, writes why, and names the fields. That
//! nothing qualifies is an answer as well.

use std::path::Path;

use serde::Serialize;

use super::records::Key;
use super::texts::{PlaceKind, Section};
use crate::config::ConfigError;
use crate::config::read::{Source, Table, Value};
use crate::ids::Name;
use crate::limits::Limits;

/// A note to be filled in.
pub const NOTE_TEMPLATE: &str = include_str!("portability.toml");
/// Fewest characters of a reason: fewer say nothing.
const REASON_MIN: usize = 20;

/// On which basis the data is processed: with another the right does not apply (Art. 20(1)(a)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// Consent: Art. 6(1)(a), 9(2)(a).
    Consent,
    /// A contract: Art. 6(1)(b).
    Contract,
}

/// Fields that the person filled in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Provided {
    /// Only in this repository.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<Name>,
    /// Custom type of the documents; with `None` this is about lists of members.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub type_: Option<String>,
    /// JSON pointers (RFC 6901) of the fields, with all that is in them; everything when empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<String>,
}

/// A note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// Who decided. For the case; it does not go into the package.
    pub decided_by: String,
    /// The basis; `None` where nothing qualifies.
    pub basis: Option<Basis>,
    /// Why, for the person.
    pub reason: String,
    /// What was provided; nothing, when nothing qualifies.
    pub provided: Vec<Provided>,
}

impl Scope {
    /// Reads a note.
    ///
    /// # Errors
    ///
    /// The first mistake in it, with its line: also where it is empty or a placeholder.
    pub fn load(file: &Path, limits: &Limits) -> Result<Self, ConfigError> {
        Self::read(&Source::read(file, limits.config_bytes_max)?)
    }

    fn read(source: &Source) -> Result<Self, ConfigError> {
        let parsed = source.parse()?;
        let known = ["decided_by", "basis", "reason", "nothing", "provided", "members"];
        let root = Table::root(source, &parsed, &known)?;
        let decided_by = said(root.need("decided_by")?, 2)?;
        if let Some(nothing) = root.get("nothing") {
            let rest = ["basis", "reason", "provided", "members"];
            if let Some(also) = rest.into_iter().find_map(|key| root.get(key)) {
                return Err(also.invalid("has no place beside `nothing`, which says that nothing qualifies"));
            }
            let reason = said(nothing, REASON_MIN)?;
            return Ok(Self { decided_by, basis: None, reason, provided: Vec::new() });
        }
        let basis = root.need("basis")?;
        let basis = match basis.text()? {
            "consent" => Basis::Consent,
            "contract" => Basis::Contract,
            _ => {
                return Err(basis.invalid(
                    "must be \"consent\" or \"contract\": on any other basis the right does not apply \
                     (GDPR Art. 20(1)(a)); then say so with `nothing`",
                ));
            }
        };
        let reason = said(root.need("reason")?, REASON_MIN)?;
        let mut provided = Vec::new();
        if let Some(list) = root.get("provided") {
            for value in list.list()? {
                provided.push(read_provided(&value)?);
            }
        }
        if root.get("members").map(Value::flag).transpose()?.unwrap_or(false) {
            provided.push(Provided { repository: None, type_: None, fields: Vec::new() });
        }
        if provided.is_empty() {
            return Err(root.need("reason")?.invalid(
                "stands without any [[provided]] or `members = true`; if nothing qualifies, say why with `nothing`",
            ));
        }
        Ok(Self { decided_by, basis: Some(basis), reason, provided })
    }

    /// Whether nothing qualifies.
    pub fn is_nothing(&self) -> bool {
        self.provided.is_empty()
    }

    /// Whether an entry was provided by the person.
    pub(super) fn has(&self, key: &Key) -> bool {
        // What is read out of several fields stands in them.
        key.kind != PlaceKind::Joined && self.provided.iter().any(|provided| provided.has(key))
    }
}

impl Provided {
    fn has(&self, key: &Key) -> bool {
        let fits = match &self.type_ {
            None => key.section == Section::Members,
            Some(type_) => {
                matches!(key.section, Section::Documents | Section::Releases)
                    && key.path.rsplit('/').nth(1) == Some(type_)
            }
        };
        let is_in = |field: &String| {
            key.place
                .strip_prefix(field.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        fits && self.repository.as_ref().is_none_or(|own| key.repository.as_ref() == Some(own))
            && (self.fields.is_empty() || self.fields.iter().any(is_in))
    }
}

fn read_provided(value: &Value<'_>) -> Result<Provided, ConfigError> {
    let table = value.table(&["repository", "type", "fields"])?;
    let type_ = table.need("type")?.text()?.to_owned();
    let repository = table.read("repository", Value::parse)?;
    let mut fields = Vec::new();
    if let Some(list) = table.get("fields") {
        for field in list.list()? {
            let text = field.text()?;
            let is_pointer = text.starts_with('/');
            if !is_pointer && text.contains('/') {
                return Err(
                    field.invalid("is no field: write data.name, or a JSON pointer such as /data/name")
                );
            }
            fields.push(if is_pointer { text.to_owned() } else { format!("/{}", text.replace('.', "/")) });
        }
        if fields.is_empty() {
            return Err(list.invalid("is empty; leave it out where all fields were provided"));
        }
    }
    Ok(Provided { repository, type_: Some(type_), fields })
}

/// A text that says something.
fn said(value: &Value<'_>, min: usize) -> Result<String, ConfigError> {
    let text = value.text()?.trim();
    let has_todo =
        text.split(|char: char| !char.is_alphanumeric()).any(|word| word.eq_ignore_ascii_case("todo"));
    if has_todo || text.chars().filter(|char| char.is_alphabetic()).count() < min {
        return Err(value.invalid(format!("says nothing yet: at least {min} letters, and no placeholder")));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTE: &str = "decided_by = \"Anna of privacy\"\nbasis = \"contract\"\n\
        reason = \"The author wrote these texts in her own profile.\"\n\
        [[provided]]\ntype = \"author\"\nfields = [\"data.bio\", \"/data/name\"]\n";

    fn read(text: &str) -> Result<Scope, ConfigError> {
        Scope::read(&Source::of_text(Path::new("note.toml"), text.to_owned()))
    }

    fn key(section: Section, path: &str, place: &str) -> Key {
        Key {
            section,
            repository: Some("blog".parse().unwrap()),
            path: path.to_owned(),
            place: place.to_owned(),
            kind: PlaceKind::Text,
            text: "x".to_owned(),
        }
    }

    #[test]
    fn only_what_the_note_names_is_in_scope() {
        let scope = read(NOTE).unwrap();
        let author = |place| key(Section::Documents, "documents/en-us/author/X.json", place);
        assert!(scope.has(&author("/data/bio/0/text")) && scope.has(&author("/data/name")));
        assert!(!scope.has(&author("/data/biology")) && !scope.has(&author("/uid")));
        assert!(!scope.has(&key(Section::Documents, "documents/en-us/page/X.json", "/data/bio")));
        let released = key(Section::Releases, "releases/R/documents/en-us/author/X.json", "/data/name");
        assert!(scope.has(&released));
        let joined = Key { kind: PlaceKind::Joined, ..author("/data/bio") };
        assert!(!scope.has(&joined));
        let member = key(Section::Members, "repository/members.json", "/members/0/email");
        assert!(!scope.has(&member));
        let members = NOTE.replacen("basis", "members = true\nbasis", 1);
        assert!(read(&members).unwrap().has(&member));
        let elsewhere = NOTE.replace("type =", "repository = \"shop\"\ntype =");
        assert!(!read(&elsewhere).unwrap().has(&author("/data/name")));
    }

    #[test]
    fn nothing_needs_its_reason_and_an_empty_note_is_refused() {
        let nothing =
            "decided_by = \"Anna\"\nnothing = \"Everything is processed on legitimate interest.\"\n";
        assert!(read(nothing).unwrap().is_nothing());
        for (text, words) in [
            ("", "\"decided_by\" is missing"),
            (NOTE_TEMPLATE, "says nothing yet"),
            ("decided_by = \"Anna\"\nnothing = \"no\"", "at least 20 letters"),
            ("decided_by = \"Anna\"\n", "\"basis\" is missing"),
            (&NOTE.replace("contract", "interest"), "must be \"consent\" or \"contract\""),
            (NOTE.split("[[").next().unwrap(), "without any [[provided]]"),
            (&NOTE.replace("[\"data.bio\", \"/data/name\"]", "[]"), "is empty"),
            (&NOTE.replace("data.bio", "data/bio"), "is no field"),
            (&format!("nothing = \"{}\"\n{NOTE}", "words ".repeat(8)), "beside `nothing`"),
            (&NOTE.replace("type", "typ"), "did you mean"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(words) && error.contains("note.toml"), "{error}");
        }
    }
}
