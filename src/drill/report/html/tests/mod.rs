//! A report with everything, one with nothing, hostile ones and huge ones. Everybody in them is invented.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::{Value, json};

use super::{page, percent, seconds, when};
use crate::drill::page::plain;
use crate::drill::report::Report;
use crate::markup::escaped;

/// A report in which everything is.
pub(crate) const SAMPLE: &str = include_str!("sample.json");

fn sample() -> Value {
    let mut sample: Value = serde_json::from_str(SAMPLE).unwrap();
    sample["incident"] = json!({
        "struck": "2026-11-20T08:00:00Z",
        "aware": "2026-11-20T08:40:00Z",
        "communications": [
            { "id": "authority", "to": "Supervisory authority", "why": "GDPR Art. 33", "due": "2026-11-23T08:40:00Z" },
            { "id": "persons", "to": "Persons concerned", "why": "GDPR Art. 34" },
            {
                "id": "contacts-blog", "to": "dr@example.org", "why": "the plan",
                "due": "2026-11-20T09:40:00Z", "done": "2026-11-20T10:10:00Z"
            },
        ],
    });
    sample
}

/// A report of which nothing is known.
fn nothing() -> Value {
    json!({
        "schema": 1, "drill": "20261120T100000Z-1a2b3c4d", "vault": "0f".repeat(16), "plan": "weekly",
        "title": "Nothing", "real": false, "result": "abandoned", "outcome": "It was killed.",
        "began": "2026-11-20T10:00:00Z", "ended": "2026-11-20T10:00:00Z", "took_ms": 0,
        "plan_sha256": "a".repeat(64), "criteria_sha256": "b".repeat(64),
        "environment": {
            "tool": "", "configuration": "c".repeat(64), "host": "", "target": "standby",
            "isolation": [], "replicas": [], "identities": [],
        },
        "scenario": [], "exclusions": [], "limits": [], "participants": [], "contacts": [], "repositories": [],
        "objectives": [], "phases": [], "checks": [], "timeline": [], "gates": [], "deviations": [],
        "findings": [], "cleaned": [], "earlier": [], "abandoned": [],
    })
}

fn report(value: &Value) -> Report {
    serde_json::from_value(value.clone()).unwrap()
}

fn shown(value: &Value) -> String {
    page(&report(value), &|_| None)
}

/// Every string and number of a report, by its place.
fn leaves(value: &Value, at: &str, all: &mut Vec<String>) {
    match value {
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(n, one)| leaves(one, &format!("{at}/{n}"), all));
        }
        Value::Object(map) => map.iter().for_each(|(key, one)| leaves(one, &format!("{at}/{key}"), all)),
        Value::String(_) | Value::Number(_) => all.push(at.to_owned()),
        _ => {}
    }
}

/// The report with another value at each place that takes one.
fn replaced(mut value: Value, other: impl Fn(usize, &str, &Value) -> Option<Value>) -> Value {
    let mut all = Vec::new();
    leaves(&value, "", &mut all);
    for (number, at) in all.iter().enumerate() {
        let own = value.pointer(at).unwrap().clone();
        let Some(new) = other(number, at, &own) else { continue };
        *value.pointer_mut(at).unwrap() = new;
        if serde_json::from_value::<Report>(value.clone()).is_err() {
            *value.pointer_mut(at).unwrap() = own;
        }
    }
    value
}

fn key(at: &str) -> &str {
    at.rsplit('/').find(|part| part.parse::<usize>().is_err()).unwrap_or_default()
}

#[test]
fn every_number_and_every_text_of_a_report_is_in_its_page() {
    let value = replaced(sample(), |number, at, own| match own {
        Value::String(_) => Some(json!(format!("text <{number}>"))),
        _ if key(at) == "fidelity" => Some(json!(0.5 + number as f64 / 10_000.0)),
        _ if key(at) == "limit" || key(at) == "schema" => None,
        _ => Some(json!(40_000 + number)),
    });
    let page = shown(&value);
    let mut all = Vec::new();
    leaves(&value, "", &mut all);
    let mut texts = 0;
    for at in &all {
        let expected = match value.pointer(at).unwrap() {
            Value::String(text) if text.starts_with("text <") => {
                texts += 1;
                text.clone()
            }
            // Names of this program, which have words of their own.
            Value::String(_) if matches!(key(at), "light" | "result" | "ended" | "standing" | "severity") => {
                continue;
            }
            Value::String(text) if matches!(key(at), "rating") => text.replace('-', " "),
            Value::String(text) => when(text),
            _ if key(at) == "limit" || key(at) == "schema" => continue,
            Value::Number(number) if key(at) == "fidelity" => percent(number.as_f64().unwrap()),
            Value::Number(number) if key(at).ends_with("_ms") => seconds(number.as_u64().unwrap()),
            number => number.to_string(),
        };
        assert!(page.contains(&escaped(&expected)), "{at}: {expected}");
    }
    assert!(texts > 150, "{texts} texts were looked for");
}

