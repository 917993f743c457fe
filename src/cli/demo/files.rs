//! Looking at directories, and breaking what is in them.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

/// Returns the files below a directory with their sizes, by path with `/` between its parts.
pub(super) fn list(directory: &Path) -> io::Result<BTreeMap<String, u64>> {
    let mut found = BTreeMap::new();
    let mut waiting: Vec<(PathBuf, String)> = vec![(directory.to_owned(), String::new())];
    while let Some((path, prefix)) = waiting.pop() {
        for entry in fs::read_dir(&path)? {
            let entry = entry?;
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            let metadata = entry.metadata()?;
            if metadata.is_dir() {
                waiting.push((entry.path(), format!("{name}/")));
            } else {
                found.insert(name, metadata.len());
            }
        }
    }
    Ok(found)
}

/// Flips one bit of the byte in the middle of a file, in place. Returns where that byte is.
pub(super) fn flip_a_bit(file: &Path) -> io::Result<u64> {
    let mut file = File::options().read(true).write(true).open(file)?;
    let at = file.metadata()?.len() / 2;
    let mut byte = [0];
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(&mut byte)?;
    file.seek(SeekFrom::Start(at))?;
    file.write_all(&[byte[0] ^ 1])?;
    file.sync_all()?;
    Ok(at)
}
