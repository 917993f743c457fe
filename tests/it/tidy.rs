//! Rules of the house that the compiler does not know.
//!
//! The sources are read as text, comments left out. That is coarse, and enough: a rule that needs
//! a parser would be broken by accident less often than it is misread.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The floors, from the ground up. A module may use those of its own floor and below.
const FLOORS: [&[&str]; 7] = [
    &["clock", "ids", "secret", "progress", "retry", "limits", "escape", "spreadsheet", "markup", "files"],
    &["objects", "prismic", "config"],
    &["vault", "contentapi", "sandbox"],
    &[
        "snapshot",
        "restore",
        "replication",
        "verification",
        "keys",
        "retention",
        "pruning",
        "locks",
        "privacy",
        "standby",
        "access",
        "diff",
        "status",
    ],
    &["drill"],
    &["schedule", "notify"],
    &["cli", "server"],
];

/// Words that may appear only in the files whose path begins so.
const PLACES: &[(&str, &[&str])] = &[
    ("aws_config", &["src/objects/s3"]),
    ("aws_sdk_s3", &["src/objects/s3"]),
    ("aws_smithy_http_client", &["src/objects/s3"]),
    ("axum", &["src/contentapi", "src/sandbox", "src/standby", "src/server"]),
    ("chrono_tz", &["src/config/zone.rs"]),
    ("clap", &["src/cli"]),
    ("clap_complete", &["src/cli"]),
    ("clap_mangen", &["src/cli"]),
    ("indicatif", &["src/cli"]),
    ("tracing_subscriber", &["src/cli"]),
    ("hyper", &["src/server"]),
    ("hyper_util", &["src/server"]),
    ("lettre", &["src/config/notifications.rs", "src/notify"]),
    ("opentelemetry", &["src/cli/traces"]),
    ("opentelemetry_http", &["src/cli/traces"]),
    ("opentelemetry_otlp", &["src/cli/traces"]),
    ("opentelemetry_sdk", &["src/cli/traces"]),
    ("reqwest", &["src/prismic", "src/notify/http.rs", "src/cli/traces/otlp.rs"]),
    ("tracing_opentelemetry", &["src/cli/traces"]),
];

/// Beginnings of object keys, which are spelled in `vault/layout.rs` and nowhere else.
const KEYS: [&str; 6] = ["packs/", "keys/", "index/", "snapshots/", "ledger/", "audit/"];

const LINES_MAX: usize = 700;

/// A source file: its path from the root of the package, and its text.
struct Source {
    path: String,
    text: String,
}

