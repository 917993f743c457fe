//! Reads what is wrong and what is right, as somebody wrote it down.

use std::io::Read as _;
use std::path::Path;

use crate::cli::error::{CommandError, ErrorKind};
use crate::privacy::erasure::correct::Correction;

/// Bytes of a file of corrections that are read.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Reads pairs of lines: `wrong: …` and under it `right: …`. Empty lines and lines that begin with # say nothing.
pub(super) fn read(file: &Path) -> Result<Vec<Correction>, CommandError> {
    let failed =
        |error| CommandError::because(ErrorKind::Usage, format!("cannot read {}", file.display()), error);
    let mut text = String::new();
    let opened = std::fs::File::open(file).map_err(failed)?;
    opened.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(failed)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        let why = format!("{} is too large for a list of corrections", file.display());
        return Err(CommandError::new(ErrorKind::Usage, why));
    }
    parsed(&text).map_err(|(number, why)| {
        // The line itself is personal data: it is not repeated.
        CommandError::new(ErrorKind::Usage, format!("line {number} of {}: {why}", file.display()))
            .hint("write `wrong: what stands there`, and under it `right: what is to stand there`")
    })
}

fn parsed(text: &str) -> Result<Vec<Correction>, (usize, &'static str)> {
    let mut corrections = Vec::new();
    let mut wrong: Option<(usize, String)> = None;
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim().is_empty() || line.trim_start().starts_with('#') {
            continue;
        }
        let (kind, value) = line.split_once(':').ok_or((number, "there is no colon in it"))?;
        let value = value.trim().to_owned();
        match (kind.trim(), wrong.take()) {
            ("wrong", None) => wrong = Some((number, value)),
            ("wrong", Some(_)) => return Err((number, "the wrong value above it has no right one")),
            ("right", Some((_, wrong))) => corrections.push(Correction { wrong, right: value }),
            ("right", None) => return Err((number, "there is no wrong value above it")),
            _ => return Err((number, "it begins with neither `wrong:` nor `right:`")),
        }
    }
    match wrong {
        Some((number, _)) => Err((number, "it has no right value under it")),
        None => Ok(corrections),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_of_lines_are_read_and_anything_else_is_told_by_its_number() {
        let good = "# from the letter\nwrong: Chair: interim\nright: Chair\n\n wrong: x1 \nright:\n";
        let read = parsed(good).unwrap();
        let texts: Vec<_> = read.iter().map(|one| (one.wrong.as_str(), one.right.as_str())).collect();
        assert_eq!(texts, [("Chair: interim", "Chair"), ("x1", "")]);
        for (text, number) in [
            ("wrong: a\nwrong: b\n", 2),
            ("right: a\n", 1),
            ("wrong: a\n", 1),
            ("wrong: a\nnothing\n", 2),
            ("wrong: a\nleft: b\n", 2),
        ] {
            assert_eq!(parsed(text).unwrap_err().0, number, "{text}");
        }
    }
}
