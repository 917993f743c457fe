//! What is counted, what is said, and what is expected.

use serde_json::{Value, json};

use super::*;
use crate::diff::{Change, ChangeKind, FieldKind, ItemDiff};
use crate::restore::repository::convert::Finding;

fn finding(kind: FindingKind, at: &str, is_left_out: bool) -> Finding {
    Finding { kind, at: at.to_owned(), sent_at: None, is_left_out }
}

fn converted(findings: Vec<Finding>) -> Converted {
    Converted {
        title: "T".to_owned(),
        type_: "page".to_owned(),
        lang: "en-us".to_owned(),
        uid: None,
        tags: Vec::new(),
        data: serde_json::Map::new(),
        links: std::collections::BTreeSet::new(),
        assets: std::collections::BTreeSet::new(),
        is_pending: false,
        findings,
    }
}

fn change(what: ChangeKind, kind: FieldKind, old: Option<&str>, new: Option<&str>) -> Change {
    let path = |path: Option<&str>| path.map(str::to_owned);
    let (old_path, new_path) = (path(old), path(new));
    let old = old_path.is_some().then(|| json!({"x": 1}));
    Change { old_path, new_path, trail: Vec::new(), kind, what, old, new: None }
}

fn fidelity(findings: Vec<Finding>) -> Fidelity {
    let mut fidelity = Fidelity::default();
    fidelity.add_document("D", &converted(findings));
    fidelity
}

#[test]
fn what_is_found_is_counted_with_examples() {
    let mut fidelity = Fidelity::default();
    for number in 0..30 {
        let findings = vec![
            finding(FindingKind::Crop, "/data/a", false),
            finding(FindingKind::Embed, "/data/e", false),
            finding(FindingKind::Crop, "/data/b", false),
        ];
        fidelity.add_document(&format!("D{number}"), &converted(findings));
    }
    fidelity.add_unconvertible("U", &Unconvertible::NoType("gone".to_owned()));
    fidelity.add_releases(2, 0);
    let large = AssetFacts { bytes: 100_000_001, has_bytes: true, ..AssetFacts::default() };
    assert_eq!(fidelity.add_asset("A", large), Some(NotUploadable(FindingKind::AssetTooLarge)));
    assert_eq!(
        fidelity.add_asset("B", AssetFacts::default()),
        Some(NotUploadable(FindingKind::AssetMissing))
    );
    let long = "é".repeat(501);
    let (texts, tags) = ([long.as_str()], ["a tag of this library"]);
    let wordy = AssetFacts { has_bytes: true, texts: &texts, tags: &tags, ..AssetFacts::default() };
    assert_eq!(fidelity.add_asset("C", wordy), None);

    let report = fidelity.report();
    assert_eq!((report.documents, report.assets), (31, 3));
    let counts: Vec<_> = report.found.iter().map(|kind| (kind.kind, kind.count, kind.items)).collect();
    assert_eq!(
        counts,
        [
            (FindingKind::TypeNotInModel, Some(1), Some(1)),
            (FindingKind::Crop, Some(60), Some(30)),
            (FindingKind::Embed, Some(30), Some(30)),
            (FindingKind::Releases, Some(2), None),
            (FindingKind::AssetTooLarge, Some(1), Some(1)),
            (FindingKind::AssetMissing, Some(1), Some(1)),
            (FindingKind::AssetTextTooLong, Some(1), Some(1)),
            (FindingKind::TagTooLong, Some(1), Some(1)),
        ]
    );
    let crops = &report.found[1];
    assert_eq!(crops.examples.len(), 10);
    assert_eq!(crops.examples[9], Example { id: "D9".to_owned(), at: "/data/a".to_owned() });
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["found"][1]["kind"], "crop");
    assert_eq!(json["always"][0]["count"], 31);
    assert!(fidelity.expected().is_absent("U") && !fidelity.expected().is_absent("D1"));
}

#[test]
fn each_kind_has_words_of_its_own() {
    let mut fidelity = Fidelity::default();
    let report = fidelity.report();
    assert!(report.found.is_empty());
    let all = [
        FindingKind::FieldNotInModel,
        FindingKind::SliceNotInModel,
        FindingKind::WrongKind,
        FindingKind::Repaired,
        FindingKind::LinkToAbsent,
        FindingKind::StockPhoto,
        FindingKind::Crop,
        FindingKind::Releases,
        FindingKind::Schedules,
        FindingKind::AssetTooLarge,
    ];
    let always = report.always.iter().map(|kind| kind.kind);
    let labels: std::collections::BTreeSet<_> =
        all.into_iter().chain(always).map(|kind| (kind.label(), kind.what_to_do())).collect();
    assert_eq!(labels.len(), all.len() + report.always.len());
    for (label, what_to_do) in labels {
        assert!(!label.ends_with('.') && what_to_do.ends_with('.'), "{label}: {what_to_do}");
    }
    fidelity.add_releases(0, 0);
    assert!(fidelity.report().found.is_empty());
}

