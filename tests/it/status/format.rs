//! The metrics are what Prometheus reads: a strict reader of its text format.

use std::collections::{BTreeMap, BTreeSet};

use prismvault::status::{Alarm, Severity, metrics};
use prismvault::vault::format::erasure_checks::Next;

use super::alarms::found_again;
use super::known::{good, judge, name, now, repository};

/// One sample: its labels and value.
type Sample = (BTreeMap<String, String>, f64);

/// Reads metrics, and fails on what the format or its conventions do not allow.
pub(crate) fn read(text: &str) -> BTreeMap<String, Vec<Sample>> {
    assert!(text.ends_with('\n') && !text.contains('\r'), "lines end with a line feed");
    let mut found: BTreeMap<String, Vec<Sample>> = BTreeMap::new();
    let (mut helped, mut current) = (String::new(), String::new());
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap();
            assert!(help.len() > 10 && help.ends_with('.') && !help.contains('\\'), "{line}");
            helped = name.to_owned();
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert_eq!(name, helped, "the type follows the help");
            assert!(!found.contains_key(name), "{name} is in one block");
            let total = name.ends_with("_total");
            assert_eq!(kind, if total { "counter" } else { "gauge" }, "{line}");
            let word = |c: char| c.is_ascii_lowercase() || c == '_';
            assert!(name.starts_with("prismvault_") && name.chars().all(word), "{line}");
            current = name.to_owned();
            found.insert(current.clone(), Vec::new());
        } else {
            let (labels, value) = sample(line, &current);
            let samples = found.get_mut(&current).unwrap();
            assert!(samples.iter().all(|(other, _)| *other != labels), "{line} is there twice");
            samples.push((labels, value));
        }
    }
    assert!(found.values().all(|samples| !samples.is_empty()), "no type without a sample");
    found
}

fn sample(line: &str, metric: &str) -> Sample {
    let rest = line.strip_prefix(metric).unwrap_or_else(|| panic!("{line} is of {metric}"));
    let mut labels = BTreeMap::new();
    let value = match rest.strip_prefix('{') {
        None => rest.strip_prefix(' ').unwrap(),
        Some(mut rest) => loop {
            let (label, text) = rest.split_once("=\"").unwrap();
            assert!(
                !label.is_empty() && label.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'),
                "{line}"
            );
            let (value, after) = quoted(text, line);
            assert!(labels.insert(label.to_owned(), value).is_none(), "{line}");
            rest = match after.strip_prefix(',') {
                Some(more) => more,
                None => break after.strip_prefix("} ").unwrap(),
            };
        },
    };
    let number: f64 = value.parse().unwrap_or_else(|_| panic!("{line}"));
    assert!(number.is_finite(), "{line}");
    (labels, number)
}

/// Reads a text up to its closing quote.
fn quoted<'a>(text: &'a str, line: &str) -> (String, &'a str) {
    let (mut value, mut chars) = (String::new(), text.char_indices());
    loop {
        match chars.next().unwrap_or_else(|| panic!("{line} ends in a label")) {
            (at, '"') => return (value, &text[at + 1..]),
            (_, '\\') => value.push(match chars.next().unwrap().1 {
                'n' => '\n',
                escaped @ ('"' | '\\') => escaped,
                other => panic!("\\{other} in {line}"),
            }),
            (_, char) => value.push(char),
        }
    }
}

fn value(found: &BTreeMap<String, Vec<Sample>>, metric: &str, label: &str, text: &str) -> f64 {
    let samples = found.get(&format!("prismvault_{metric}")).unwrap_or_else(|| panic!("no {metric}"));
    let fits = |(labels, _): &&Sample| labels.get(label).is_some_and(|own| own == text);
    samples.iter().find(fits).unwrap_or_else(|| panic!("{metric} has no {label}={text}")).1
}

