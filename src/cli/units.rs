//! Sizes and durations as people read them.

pub use crate::clock::human_duration;

/// Writes a number with its noun in the right number: `1 gap`, `2 gaps`, `0 repositories`. `noun`
/// is the singular; one that ends with a consonant and y is bent as English does.
pub fn counted(count: u64, noun: &str) -> String {
    let vowel = |char: char| "aeiou".contains(char);
    match (count, noun.strip_suffix('y')) {
        (1, _) => format!("1 {noun}"),
        (_, Some(stem)) if !stem.ends_with(vowel) => format!("{count} {stem}ies"),
        _ => format!("{count} {noun}s"),
    }
}

/// Writes a size in binary units: `0 B`, `999 B`, `1.5 KiB`, `32.0 MiB`.
pub fn human_bytes(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut size = bytes as f64 / 1024.0;
    let mut unit = 0;
    // 1023.95 would be printed as 1024.0.
    while size >= 1023.95 && unit + 1 < UNITS.len() {
        size /= 1024.0;
        unit += 1;
    }
    format!("{size:.1} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn nouns_agree_with_their_number() {
        for (count, noun, expected) in [
            (1, "accepted gap", "1 accepted gap"),
            (0, "accepted gap", "0 accepted gaps"),
            (2, "repository", "2 repositories"),
            (1, "repository", "1 repository"),
            (2, "key", "2 keys"),
        ] {
            assert_eq!(counted(count, noun), expected);
        }
    }

    #[test]
    fn sizes_are_short() {
        for (bytes, expected) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            ((1 << 20) - 1, "1.0 MiB"),
            (32 << 20, "32.0 MiB"),
            (u64::MAX, "16.0 EiB"),
        ] {
            assert_eq!(human_bytes(bytes), expected);
        }
    }

    #[test]
    fn durations_are_short() {
        for (seconds, expected) in [
            (0.0, "0.0 s"),
            (0.34, "0.3 s"),
            (9.99, "9.9 s"),
            (59.9, "59 s"),
            (185.0, "3 min 05 s"),
            (7_830.0, "2 h 10 min"),
            (273_600.0, "3 d 4 h"),
        ] {
            assert_eq!(human_duration(Duration::from_secs_f64(seconds)), expected);
        }
    }
}