#[test]
fn nothing_that_stands_in_a_report_becomes_part_of_the_page() {
    let evil = "\"'><img src=x onerror=alert(1)><script>alert(2)</script></style>\u{202e}txt.exe\u{2066}&#60;\u{0}\u{1b}[31m";
    let long = "w".repeat(100_000);
    let value = replaced(sample(), |number, _, own| match own {
        Value::String(_) if number % 40 == 0 => Some(json!(format!("{evil}{long}"))),
        Value::String(_) => Some(json!(evil)),
        _ => None,
    });
    let page = shown(&value);
    let allowed = [
        "!DOCTYPE",
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "main",
        "h1",
        "h2",
        "h3",
        "p",
        "ul",
        "li",
        "dl",
        "dt",
        "dd",
        "nav",
        "a",
        "section",
        "div",
        "table",
        "caption",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "span",
        "svg",
        "path",
        "circle",
        "rect",
        "line",
        "text",
        "desc",
        "figure",
        "figcaption",
        "br",
        "wbr",
    ];
    for tag in page.split('<').skip(1) {
        let name: String =
            tag.trim_start_matches('/').chars().take_while(|c| c.is_alphanumeric() || *c == '!').collect();
        assert!(allowed.contains(&name.as_str()), "<{name}");
    }
    for bad in ["<img", "<script", "onerror=alert(1)>", "\u{202e}", "\u{2066}", "\u{0}", "\u{1b}", "'><"] {
        assert!(!page.contains(bad), "{bad:?}");
    }
    assert_eq!(page.matches("</style>").count(), 1);
    assert!(page.contains("&lt;script&gt;") && page.contains("more characters"));
    assert!(page.len() < 3 << 20, "{} bytes", page.len());
    // Every attribute is closed where it should be: no quote of a report is one of the page.
    for tag in page.split('<').skip(1).filter_map(|rest| rest.split('>').next()) {
        assert!(tag.matches('"').count() % 2 == 0, "<{tag}>");
    }
}

/// Marks by kind: good, warn, bad, none.
fn marks(page: &str) -> BTreeMap<&'static str, usize> {
    ["good", "warn", "bad", "none"]
        .map(|kind| (kind, page.matches(&format!("class=\"mark {kind}\"")).count()))
        .into()
}

/// A report with everything in which nothing is green.
fn without_green() -> Value {
    let mut value = replaced(sample(), |_, at, _| match key(at) {
        "light" => Some(json!("grey")),
        "result" => Some(json!("failed")),
        "ended" if at.starts_with("/phases") => Some(json!("skipped")),
        "standing" => Some(json!("not-reached")),
        "rating" => Some(json!("some-challenges")),
        _ => None,
    });
    for own in value["cleaned"].as_array_mut().unwrap() {
        own["gone"] = json!(false);
    }
    for own in value["incident"]["communications"].as_array_mut().unwrap() {
        own.as_object_mut().unwrap().remove("done");
    }
    value
}

#[test]
fn nothing_is_green_that_is_not_green_in_the_report() {
    let value = without_green();
    let good =
        |value: &Value| (marks(&shown(value))["good"], shown(value).matches("<li class=\"good\">").count());
    assert_eq!(good(&value), (0, 0));
    assert_eq!(good(&nothing()), (0, 0));
    for (at, green, marks, cards) in [
        ("/checks/0/light", json!("green"), 1, 0),
        // In the table, and on its card.
        ("/objectives/0/light", json!("green"), 2, 1),
        // And in the part about erasure.
        ("/objectives/3/light", json!("green"), 3, 1),
        ("/gates/0/standing", json!("passed"), 1, 0),
        ("/phases/2/ended", json!("good"), 1, 0),
        ("/cleaned/0/gone", json!(true), 1, 0),
        ("/tabletop/0/rating", json!("performed"), 1, 0),
        // At the head, and among the drills of the plan.
        ("/result", json!("passed"), 2, 0),
    ] {
        let mut value = value.clone();
        *value.pointer_mut(at).unwrap() = green;
        assert_eq!(good(&value), (marks, cards), "{at}");
    }
    // Cards are green when all of it is.
    let mut all = value;
    for own in all["checks"].as_array_mut().unwrap() {
        own["light"] = json!("green");
    }
    for own in all["gates"].as_array_mut().unwrap() {
        own["standing"] = json!("passed");
    }
    for own in all["cleaned"].as_array_mut().unwrap() {
        own["gone"] = json!(true);
    }
    assert_eq!(good(&all).1, 3);
    all["checks"][3]["light"] = json!("grey");
    assert_eq!(good(&all).1, 2, "what was not looked at is not green");
}

#[test]
fn a_report_of_nothing_says_that_there_is_nothing() {
    let page = shown(&nothing());
    for words in [
        "abandoned",
        "No repository was recovered",
        "there is no time to recover",
        "Nothing was looked at: this drill shows nothing.",
        "No gate was set.",
        "This is the first drill of this plan.",
        "Nothing was measured yet.",
    ] {
        assert!(page.contains(words), "{words}");
    }
}