#[test]
fn everything_that_is_known_is_a_metric_in_prometheus_format() {
    let facts = good();
    let found = read(&metrics::render(&facts, &judge(&facts)));
    let at = now().timestamp() as f64;
    let of = |metric: &str| value(&found, metric, "repository", "blog");
    assert_eq!(of("last_success_timestamp_seconds"), at - 36_000.0);
    assert_eq!(of("last_complete_timestamp_seconds"), at - 36_000.0);
    assert_eq!(of("newest_snapshot_timestamp_seconds"), at - 35_700.0);
    assert_eq!(of("snapshot_age_seconds"), 36_000.0);
    assert_eq!(of("expected_interval_seconds"), 86_400.0);
    assert!((of("objective_age_ratio") - 10.0 / 24.0).abs() < 1e-9);
    assert_eq!(of("snapshot_duration_seconds"), 300.0);
    assert_eq!((of("snapshot_copies"), of("snapshots")), (2.0, 40.0));
    assert_eq!(value(&found, "snapshot_items", "kind", "assets"), 20.0);
    assert_eq!(value(&found, "objective_state", "objective", "rto"), 0.0);
    // 0.5^(2/7) verified, 0.5^(100/400) rehearsed, all copies, locks of a week, all documents as they were.
    let confidence = 0.5f64.powf(2.0 / 7.0 + 0.25);
    assert!((of("restore_confidence") - confidence).abs() < 1e-9, "{}", of("restore_confidence"));
    assert_eq!(value(&found, "objective_limit_seconds", "objective", "rpo"), 86_400.0);
    assert_eq!(value(&found, "replica_up", "replica", "office"), 1.0);
    assert_eq!(value(&found, "lock_left_seconds", "replica", "office"), 7.0 * 86_400.0);
    assert_eq!(value(&found, "job_duration_seconds", "job_name", "nightly"), 300.0);
    assert_eq!(value(&found, "requests_total", "of", "replica office"), 12.0);
    assert_eq!(found["prismvault_retries_total"][0].1, 3.0);
    assert_eq!(value(&found, "alarms", "severity", "critical"), 0.0);
    assert!(!found.contains_key("prismvault_alarm"), "no alarm, no line");
}

#[test]
fn what_is_not_known_has_no_line() {
    let mut facts = good();
    let own = &mut facts.repositories[0];
    (own.newest, own.last_complete, own.oldest, own.verified, own.drill) = (None, None, None, None, None);
    facts.replicas[0].failure = Some("away".to_owned());
    facts.jobs[0].record = None;
    let found = read(&metrics::render(&facts, &judge(&facts)));
    for metric in
        ["last_success_timestamp_seconds", "last_verified_timestamp_seconds", "snapshot_age_seconds"]
    {
        assert!(!found.contains_key(&format!("prismvault_{metric}")), "{metric} would be in 1970");
    }
    assert_eq!(value(&found, "replica_up", "replica", "frankfurt"), 0.0);
    assert_eq!(value(&found, "objective_state", "objective", "rpo"), 2.0);
    assert_eq!(value(&found, "alarm", "kind", "rpo"), 1.0);
    let of_jobs: BTreeSet<&str> = found["prismvault_job_duration_seconds"]
        .iter()
        .map(|(labels, _)| labels["job_name"].as_str())
        .collect();
    assert_eq!(of_jobs, BTreeSet::from(["weekly"]));
}

#[test]
fn erasures_have_numbers_where_there_are_any() {
    let mut facts = good();
    assert!(!metrics::render(&facts, &judge(&facts)).contains("prismvault_erased"));
    found_again(&mut facts, Next::Reopen, 2);
    let found = read(&metrics::render(&facts, &judge(&facts)));
    assert_eq!(found["prismvault_erased_cases"][0].1, 1.0);
    assert!(!found.contains_key("prismvault_erased_look_timestamp_seconds"), "never is no time");
    assert_eq!(value(&found, "erased_found_places", "case", "2026-7K3F9Q"), 2.0);
    assert_eq!(value(&found, "alarm", "kind", "erased-again"), 1.0);
    facts.erased.checks.whole = Some(now());
    let found = read(&metrics::render(&facts, &judge(&facts)));
    assert_eq!(found["prismvault_erased_look_timestamp_seconds"][0].1, now().timestamp() as f64);
}

#[test]
fn labels_are_escaped_and_hold_names_only() {
    let mut facts = good();
    facts.repositories.push(repository("shop"));
    facts.requests[0].of = "a \"quoted\\ name\nof two lines".to_owned();
    facts.replicas[1].failure = Some("someone@example.com says no".to_owned());
    let mut assessment = judge(&facts);
    assessment.alarms.push(Alarm {
        key: "odd:\"key\"".to_owned(),
        severity: Severity::Warning,
        repository: Some(name("shop")),
        what: "what is said to people".to_owned(),
        since: None,
        next: "do something".to_owned(),
    });
    let text = metrics::render(&facts, &assessment);
    let found = read(&text);
    assert_eq!(value(&found, "requests_total", "of", "a \"quoted\\ name\nof two lines"), 12.0);
    assert_eq!(value(&found, "alarm", "key", "odd:\"key\""), 1.0);
    for sentence in ["someone@example.com", "what is said", "do something"] {
        assert!(!text.contains(sentence), "{sentence}");
    }
}
