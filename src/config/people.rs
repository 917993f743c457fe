//! `[people]`: who signs, by name, with the public half of a key that only they hold.

use serde::Serialize;

use super::error::{ConfigError, unknown};
use super::read::Value;
use super::value::public_key;

const KEYS: &[&str] = &["key", "may"];
/// What somebody may do by a signature of their own. Who approves erasures stands in the trust record.
const MAY: [&str; 1] = ["sign-off"];

/// One `[people.NAME]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Person {
    /// The name, as `--as` takes it.
    pub name: String,
    /// Public key in the form of minisign.
    pub key: String,
    /// Whether they may decide at gates of drills.
    pub may_sign_off: bool,
}

/// Reads the table.
pub(super) fn read(value: &Value<'_>) -> Result<Vec<Person>, ConfigError> {
    let people = value.map()?;
    let mut all: Vec<Person> = Vec::new();
    for (name, own) in people.entries() {
        let table = own.table(KEYS)?;
        let key = public_key(table.need("key")?)?;
        if let Some(other) = all.iter().find(|other| other.key == key) {
            return Err(own.invalid(format!("has the key of {}; each person has their own", other.name)));
        }
        let may = table.read("may", |value| {
            let mut may_sign_off = false;
            for word in value.list()? {
                match word.text()? {
                    "sign-off" => may_sign_off = true,
                    other => return Err(word.invalid(unknown("right", other, &MAY))),
                }
            }
            Ok(may_sign_off)
        })?;
        all.push(Person { name: name.to_owned(), key, may_sign_off: may.unwrap_or(false) });
    }
    Ok(all)
}
