//! The file: reading it, and adding fields that it lacks.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use super::{Class, Classes, Classification, FieldPlace, Owner};
use crate::config::read::{Source, Table, Value, segment};
use crate::config::{ConfigError, ConfigErrorKind};
use crate::ids::Name;
use crate::limits::Limits;

/// What stands in place of a class that nobody has decided.
const UNDECIDED: &str = "?";

/// What was added to a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Additions {
    /// Fields that stand in it now and want a class.
    pub fields: Vec<FieldPlace>,
}

impl Classification {
    /// Reads a file; `None` where there is none.
    ///
    /// # Errors
    ///
    /// The first mistake in it, with its line.
    pub fn load(file: &Path, limits: &Limits) -> Result<Option<Self>, ConfigError> {
        match Source::read(file, limits.config_bytes_max) {
            Ok(source) => Self::read(&source).map(|(read, _)| Some(read)),
            Err(error) if error.kind() == ConfigErrorKind::Missing => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Adds fields to a file, each with `"?"` for its class, and makes it where there is none. What
    /// stands in it stays, comments too.
    ///
    /// # Errors
    ///
    /// When the file is wrong already, cannot be written, or is put together so that nothing can be added
    /// to it; it stays as it was then.
    pub fn write_missing(
        file: &Path,
        missing: &[FieldPlace],
        limits: &Limits,
    ) -> Result<Additions, ConfigError> {
        let (before, (known, ends)) = match Source::read(file, limits.config_bytes_max) {
            Ok(source) => (source.text().to_owned(), Self::read(&source)?),
            Err(error) if error.kind() == ConfigErrorKind::Missing => (head(), Default::default()),
            Err(error) => return Err(error),
        };
        let fields: Vec<FieldPlace> =
            missing.iter().filter(|field| !known.everywhere.contains_key(*field)).cloned().collect();
        let after = with(&before, &fields, &ends);
        // Whether it says the same as before, and what was to be added, is seen by reading it.
        let mut wanted = known;
        wanted.everywhere.extend(fields.iter().map(|field| (field.clone(), None)));
        let read = Self::read(&Source::of_text(file, after.clone()));
        if read.as_ref().ok().map(|(read, _)| read) != Some(&wanted) {
            let names: Vec<String> = fields.iter().map(ToString::to_string).collect();
            let reason =
                format!("has tables to which nothing can be added; add by hand: {}", names.join(", "));
            return Err(ConfigError::new(ConfigErrorKind::InvalidValue, file, reason));
        }
        replace(file, &after).map_err(|error| {
            ConfigError::new(ConfigErrorKind::Unreadable, file, "cannot be written").because(error)
        })?;
        Ok(Additions { fields })
    }

    fn read(source: &Source) -> Result<(Self, Ends), ConfigError> {
        let parsed = source.parse()?;
        let root = Table::root(source, &parsed, &["types", "slices", "repositories"])?;
        let mut ends = Ends::new();
        let everywhere = read_owners(&root, &mut ends)?;
        let mut by_repository = BTreeMap::new();
        if let Some(repositories) = root.get("repositories") {
            for (name, value) in repositories.map()?.entries() {
                let name: Name =
                    name.parse().map_err(|error| value.invalid(format!("is no name: {error}")))?;
                let own = value.table(&["types", "slices"])?;
                by_repository.insert(name, read_owners(&own, &mut Ends::new())?);
            }
        }
        Ok((Self { everywhere, by_repository }, ends))
    }
}

/// The last line of each table in which fields stand.
type Ends = BTreeMap<(Owner, String), usize>;

fn read_owners(table: &Table<'_>, ends: &mut Ends) -> Result<Classes, ConfigError> {
    let mut classes = Classes::new();
    for owner in [Owner::Types, Owner::Slices] {
        let Some(value) = table.get(owner.name()) else { continue };
        for (id, fields) in value.map()?.entries() {
            let mut last = fields.line();
            read_fields((owner, id), "", fields, &mut classes, &mut last)?;
            ends.insert((owner, id.to_owned()), last);
        }
    }
    Ok(classes)
}

/// Reads the fields of one table. Dots in a key that is not quoted make tables of their own in TOML.
fn read_fields(
    (owner, id): (Owner, &str),
    before: &str,
    table: &Value<'_>,
    classes: &mut Classes,
    last: &mut usize,
) -> Result<(), ConfigError> {
    for (key, value) in table.map()?.entries() {
        let field = format!("{before}{key}");
        *last = (*last).max(value.line());
        if !value.is_text() {
            read_fields((owner, id), &format!("{field}."), value, classes, last)?;
            continue;
        }
        let class = match value.text()? {
            UNDECIDED => None,
            _ => Some(value.parse::<Class>()?),
        };
        classes.insert(FieldPlace { owner, id: id.to_owned(), field }, class);
    }
    Ok(())
}

/// Returns a text with fields added: to the tables that there are, and in new ones at its end.
fn with(text: &str, fields: &[FieldPlace], ends: &Ends) -> String {
    let mut by_table: BTreeMap<(Owner, &str), Vec<&FieldPlace>> = BTreeMap::new();
    for field in fields {
        by_table.entry((field.owner, &field.id)).or_default().push(field);
    }
    let lines_of = |fields: &[&FieldPlace]| {
        fields.iter().fold(String::new(), |mut lines, field| {
            let _ = writeln!(lines, "{} = \"{UNDECIDED}\"", segment(&field.field));
            lines
        })
    };
    let mut out = String::with_capacity(text.len() + fields.len() * 40);
    for (number, line) in text.lines().enumerate() {
        out.push_str(line);
        out.push('\n');
        for ((owner, id), _) in ends.iter().filter(|(_, end)| **end == number + 1) {
            if let Some(fields) = by_table.remove(&(*owner, id.as_str())) {
                out.push_str(&lines_of(&fields));
            }
        }
    }
    for ((owner, id), fields) in by_table {
        let _ = write!(out, "\n[{}.{}]\n{}", owner.name(), segment(id), lines_of(&fields));
    }
    out
}

/// The beginning of a new file.
fn head() -> String {
    let mut head = String::from(
        "# What each field may hold of people. \"?\" is not decided yet, and is told after each snapshot.\n#\n",
    );
    for class in Class::ALL {
        let _ = writeln!(head, "#   {:<12} {}", class.name(), class.words());
    }
    head
}

/// Writes a file as a whole or not at all.
fn replace(file: &Path, text: &str) -> std::io::Result<()> {
    let directory = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(directory)?;
    let mut temporary = tempfile::NamedTempFile::new_in(directory)?;
    temporary.write_all(text.as_bytes())?;
    temporary.as_file().sync_all()?;
    temporary.persist(file).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn fields_of<const N: usize>(models: [serde_json::Value; N]) -> BTreeSet<FieldPlace> {
        let texts = models.map(|model| model.to_string());
        let (fields, unread) = super::super::fields_of(texts.iter().map(String::as_bytes));
        assert_eq!(unread, 0);
        fields
    }

    fn author() -> serde_json::Value {
        serde_json::json!({ "id": "author", "label": "Author", "repeatable": true, "status": true, "json": {
            "Main": {
                "name": { "type": "Text", "config": {} },
                "line": { "type": "Separator", "config": {} },
                "rows": { "type": "Group", "config": { "fields": { "phone": { "type": "Text", "config": {} } } } },
                "body": { "type": "Slices", "config": { "choices": {
                    "quote": { "type": "SharedSlice" },
                    "aside": { "type": "Slice", "non-repeat": { "person": { "type": "Text", "config": {} } }, "repeat": {} } } } },
            } } })
    }

    fn names(fields: &[FieldPlace]) -> Vec<String> {
        fields.iter().map(ToString::to_string).collect()
    }

    fn repository() -> Name {
        "blog".parse().unwrap()
    }

    #[test]
    fn fields_of_groups_and_slices_are_named_and_lines_of_the_editor_are_not() {
        let fields: Vec<FieldPlace> = fields_of([author()]).into_iter().collect();
        assert_eq!(
            names(&fields),
            ["types.author: body.aside.primary.person", "types.author: name", "types.author: rows.phone"]
        );
    }

    #[test]
    fn what_is_missing_is_added_to_the_tables_that_are_there_and_nothing_else_changes() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("privacy/classification.toml");
        let fields = fields_of([author()]);
        let all: Vec<FieldPlace> = fields.iter().cloned().collect();
        assert_eq!(Classification::load(&file, &Limits::default()).unwrap(), None);
        let added = Classification::write_missing(&file, &all, &Limits::default()).unwrap();
        assert_eq!(added.fields, all);
        let read = Classification::load(&file, &Limits::default()).unwrap().unwrap();
        assert_eq!(read.coverage(&repository(), &fields).unclassified, all, "none is decided");

        let text = "# ours\n[types.author] # staff\nname = \"name\" # of the person\n\n[slices.quote]\n\"default.primary.text\" = \"none\"\n";
        replace(&file, text).unwrap();
        let added = Classification::write_missing(&file, &all, &Limits::default()).unwrap();
        assert_eq!(added.fields.len(), 2);
        let now = std::fs::read_to_string(&file).unwrap();
        let kept: Vec<&str> = now.lines().filter(|line| !line.ends_with("= \"?\"")).collect();
        assert_eq!(kept, text.lines().collect::<Vec<_>>());
        let read = Classification::load(&file, &Limits::default()).unwrap().unwrap();
        let coverage = read.coverage(&repository(), &fields);
        assert_eq!((coverage.classified, coverage.unclassified.len()), (1, 2));
        assert_eq!(names(&coverage.unknown), ["slices.quote: default.primary.text"]);
    }

    #[test]
    fn a_repository_may_say_something_else() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("c.toml");
        replace(
            &file,
            "[types.author]\nname = \"name\"\nrows.phone = \"contact\"\n[repositories.shop.types.author]\nname = \"none\"\n",
        )
        .unwrap();
        let read = Classification::load(&file, &Limits::default()).unwrap().unwrap();
        let field =
            |field: &str| FieldPlace { owner: Owner::Types, id: "author".into(), field: field.into() };
        assert_eq!(read.class(&repository(), &field("name")), Some(Class::Name));
        assert_eq!(read.class(&"shop".parse().unwrap(), &field("name")), Some(Class::None));
        assert_eq!(read.class(&"shop".parse().unwrap(), &field("rows.phone")), Some(Class::Contact));
        assert_eq!(read.class(&repository(), &field("email")), None);
    }

    #[test]
    fn mistakes_are_told_with_their_line() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("c.toml");
        for (text, line, word) in [
            ("[types.author]\nname = \"nam\"\n", 2, "none of none, name"),
            ("[type.author]\n", 1, "did you mean"),
            ("[types.author]\nname = 3\n", 2, "name"),
            ("[repositories.\"a b\".types.x]\n", 1, "name"),
        ] {
            replace(&file, text).unwrap();
            let error = Classification::load(&file, &Limits::default()).unwrap_err().to_string();
            assert!(error.contains(word) && error.contains(&format!(":{line}")), "{text}: {error}");
        }
    }
}
