//! Reading the file.

use std::path::Path;

use super::lint::lack_of;
use super::{Controller, Entry, Gap, Lack, Processing, ProcessingError};
use crate::config::read::{Source, Table, Value};
use crate::config::{ConfigError, ConfigErrorKind};
use crate::limits::Limits;
use crate::privacy::letters::Language;

/// Keys of the controller.
const CONTROLLER: [&str; 4] = ["name", "address", "contact", "data_protection_officer"];

impl Processing {
    /// Reads the texts of one language.
    ///
    /// # Errors
    ///
    /// [`ProcessingError`]; with everything that is missing, not only the first of it.
    pub fn load(file: &Path, language: Language, limits: &Limits) -> Result<Self, ProcessingError> {
        match Source::read(file, limits.config_bytes_max) {
            Ok(source) => Self::read(&source, language),
            Err(error) if error.kind() == ConfigErrorKind::Missing => {
                Err(ProcessingError::NoFile(file.to_owned()))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Reads a text as that of a file.
    #[cfg(test)]
    pub(crate) fn parse(text: &str, language: Language) -> Result<Self, ProcessingError> {
        Self::read(&Source::of_text(Path::new(super::PROCESSING_FILE), text.to_owned()), language)
    }

    fn read(source: &Source, language: Language) -> Result<Self, ProcessingError> {
        let parsed = source.parse()?;
        let mut known = vec!["controller"];
        known.extend(Language::ALL.map(Language::code));
        let root = Table::root(source, &parsed, &known)?;
        // A mistyped key of another language is a mistake as well.
        let keys = Entry::ALL.map(Entry::key);
        let mut there = Vec::new();
        for own in Language::ALL {
            if let Some(texts) = root.get(own.code()) {
                texts.table(&keys)?;
                there.push(own);
            }
        }
        let mut gaps = Vec::new();
        let controller = read_controller(&root, &mut gaps)?;
        let Some(texts) = root.get(language.code()) else {
            return Err(ProcessingError::NoLanguage { file: source.file.clone(), language, there });
        };
        let texts = texts.table(&keys)?;
        let mut entries = Vec::new();
        for entry in Entry::ALL {
            let path = format!("{}.{}", language.code(), entry.key());
            let text = match texts.get(entry.key()) {
                None => {
                    let (article, lack) = (Some(entry.article()), Lack::Missing);
                    gaps.push(Gap { key: path, article, line: None, lack });
                    continue;
                }
                Some(value) if entry == Entry::Recipients => read_list(value, entry, &mut gaps)?,
                Some(value) => read_text(value, Some(entry), &mut gaps)?,
            };
            entries.push((entry, text));
        }
        if gaps.is_empty() {
            Ok(Self { controller, entries })
        } else {
            Err(ProcessingError::Incomplete { file: source.file.clone(), gaps })
        }
    }
}

fn read_controller(root: &Table<'_>, gaps: &mut Vec<Gap>) -> Result<Controller, ConfigError> {
    let table = root.get("controller").map(|value| value.table(&CONTROLLER)).transpose()?;
    let mut read = |key: &str| match table.as_ref().and_then(|table| table.get(key)) {
        Some(value) => read_text(value, None, gaps),
        None => {
            let key = format!("controller.{key}");
            gaps.push(Gap { key, article: None, line: None, lack: Lack::Missing });
            Ok(String::new())
        }
    };
    Ok(Controller {
        name: read("name")?,
        address: read("address")?,
        contact: read("contact")?,
        data_protection_officer: read("data_protection_officer")?,
    })
}

/// Reads one text; what is wrong with it goes to the gaps.
fn read_text(value: &Value<'_>, entry: Option<Entry>, gaps: &mut Vec<Gap>) -> Result<String, ConfigError> {
    // An empty text is a gap like others; anything but a text is a mistake.
    let text = if value.is_text() { value.text().unwrap_or_default() } else { value.text()? };
    if let Some(lack) = lack_of(text, entry) {
        let article = entry.map(Entry::article);
        gaps.push(Gap { key: value.path.clone(), article, line: Some(value.line()), lack });
    }
    Ok(text.trim().to_owned())
}

/// Reads texts in a list; one text alone is a list of one.
fn read_list(value: &Value<'_>, entry: Entry, gaps: &mut Vec<Gap>) -> Result<String, ConfigError> {
    if value.is_text() {
        return read_text(value, Some(entry), gaps);
    }
    let values = value.list()?;
    if values.is_empty() {
        let (key, article) = (value.path.clone(), Some(entry.article()));
        gaps.push(Gap { key, article, line: Some(value.line()), lack: Lack::Empty });
    }
    let texts: Result<Vec<String>, ConfigError> =
        values.iter().map(|value| read_text(value, Some(entry), gaps)).collect();
    Ok(texts?.join("\n"))
}
