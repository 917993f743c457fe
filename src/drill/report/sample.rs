//! A report for tests, with something in nearly every place; tests outside of the library read the same file.

use super::Report;
use super::{Communication, Incident};

/// A rehearsal whose first three gates the machine passed. The fourth is bela's, the fifth clara's (dora stands in
/// for her), the last two nobody's; anna was away.
pub(crate) fn sample() -> Report {
    serde_json::from_str(include_str!("sample.json")).unwrap()
}

/// The same as a real disaster.
pub(crate) fn real() -> Report {
    let communication = |id: &str, to: &str| Communication {
        id: id.to_owned(),
        to: to.to_owned(),
        why: "Art. 33 GDPR".to_owned(),
        due: Some("2026-11-24T02:00:00Z".to_owned()),
        done: None,
    };
    let incident = Incident {
        struck: "2026-11-21T01:30:00Z".to_owned(),
        aware: "2026-11-21T02:00:00Z".to_owned(),
        personal_data: None,
        communications: vec![
            communication("authority", "the supervisory authority"),
            communication("contacts-blog", "dr@example.org"),
        ],
    };
    Report { real: true, incident: Some(incident), ..sample() }
}
