//! A review as a sheet that people fill in: CSV for spreadsheets, Markdown for tickets and wikis.
//!
//! What members wrote goes into cells of other people's spreadsheets: a cell that a spreadsheet
//! would take for a formula begins with an apostrophe, and nothing is markup in Markdown.

use super::review::{Review, ReviewLine, TokenAge, TokenState};
use crate::clock::rfc3339;
use crate::spreadsheet;

/// What is to be written into the last column.
const DECISION: &str = "decision (keep, change, remove)";

impl Review {
    /// The review as a table: remarks, tokens, and a line for every member, for spreadsheets.
    pub fn to_csv(&self) -> String {
        let mut sheet = String::new();
        let mut row = |cells: [&str; 8]| {
            let cells: Vec<String> = cells.into_iter().map(csv_cell).collect();
            sheet.push_str(&cells.join(","));
            sheet.push_str("\r\n");
        };
        row(["what", "repository", "name", "e-mail", "role", "since the list before", "remark", DECISION]);
        let repository = self.repository.as_str();
        for remark in &self.remarks {
            let text = format!("{}: {}", remark.what, remark.next);
            row(["remark", repository, "", "", "", "", &text, ""]);
        }
        for token in &self.tokens {
            row(["token", repository, &token.name, "", "", "", &age(token), ""]);
        }
        for line in &self.lines {
            let ReviewLine { name, email, roles, change, note, is_member } = line;
            let what = if *is_member { "member" } else { "left" };
            row([what, repository, name, email, roles, change, note, ""]);
        }
        sheet
    }

    /// The review as a page.
    pub fn to_markdown(&self) -> String {
        let day = |at| rfc3339(at).get(..10).unwrap_or_default().to_owned();
        let mut page = format!("# Access review of {}\n\n", markdown_cell(&self.repository));
        page.push_str(&format!("List of members of {}", day(self.listed)));
        page.push_str(&match self.before {
            Some(before) => format!(", compared with that of {}.\n\n", day(before)),
            None => "; there is none before it to compare with.\n\n".to_owned(),
        });
        page.push_str("## What stands out\n\n");
        if self.remarks.is_empty() {
            page.push_str("Nothing.\n");
        }
        for remark in &self.remarks {
            page.push_str(&format!("- {}: {}\n", markdown_cell(&remark.what), markdown_cell(&remark.next)));
        }
        let mut table = |title: &str, header: &[&str], rows: Vec<Vec<String>>| {
            if rows.is_empty() {
                return;
            }
            page.push_str(&format!("\n## {title}\n\n| {} |\n", header.join(" | ")));
            page.push_str(&format!("|{}\n", " --- |".repeat(header.len())));
            for row in rows {
                let cells: Vec<String> = row.iter().map(|cell| markdown_cell(cell)).collect();
                page.push_str(&format!("| {} |\n", cells.join(" | ")));
            }
        };
        let row = |line: &ReviewLine| {
            let ReviewLine { name, email, roles, change, note, .. } = line;
            [name, email, roles, change, note].into_iter().cloned().chain([String::new()]).collect()
        };
        let (members, left): (Vec<&ReviewLine>, Vec<&ReviewLine>) =
            self.lines.iter().partition(|line| line.is_member);
        let header = ["name", "e-mail", "role", "since the list before", "remark", DECISION];
        table("Members", &header, members.into_iter().map(row).collect());
        table(
            "Left since the list before",
            &header[..5],
            left.into_iter()
                .map(|line| {
                    let mut cells: Vec<String> = row(line);
                    cells.pop();
                    cells
                })
                .collect(),
        );
        let token = |token: &TokenAge| vec![token.name.clone(), age(token), String::new()];
        table(
            "Tokens",
            &["token", "age", "decision (keep, replace)"],
            self.tokens.iter().map(token).collect(),
        );
        page.push_str("\nReviewed by: ____________________  Date: ____________\n");
        page
    }
}

fn age(token: &TokenAge) -> String {
    match (token.state, token.days) {
        (TokenState::Unknown, _) | (_, None) => "age not known".to_owned(),
        (TokenState::Old, Some(days)) => format!("{days} days: too old"),
        (TokenState::Fresh, Some(days)) => format!("{days} days"),
    }
}

/// A quoted cell of RFC 4180. What a spreadsheet would compute is made text.
fn csv_cell(text: &str) -> String {
    format!("\"{}\"", spreadsheet::cell(text).replace('"', "\"\""))
}

/// Text in which nothing is markup, on one line.
fn markdown_cell(text: &str) -> String {
    let mut cell = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => cell.push_str("&amp;"),
            '<' => cell.push_str("&lt;"),
            '>' => cell.push_str("&gt;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '!' | '~' => cell.extend(['\\', char]),
            char if char.is_control() => cell.push(' '),
            char => cell.push(char),
        }
    }
    cell
}

#[cfg(test)]
mod tests {
    use crate::access::{TokenAge, parse, review};
    use crate::limits::Limits;

    fn sheets(rows: &str) -> (String, String) {
        let limits = Limits::default();
        let list = parse(format!("name,email,role\n{rows}").as_bytes(), &limits).unwrap();
        let now = "2026-03-01T00:00:00Z".parse().unwrap();
        let tokens = vec![TokenAge::of("write_token", None, now, &limits)];
        let review = review("blog", (now, &list), None, tokens, now, &limits);
        (review.to_csv(), review.to_markdown())
    }

    #[test]
    fn no_cell_is_a_formula_or_breaks_out_of_its_place() {
        let (csv, _) = sheets(
            "\"=HYPERLINK(\"\"http://evil\"\")\",a@x,Owner\n+1,b@x,Guest\n\"a,\"\"b\"\";c\",-e@x,@SUM(A1)\n",
        );
        let mut reader = csv::ReaderBuilder::new().from_reader(csv.as_bytes());
        let records: Vec<_> = reader.records().map(Result::unwrap).collect();
        let cells: Vec<&str> = records.iter().flat_map(csv::StringRecord::iter).collect();
        assert!(cells.iter().all(|cell| !cell.starts_with(['=', '+', '-', '@'])), "{cells:?}");
        for cell in ["'=HYPERLINK(\"http://evil\")", "'+1", "a,\"b\";c", "'-e@x", "'@SUM(A1)"] {
            assert!(cells.contains(&cell), "{cell}: {cells:?}");
        }
    }

    #[test]
    fn every_member_has_a_row_with_an_empty_decision() {
        let (csv, page) = sheets("Anna Beck,anna@acme.example,Owner\nZoé,zoe@acme.example,Writer (fr-fr)\n");
        assert!(csv.starts_with("\"what\",\"repository\",\"name\",\"e-mail\",\"role\","), "{csv}");
        assert!(csv.contains(
            "\"member\",\"blog\",\"Zoé\",\"zoe@acme.example\",\"Writer (fr-fr)\",\"\",\"\",\"\"\r\n"
        ));
        assert!(
            csv.contains("\"token\",\"blog\",\"write_token\",\"\",\"\",\"\",\"age not known\",\"\""),
            "{csv}"
        );
        assert!(page.contains("| Anna Beck | anna@acme.example | Owner |  |  |  |\n"), "{page}");
        assert!(page.contains("keep, change, remove"), "{page}");
    }

    #[test]
    fn nothing_that_members_wrote_is_markup() {
        let (_, page) = sheets("<script>|`x`[a](b),a@x,*SEO*\n");
        assert!(page.contains("| &lt;script&gt;\\|\\`x\\`\\[a\\](b) | a@x | \\*SEO\\* |"), "{page}");
    }
}