#[test]
fn deadlines_are_open_overdue_done_or_done_too_late() {
    let mut value = sample();
    let told = |value: &Value| {
        let page = shown(value);
        let part = page.split(" id=\"incident\"").nth(1).unwrap();
        let part = part.split("</section>").next().unwrap().to_owned();
        ["open", "overdue", "done", "done too late"]
            .map(|word| part.matches(&format!("</svg>{word}</span>")).count())
    };
    assert_eq!(told(&value), [2, 0, 0, 1]);
    // Somebody says something after three days, and the authority was not told.
    value["said"][2]["at"] = json!("2026-11-23T08:40:01Z");
    assert_eq!(told(&value), [1, 1, 0, 1]);
    value["incident"]["communications"][0]["done"] = json!("2026-11-23T08:40:00Z");
    assert_eq!(told(&value), [1, 0, 1, 1]);
}

#[test]
fn findings_stay_open_until_they_are_closed_and_overdue_ones_say_so() {
    let value = sample();
    let page = shown(&value);
    assert!(page.contains("4 open") && page.contains("1 critical, 2 major, 1 minor; 1 overdue"));
    let mut closed = value;
    closed["closed"][0]["finding"] = json!("F-20261009T100000Z-77aa77aa-1");
    let page = shown(&closed);
    assert!(page.contains("3 open") && page.contains("1 critical, 1 major, 1 minor; 0 overdue"));
}

#[test]
fn what_is_long_is_cut_and_says_so() {
    let mut value = sample();
    let edit =
        |n: usize| json!({ "id": format!("edit-{n}"), "title": "x", "type": "page", "what": "changed" });
    value["repositories"][0]["lost_edits"] = (0..10_000).map(edit).collect();
    let check = |n: usize| {
        let light = if n == 4_999 { "red" } else { "green" };
        json!({
            "name": format!("check-{n}"), "phase": "content", "light": light, "expected": "x", "seen": "y",
            "took_ms": n, "evidence": [format!("checks/{n}.txt")],
        })
    };
    value["checks"] = (0..5_000).map(check).collect();
    let entry = |n: usize| json!({ "at_ms": n, "by": "machine", "what": "x".repeat(300) });
    value["timeline"] = (0..20_000).map(entry).collect();
    let page = shown(&value);
    assert!(page.len() < 2 << 20, "{} bytes", page.len());
    for words in [
        "10000 edits after the snapshot",
        "… and 9800 more, see report.json",
        "… and 4500 more, see report.json",
        "… and 19500 more, see report.json",
        "5000 checks: 4999 as expected, 1 not as expected, 0 not looked at.",
    ] {
        assert!(page.contains(words), "{words}");
    }
    assert!(page.contains(">check-4999<"), "what failed is shown");
    assert!(!page.contains(">check-4998<"));
}

#[test]
fn pictures_are_part_of_the_page_when_they_are_pictures() {
    let png = Bytes::from_static(b"\x89PNG\r\n\x1a\nrest");
    let given = page(&report(&sample()), &|path| match path {
        "pages/1-home.png" => Some(png.clone()),
        "pages/2-about.png" => Some(Bytes::from_static(b"<svg onload=alert(1)>")),
        _ => None,
    });
    assert_eq!(given.matches("<img ").count(), 1);
    assert!(given.contains("data:image/png;base64,iVBORw0KGgpyZXN0"));
    assert!(given.contains(&crate::ids::Digest::of(&png).to_string()), "with its digest");
    assert!(given.contains("pages/2-about.png is not a picture that can be shown."));
    assert!(shown(&sample()).contains("2 pictures are not shown here"));
    let huge = Bytes::from([b"\x89PNG\r\n\x1a\n".as_slice(), &vec![0; 25 << 20]].concat());
    let given = page(&report(&sample()), &|_| Some(huge.clone()));
    assert!(!given.contains("<img ") && given.len() < 1 << 20);
}

#[test]
fn the_page_loads_nothing_and_has_its_landmarks() {
    let page = shown(&sample());
    let policy =
        page.split("Content-Security-Policy\" content=\"").nth(1).unwrap().split('"').next().unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    assert!(policy.contains("img-src data:; base-uri 'none'; form-action 'none'"), "{policy}");
    for bad in ["http://", "https://", "url(", "@import", " style=", "javascript:"] {
        assert!(!page.contains(bad), "{bad}");
    }
    assert!(
        page.contains("<html lang=\"en\">") && page.contains("<main>") && page.contains("<nav aria-label")
    );
    // Headings go down one step at a time.
    let levels: Vec<u32> =
        page.split("<h").skip(1).filter_map(|rest| rest.chars().next()?.to_digit(10)).collect();
    assert!(levels[0] == 1 && levels.iter().filter(|level| **level == 1).count() == 1);
    assert!(levels.windows(2).all(|pair| pair[1] <= pair[0] + 1), "{levels:?}");
    // Every table has a caption, and every head its scope.
    assert_eq!(page.matches("<table>").count(), page.matches("<caption").count());
    assert_eq!(page.matches("<th ").count(), page.matches("<th scope=").count());
    assert!(!page.contains("<th>"));
    // Ids are there once.
    let mut ids: Vec<&str> = page.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count);
    assert_eq!(plain("x"), "x");
}