#[test]
fn a_difference_is_expected_where_its_reason_was_found_and_nowhere_else() {
    let fidelity = fidelity(vec![
        finding(FindingKind::Crop, "/data/image", false),
        finding(FindingKind::Embed, "/data/video", false),
        finding(FindingKind::SelectOption, "/data/choice", true),
        finding(FindingKind::BrokenLink, "/data/links/1", false),
        finding(FindingKind::Span, "/data/text/0/spans/2", true),
    ]);
    let expected = fidelity.expected();
    let of = |what, path: &str| expected.expects("D", &change(what, FieldKind::Text, Some(path), Some(path)));
    assert_eq!(of(ChangeKind::CropChanged, "/data/image"), Some(FindingKind::Crop));
    assert_eq!(of(ChangeKind::CropChanged, "/data/image/16:9"), Some(FindingKind::Crop));
    assert_eq!(of(ChangeKind::CropChanged, "/data/images"), None);
    assert_eq!(of(ChangeKind::Replaced, "/data/image"), None);
    assert_eq!(of(ChangeKind::AltTextChanged, "/data/image/alt"), None);
    assert_eq!(of(ChangeKind::Changed, "/data/video"), None);
    assert_eq!(of(ChangeKind::Metadata, "/data/video"), Some(FindingKind::Derived));
    assert_eq!(of(ChangeKind::Metadata, "/first_publication_date"), Some(FindingKind::PublicationDates));
    assert_eq!(of(ChangeKind::Removed, "/data/choice"), Some(FindingKind::SelectOption));
    assert_eq!(of(ChangeKind::LinkChanged, "/data/links/1"), Some(FindingKind::BrokenLink));
    assert_eq!(of(ChangeKind::LinkChanged, "/data/links/0"), None);
    assert_eq!(of(ChangeKind::LinkTextChanged, "/data/links/1/text"), None);
    assert_eq!(of(ChangeKind::FormattingChanged, "/data/text/0"), Some(FindingKind::Span));
    assert_eq!(of(ChangeKind::TextChanged, "/data/text/0/text"), None);
    assert_eq!(
        expected.expects("E", &change(ChangeKind::Changed, FieldKind::Text, Some("/data/choice"), None)),
        None
    );
}

#[test]
fn what_went_away_around_a_finding_must_have_come_again() {
    let mut moved = finding(FindingKind::Crop, "/data/body/3/primary/image", false);
    moved.sent_at = Some("/data/body/2/primary/image".to_owned());
    let fidelity = fidelity(vec![moved, finding(FindingKind::SliceNotInModel, "/data/body/1", true)]);
    let classify = |changes: Vec<Change>| {
        fidelity.expected().classify("D", &ItemDiff { changes, ..ItemDiff::default() })
    };
    let gone = |path| change(ChangeKind::Removed, FieldKind::Slice, Some(path), None);
    let new = |path| change(ChangeKind::Added, FieldKind::Slice, None, Some(path));
    assert_eq!(classify(vec![gone("/data/body/1")]), [Some(FindingKind::SliceNotInModel)]);
    assert_eq!(classify(vec![gone("/data/body/3")]), [None]);
    assert_eq!(classify(vec![new("/data/body/2")]), [None]);
    assert_eq!(classify(vec![new("/data/body/1")]), [None]);
    let both = vec![gone("/data/body/1"), gone("/data/body/3"), new("/data/body/2")];
    let crop = Some(FindingKind::Crop);
    assert_eq!(classify(both), [Some(FindingKind::SliceNotInModel), crop, crop]);
    assert_eq!(classify(vec![gone("/data/body/2")]), [None]);
}

#[test]
fn a_list_of_which_nothing_is_left_is_expected_to_be_gone() {
    let fidelity = fidelity(vec![
        finding(FindingKind::StockPhoto, "/data/text/0", true),
        finding(FindingKind::WrongKind, "/data/text/1", true),
    ]);
    let of = |value: Value| {
        let mut gone = change(ChangeKind::Removed, FieldKind::RichText, Some("/data/text"), None);
        gone.old = Some(value);
        fidelity.expected().classify("D", &ItemDiff { changes: vec![gone], ..ItemDiff::default() })
    };
    assert_eq!(of(json!([{}, {}])), [Some(FindingKind::StockPhoto)]);
    assert_eq!(of(json!([{}, {}, {}])), [None], "the third was sent");
}

#[test]
fn twenty_thousand_documents_need_few_mebibytes() {
    let mut fidelity = Fidelity::default();
    let findings: Vec<Finding> = (0..4)
        .map(|at| finding(FindingKind::Crop, &format!("/data/body/{at}/primary/gallery/2/image"), false))
        .collect();
    let document = converted(findings);
    for number in 0..20_000 {
        fidelity.add_document(&format!("Zabcdefghij{number:05}"), &document);
    }
    assert!(fidelity.expected().bytes() < 12 << 20, "{}", fidelity.expected().bytes());
}
