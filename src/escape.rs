//! Text put where markup or formulas are read: nothing that somebody wrote may become either.

/// Returns text as it is written between tags and in quoted attributes of HTML and XML.
pub fn html(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            char => escaped.push(char),
        }
    }
    escaped
}

/// Returns text as a cell that no spreadsheet takes for a formula: what one would compute gets an
/// apostrophe in front (OWASP, "CSV Injection"). Quotes of CSV are somebody else's work.
pub fn spreadsheet(text: &str) -> String {
    match is_formula(text) {
        true => format!("'{text}"),
        false => text.to_owned(),
    }
}

/// Returns what [`spreadsheet`] was given.
pub fn from_spreadsheet(cell: &str) -> &str {
    cell.strip_prefix('\'').filter(|rest| is_formula(rest)).unwrap_or(cell)
}

/// Whether a spreadsheet would compute it, in the signs of any keyboard.
fn is_formula(text: &str) -> bool {
    let computed = |char| matches!(char, '=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠');
    text.starts_with(['\t', '\r', '\n']) || text.trim_start().starts_with(computed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_and_formulas_stay_text() {
        assert_eq!(html("<a href=\"'x'\">&"), "&lt;a href=&quot;&#39;x&#39;&quot;&gt;&amp;");
        for text in ["=1+1", "@SUM", "-2", "+49 30", "\t=1", " ＝1", "plain", "'quoted", "'"] {
            let cell = spreadsheet(text);
            assert!(!is_formula(&cell), "{cell}");
            assert_eq!(from_spreadsheet(&cell), text);
        }
    }
}
