//! `include = ["repositories.d/*.toml"]`: which files a pattern means.
//!
//! A pattern is a path with any number of `*` in its last part, where shells would expand them
//! too: `*` stands for any characters, and a file whose name begins with a dot needs a pattern
//! that does. That is all that configurations need, so there is no dependency for it.

use std::io;
use std::path::{Path, PathBuf};

/// Why a pattern gives no files.
#[derive(Debug)]
pub(crate) enum PatternError {
    /// The pattern itself is not usable, for this reason.
    Invalid(&'static str),
    /// The directory cannot be listed.
    Unreadable(io::Error),
}

/// Returns the files that `pattern` means, sorted; relative ones from `directory`.
///
/// A pattern without `*` is one file, there or not; one with `*` may match none, also when its
/// directory does not exist.
pub(crate) fn expand(pattern: &str, directory: &Path) -> Result<Vec<PathBuf>, PatternError> {
    let path = directory.join(pattern);
    let (Some(parent), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
        return Err(PatternError::Invalid("does not name a file"));
    };
    if pattern.ends_with('/') {
        return Err(PatternError::Invalid("names a directory, add \"*.toml\""));
    }
    if Path::new(pattern).parent().is_some_and(|parent| parent.to_string_lossy().contains('*')) {
        return Err(PatternError::Invalid("may have \"*\" in the file name only"));
    }
    if !name.contains('*') {
        return Ok(vec![path]);
    }
    let listing = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
    let entries = match std::fs::read_dir(listing) {
        Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(PatternError::Unreadable)?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry.map_err(PatternError::Unreadable)?;
        let matching = entry.file_name().to_str().is_some_and(|found| matches(name, found));
        if matching && !entry.path().is_dir() {
            files.push(parent.join(entry.file_name()));
        }
    }
    files.sort();
    Ok(files)
}

/// Whether `name` has the form of `pattern`, in which `*` stands for any characters.
fn matches(pattern: &str, name: &str) -> bool {
    if name.starts_with('.') && !pattern.starts_with('.') {
        return false;
    }
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<_> = parts.collect();
    let Some(last) = parts.pop() else {
        return rest.is_empty();
    };
    // Taking the first place where each part fits leaves the most for what follows.
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, name, expected) in [
            ("*.toml", "a.toml", true),
            ("*.toml", ".toml", false),
            ("*.toml", ".hidden.toml", false),
            (".*", ".hidden", true),
            ("*.toml", "a.toml~", false),
            ("a*b*c", "abc", true),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "acb", false),
            ("a*a", "a", false),
            ("*", "anything", true),
            ("**", "anything", true),
            ("a", "a", true),
            ("a", "ab", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn files_come_sorted_and_directories_are_left_out() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["b.toml", "a.toml", "c.txt"] {
            std::fs::File::create(directory.path().join(name)).unwrap();
        }
        std::fs::create_dir(directory.path().join("d.toml")).unwrap();
        let found = expand("*.toml", directory.path()).unwrap();
        assert_eq!(found, ["a.toml", "b.toml"].map(|name| directory.path().join(name)));
        assert!(expand("no-such-directory/*.toml", directory.path()).unwrap().is_empty());
    }

    #[test]
    fn patterns_that_cannot_mean_files_are_refused() {
        for pattern in ["..", "/", "some.d/", "*/clients.toml", "a*/b*.toml"] {
            let result = expand(pattern, Path::new("/nowhere"));
            assert!(matches!(result, Err(PatternError::Invalid(_))), "{pattern}: {result:?}");
        }
    }
}