impl Source {
    /// The lines that are not comments, with their numbers.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate().map(|(index, line)| (index + 1, line));
        lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
    }

    /// As [`code`](Self::code), without the unit tests at the end of the file.
    fn code_without_tests(&self) -> impl Iterator<Item = (usize, &str)> {
        let is_test = |line: &str| line.trim_start().starts_with("#[cfg(test)]");
        let end = self.text.lines().zip(self.text.lines().skip(1)).position(|(line, next)| {
            is_test(line) && next.trim_start().starts_with("mod ") && next.trim_end().ends_with('{')
        });
        self.code().filter(move |(line, _)| end.is_none_or(|end| *line <= end))
    }

    /// Name of the module at the top of the house that this file is part of.
    fn module(&self) -> Option<&str> {
        let rest = self.path.strip_prefix("src/")?;
        let name = rest.split('/').next()?;
        let name = name.strip_suffix(".rs").unwrap_or(name);
        (!matches!(name, "lib" | "main")).then_some(name)
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Reads the files below a directory of the package, fixtures left out; all must be text.
fn sources(directory: &str) -> Vec<Source> {
    let mut found = Vec::new();
    let mut waiting: Vec<PathBuf> = vec![root().join(directory)];
    while let Some(path) = waiting.pop() {
        if path.ends_with("tests/fixtures") {
            continue;
        }
        if path.is_dir() {
            waiting.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            let name = path.strip_prefix(root()).unwrap().to_str().unwrap().replace('\\', "/");
            found.push(Source { path: name, text: std::fs::read_to_string(&path).unwrap() });
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn rust_sources(directory: &str) -> Vec<Source> {
    let mut found = sources(directory);
    found.retain(|source| source.path.ends_with(".rs"));
    assert!(!found.is_empty(), "there are sources in {directory}");
    found
}

/// Whether `line` holds `word` as a whole identifier.
fn has_word(line: &str, word: &str) -> bool {
    let part_of_word = |char: char| char.is_ascii_alphanumeric() || char == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        !before.is_some_and(part_of_word) && !after.is_some_and(part_of_word)
    })
}

/// The modules that a text uses by `crate::name` or `crate::{name, …}`.
fn used_modules(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        let name = |text: &str| -> String {
            text.trim_start()
                .chars()
                .take_while(|char| char.is_ascii_alphanumeric() || *char == '_')
                .collect()
        };
        let Some(group) = rest.strip_prefix('{') else {
            names.push(name(rest));
            continue;
        };
        let mut depth = 0;
        let mut start = 0;
        for (index, char) in group.char_indices() {
            match char {
                '{' => depth += 1,
                '}' if depth > 0 => depth -= 1,
                ',' | '}' if depth == 0 => {
                    names.push(name(&group[start..index]));
                    start = index + 1;
                    if char == '}' {
                        break;
                    }
                }
                _ => {}
            }
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

fn floor_of(module: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&module))
}

fn report(mistakes: &[String]) {
    assert!(mistakes.is_empty(), "\n{}", mistakes.join("\n"));
}

#[test]
fn imports_never_go_up() {
    let mut mistakes = Vec::new();
    for source in rust_sources("src") {
        let Some(module) = source.module() else { continue };
        let Some(floor) = floor_of(module) else {
            mistakes.push(format!("{}: module {module:?} has no floor in tests/it/tidy.rs", source.path));
            continue;
        };
        let code: String = source.code().map(|(_, line)| format!("{line}\n")).collect();
        for used in used_modules(&code) {
            match floor_of(&used) {
                Some(other) if other > floor => mistakes
                    .push(format!("{}: floor {floor} uses crate::{used} of floor {other}", source.path)),
                Some(_) => {}
                // Macros and items of the crate itself are not rooms.
                None if used == module => {}
                None => mistakes.push(format!("{}: crate::{used} has no floor", source.path)),
            }
        }
    }
    report(&mistakes);
}

#[test]
fn the_map_of_the_house_shows_every_module_on_its_floor() {
    let library = std::fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let modules: Vec<&str> = library
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ").or_else(|| line.strip_prefix("mod ")))
        .filter_map(|line| line.strip_suffix(';'))
        .collect();
    let mut shown = BTreeMap::new();
    for row in library.lines().filter_map(|line| line.strip_prefix("//! | ")) {
        let mut cells = row.split(" | ");
        let Some(Ok(floor)) = cells.next().map(str::parse::<usize>) else { continue };
        for (at, _) in row.match_indices("[`") {
            let name = row[at + 2..].split('`').next().unwrap();
            if modules.contains(&name) {
                shown.insert(name, floor);
            }
        }
    }
    for module in &modules {
        assert_eq!(shown.get(module).copied(), floor_of(module), "{module} in the table of src/lib.rs");
    }
}

#[test]
fn imports_are_recognised() {
    let text = "use crate::ids::Name;\nuse crate::{clock::{self, Clock}, limits::Limits,\n    secret};\n\
                fn x() { crate::retry::y(); }";
    assert_eq!(used_modules(text), ["ids", "clock", "limits", "secret", "retry"]);
    assert!(has_word("use axum::Router;", "axum") && has_word("axum", "axum"));
    assert!(!has_word("let taxum = axums;", "axum"));
}

#[test]
fn things_stay_in_their_places() {
    let mut mistakes = Vec::new();
    for source in rust_sources("src") {
        for (line, text) in source.code() {
            for (word, places) in PLACES {
                if has_word(text, word) && !places.iter().any(|place| source.path.starts_with(place)) {
                    mistakes.push(format!("{}:{line}: {word} belongs in {}", source.path, places.join(", ")));
                }
            }
        }
    }
    report(&mistakes);
}

/// Paths of the modules that exist in tests only, so that their literals are not the product's.
fn test_modules(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources {
        let directory = match source.path.strip_suffix("/mod.rs") {
            Some(directory) => directory.to_owned(),
            None => source.path.trim_end_matches(".rs").to_owned(),
        };
        let directory = if source.path == "src/lib.rs" { "src".to_owned() } else { directory };
        for (line, next) in source.text.lines().zip(source.text.lines().skip(1)) {
            let name = next.trim().trim_start_matches("pub ").strip_prefix("mod ");
            if let (true, Some(name)) =
                (line.trim() == "#[cfg(test)]", name.and_then(|name| name.strip_suffix(';')))
            {
                found.push(format!("{directory}/{name}"));
            }
        }
    }
    found
}

#[test]
fn object_keys_are_spelled_in_one_file() {
    let sources = rust_sources("src");
    let tests = test_modules(&sources);
    let mut mistakes = Vec::new();
    for source in &sources {
        if source.path == "src/vault/layout.rs" || tests.iter().any(|test| source.path.starts_with(test)) {
            continue;
        }
        for (line, text) in source.code_without_tests() {
            for key in KEYS {
                if text.contains(&format!("\"{key}")) {
                    mistakes
                        .push(format!("{}:{line}: {key:?} is spelled outside vault/layout.rs", source.path));
                }
            }
        }
    }
    report(&mistakes);
}

#[test]
fn files_are_short_enough_to_be_read() {
    let mut mistakes = Vec::new();
    for source in ["src", "tests"].into_iter().flat_map(rust_sources) {
        let lines = source.text.lines().count();
        if lines >= LINES_MAX {
            mistakes.push(format!("{}: {lines} lines, split it by noun", source.path));
        }
    }
    report(&mistakes);
}

#[test]
fn nothing_is_left_for_later() {
    // Written in two halves, so that this file passes its own test.
    let words = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
    let directories = ["src", "tests", "scripts", ".ci", "docs"];
    let mut mistakes = Vec::new();
    for source in directories.into_iter().filter(|name| root().join(name).is_dir()).flat_map(sources_of_text)
    {
        for (index, text) in source.text.lines().enumerate() {
            for word in words.iter().filter(|word| has_word(text, word)) {
                mistakes.push(format!("{}:{}: {word}", source.path, index + 1));
            }
        }
    }
    report(&mistakes);
}

/// As [`sources`], leaving out what is not text: fixtures may be archives.
fn sources_of_text(directory: &str) -> Vec<Source> {
    let fixtures = root().join("tests/fixtures");
    match directory == "tests" && fixtures.is_dir() {
        true => sources("tests/it"),
        false => sources(directory),
    }
}

#[test]
fn no_test_file_is_forgotten() {
    let main = std::fs::read_to_string(root().join("tests/it/main.rs")).unwrap();
    for entry in std::fs::read_dir(root().join("tests/it")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        if name != "main" {
            assert!(main.lines().any(|line| line == format!("mod {name};")), "{name} is not in main.rs");
        }
    }
}
