//! Text put where markup is read: nothing that somebody wrote may become any.

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_stays_text() {
        assert_eq!(html("<a href=\"'x'\">&"), "&lt;a href=&quot;&#39;x&#39;&quot;&gt;&amp;");
    }
}
