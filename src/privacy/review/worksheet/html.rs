//! Worksheets as a page: opened in a browser, filled in, saved, and sent back. It asks nothing of any
//! network, and its policy forbids it to.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{Mistake, Purpose, RawRow, Worksheet, cell_of, cell_of_words};
use crate::escape;
use crate::privacy::review::Decision;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
/// Begins what is read back.
const MARKER: &str = "<script type=\"application/json\" id=\"answers\">";
const MARKER_END: &str = "</script>";

/// What is read back.
#[derive(Serialize, Deserialize)]
struct Answers {
    case: String,
    sheet: String,
    rows: Vec<AnswerRow>,
}

#[derive(Serialize, Deserialize)]
struct AnswerRow {
    row: String,
    decision: String,
    #[serde(default)]
    ground: String,
    #[serde(default)]
    redact: String,
}

pub(super) fn write(sheet: &Worksheet<'_>) -> String {
    let answers = Answers {
        case: sheet.case.to_string(),
        sheet: sheet.purpose.name().to_owned(),
        rows: sheet
            .rows
            .iter()
            .map(|row| AnswerRow {
                row: cell_of(&row.key),
                decision: row.decision.map(Decision::name).unwrap_or_default().to_owned(),
                ground: row.ground.clone(),
                redact: cell_of_words(&row.redact),
            })
            .collect(),
    };
    // A text that ends the element would be read as markup.
    let answers = serde_json::to_string(&answers).expect("rows always serialise").replace('<', "\\u003c");
    let title = match sheet.purpose {
        Purpose::Review => format!("What was found in case {}", sheet.case),
        Purpose::Check => format!("A second look at case {}", sheet.case),
    };
    let mut page = String::new();
    let mut put = |text: std::fmt::Arguments<'_>| page.write_fmt(text).expect("strings take everything");
    put(format_args!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'\">\n\
         <meta name=\"viewport\" content=\"width=device-width\"><meta name=\"robots\" content=\"noindex\">\n\
         <title>{}</title><style>{STYLE}</style></head>\n<body data-file=\"worksheet-{}.html\">\n",
        hash(STYLE),
        hash(SCRIPT),
        escape::html(&title),
        escape::html(sheet.case.as_str()),
    ));
    put(format_args!("<h1>{}</h1>\n{}\n", escape::html(&title), EXPLANATION));
    if sheet.purpose == Purpose::Review {
        put(format_args!("<ul>\n"));
        for decision in Decision::ALL {
            put(format_args!("<li><b>{}</b>: {}</li>\n", decision.name(), decision.words()));
        }
        put(format_args!("</ul>\n"));
    } else {
        put(format_args!("<p>{CHECK}</p>\n"));
    }
    put(format_args!(
        "<div class=\"bar\"><button id=\"save\" type=\"button\">Save the worksheet</button> <span id=\"left\" role=\"status\"></span></div>\n"
    ));
    for (at, rows) in sheet.rows.chunk_by(|a, b| a.document == b.document).enumerate() {
        let Some(first) = rows.first() else { continue };
        put(format_args!(
            "<section aria-labelledby=\"d{at}\"><h2 id=\"d{at}\" dir=\"auto\">{}: {}</h2>\n<p><label>Set all that are open here: {}</label></p>\n\
             <table><thead><tr><th scope=\"col\">Where</th><th scope=\"col\">Text</th><th scope=\"col\">Evidence</th><th scope=\"col\">Seen</th><th scope=\"col\">Decision</th><th scope=\"col\">Ground or remark</th><th scope=\"col\">Words of others to hide</th></tr></thead><tbody>\n",
            escape::html(&first.repository),
            escape::html(&first.document),
            select("all", ""),
        ));
        for row in rows {
            put(format_args!(
                "<tr data-row=\"{}\"><td dir=\"auto\">{}</td><td dir=\"auto\">{}</td><td>{}</td><td>{} – {}</td><td>{}</td>\
                 <td><input name=\"ground\" aria-label=\"Ground or remark\"></td><td><input name=\"redact\" aria-label=\"Words to hide, with | between\"></td></tr>\n",
                cell_of(&row.key),
                escape::html(&row.place),
                escape::html(&row.text),
                escape::html(&row.evidence),
                escape::html(&row.first),
                escape::html(&row.last),
                select("decision", "Decision"),
            ));
        }
        put(format_args!("</tbody></table></section>\n"));
    }
    put(format_args!("{MARKER}{answers}{MARKER_END}\n<script>{SCRIPT}</script>\n</body></html>\n"));
    page
}

const EXPLANATION: &str = "<p>This page holds personal data: keep it where only those can read it who work on \
     the case, and delete it when it was taken in. Choose a decision for each row, then save; the saved page is \
     what comes back: <code>prismvault privacy review CASE --from FILE</code>. Letters of words that may name \
     people are hidden unless the worksheet was written to show them.</p>\n<noscript><p><b>Scripts are switched off \
     in this browser: the page cannot be saved. Write the worksheet as CSV instead.</b></p></noscript>";
const CHECK: &str = "Somebody decided these already; what, is not shown. Say what you see.";

fn select(name: &str, label: &str) -> String {
    let mut out = format!("<select name=\"{name}\"");
    if !label.is_empty() {
        out.push_str(&format!(" aria-label=\"{label}\""));
    }
    out.push_str("><option value=\"\"></option>");
    for decision in Decision::ALL {
        out.push_str(&format!("<option value=\"{0}\">{0}</option>", decision.name()));
    }
    out + "</select>"
}

/// How a policy names a script or style.
fn hash(text: &str) -> String {
    BASE64.encode(Sha256::digest(text.as_bytes()))
}

/// Whether a file is a page and not a table.
pub(super) fn is_one(text: &str) -> bool {
    text.trim_start().starts_with('<')
}

/// Reads the answers out of a page.
///
/// # Errors
///
/// When they are not there.
pub(super) fn read(text: &str) -> Result<Vec<RawRow>, Vec<Mistake>> {
    let answers = text.split_once(MARKER).and_then(|(_, rest)| rest.split_once(MARKER_END));
    // What serde says may quote what it read.
    let answers = answers.and_then(|(answers, _)| serde_json::from_str::<Answers>(answers).ok());
    let Some(Answers { case, sheet, rows }) = answers else {
        return Err(Mistake::file(
            "the page holds no answers: send back the file that the button `Save the worksheet` made",
        ));
    };
    let raw = |(number, row): (u64, AnswerRow)| RawRow {
        number,
        key: row.row,
        case: case.clone(),
        purpose: sheet.clone(),
        decision: row.decision,
        ground: row.ground,
        redact: row.redact,
    };
    Ok((1..).zip(rows).map(raw).collect())
}
