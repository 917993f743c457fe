//! When an expression comes: tables for what people rely on.

use prismvault::clock::{Timestamp, rfc3339};
use prismvault::schedule::{Cron, CronError};

fn cron(text: &str, zone: &str) -> Cron {
    Cron::parse(text, zone.parse().unwrap()).unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The next runs in UTC.
fn next(text: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
    let cron = cron(text, zone);
    let mut at = at(after);
    (0..count)
        .map_while(|_| {
            at = cron.next_after(at)?;
            Some(rfc3339(at))
        })
        .collect()
}

#[test]
fn the_forms_of_crontab_and_their_extensions_are_understood() {
    // A Saturday.
    let after = "2026-11-21T12:00:00Z";
    for (text, expected) in [
        ("15 2 * * *", "2026-11-22T02:15:00Z"),
        ("0 12 * * *", "2026-11-22T12:00:00Z"),
        ("*/15 * * * *", "2026-11-21T12:15:00Z"),
        ("30 */6 * * *", "2026-11-21T12:30:00Z"),
        ("0 0 1 jan *", "2027-01-01T00:00:00Z"),
        ("0 4 * * 0", "2026-11-22T04:00:00Z"),
        ("0 4 * * 7", "2026-11-22T04:00:00Z"),
        ("0 4 * * sun", "2026-11-22T04:00:00Z"),
        ("0 4 * * 1", "2026-11-23T04:00:00Z"),
        ("0 4 * * mon-fri", "2026-11-23T04:00:00Z"),
        ("0 4 * * 6", "2026-11-28T04:00:00Z"),
        ("30 0 12 * * *", "2026-11-21T12:00:30Z"),
        ("@hourly", "2026-11-21T13:00:00Z"),
        ("@daily", "2026-11-22T00:00:00Z"),
        ("@midnight", "2026-11-22T00:00:00Z"),
        ("@weekly", "2026-11-22T00:00:00Z"),
        ("@monthly", "2026-12-01T00:00:00Z"),
        ("@Yearly", "2027-01-01T00:00:00Z"),
        ("@annually", "2027-01-01T00:00:00Z"),
        ("0 0 29 2 *", "2028-02-29T00:00:00Z"),
        ("0 30 4 1 1 * 2030", "2030-01-01T04:30:00Z"),
    ] {
        assert_eq!(next(text, "UTC", after, 1), [expected], "{text}");
    }
}

#[test]
fn a_day_of_the_month_and_a_weekday_are_joined_by_or_unless_one_begins_with_a_star() {
    for (text, expected) in [
        // The first, the fifteenth, and every Friday.
        (
            "0 0 1,15 * 5",
            ["2026-11-06", "2026-11-13", "2026-11-15", "2026-11-20", "2026-11-27", "2026-12-01"],
        ),
        // Odd days that are Mondays.
        ("0 0 */2 * 1", ["2026-11-09", "2026-11-23", "2026-12-07", "2026-12-21", "2027-01-11", "2027-01-25"]),
        // A restricted field that takes every day takes every day.
        ("0 0 1 * 0-6", ["2026-11-02", "2026-11-03", "2026-11-04", "2026-11-05", "2026-11-06", "2026-11-07"]),
        // 30 February never comes, Sundays of February do.
        ("0 0 30 2 0", ["2027-02-07", "2027-02-14", "2027-02-21", "2027-02-28", "2028-02-06", "2028-02-13"]),
    ] {
        let expected = expected.map(|day| format!("{day}T00:00:00Z"));
        assert_eq!(next(text, "UTC", "2026-11-01T00:00:00Z", 6), expected, "{text}");
    }
}

#[test]
fn a_time_that_daylight_saving_skips_runs_once_after_the_gap() {
    for (zone, text, after, expected) in [
        // 02:00 to 03:00 on 29 March.
        (
            "Europe/Paris",
            "30 2 * * *",
            "2026-03-28T00:00:00Z",
            ["2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"],
        ),
        // What is skipped and what stands at the end of the gap are one run.
        (
            "Europe/Paris",
            "*/30 1-3 * * *",
            "2026-03-29T00:00:00Z",
            ["2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z"],
        ),
        // 02:00 to 03:00 on 8 March.
        (
            "America/New_York",
            "15 2 * * *",
            "2026-03-07T12:00:00Z",
            ["2026-03-08T07:00:00Z", "2026-03-09T06:15:00Z", "2026-03-10T06:15:00Z"],
        ),
        // Half an hour: 02:00 to 02:30 on 4 October.
        (
            "Australia/Lord_Howe",
            "15 2 * * *",
            "2026-10-02T20:00:00Z",
            ["2026-10-03T15:30:00Z", "2026-10-04T15:15:00Z", "2026-10-05T15:15:00Z"],
        ),
        // A whole day that never was.
        (
            "Pacific/Apia",
            "0 12 * * *",
            "2011-12-29T00:00:00Z",
            ["2011-12-29T22:00:00Z", "2011-12-30T10:00:00Z", "2011-12-30T22:00:00Z"],
        ),
        (
            "UTC",
            "30 2 * * *",
            "2026-03-28T12:00:00Z",
            ["2026-03-29T02:30:00Z", "2026-03-30T02:30:00Z", "2026-03-31T02:30:00Z"],
        ),
    ] {
        assert_eq!(next(text, zone, after, 3), expected, "{zone} {text}");
    }
}

#[test]
fn a_time_that_occurs_twice_runs_at_the_first() {
    for (zone, text, after, expected) in [
        // 03:00 to 02:00 on 25 October.
        (
            "Europe/Paris",
            "30 2 * * *",
            "2026-10-24T00:00:00Z",
            ["2026-10-24T00:30:00Z", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"],
        ),
        // Asked in the second of the two, when the first is over.
        (
            "Europe/Paris",
            "30 2 * * *",
            "2026-10-25T01:10:00Z",
            ["2026-10-26T01:30:00Z", "2026-10-27T01:30:00Z", "2026-10-28T01:30:00Z"],
        ),
        // Every hour: 02:00 once.
        (
            "Europe/Paris",
            "@hourly",
            "2026-10-24T23:30:00Z",
            ["2026-10-25T00:00:00Z", "2026-10-25T02:00:00Z", "2026-10-25T03:00:00Z"],
        ),
        // 02:00 to 01:00 on 1 November.
        (
            "America/New_York",
            "45 1 * * *",
            "2026-10-31T12:00:00Z",
            ["2026-11-01T05:45:00Z", "2026-11-02T06:45:00Z", "2026-11-03T06:45:00Z"],
        ),
        // Half an hour: 02:00 to 01:30 on 5 April.
        (
            "Australia/Lord_Howe",
            "45 1 * * *",
            "2026-04-03T20:00:00Z",
            ["2026-04-04T14:45:00Z", "2026-04-05T15:15:00Z", "2026-04-06T15:15:00Z"],
        ),
    ] {
        assert_eq!(next(text, zone, after, 3), expected, "{zone} {text}");
    }
}

#[test]
fn fractions_of_seconds_and_the_ends_of_time_are_harmless() {
    let cron = cron("* * * * * *", "Europe/Paris");
    assert_eq!(cron.next_after(at("2026-11-21T12:00:00.9Z")), Some(at("2026-11-21T12:00:01Z")));
    assert_eq!(cron.next_after(Timestamp::MIN_UTC), Some(at("1970-01-01T00:00:01Z")));
    assert_eq!(cron.next_after(Timestamp::MAX_UTC), None);
    assert_eq!(next("0 0 1 1 *", "UTC", "2099-06-01T00:00:00Z", 3), ["2100-01-01T00:00:00Z"]);
    assert!(next("0 0 0 1 1 * 2020", "UTC", "2026-01-01T00:00:00Z", 1).is_empty());
}

#[test]
fn what_no_crontab_means_is_refused() {
    let utc = "UTC".parse().unwrap();
    let mistake = |text: &str| Cron::parse(text, utc).unwrap_err();
    for (text, fields) in [("", 0), ("* * * *", 4), ("1 2 3 4 5 6 2030 8", 8)] {
        assert_eq!(mistake(text), CronError::FieldCount(fields), "{text}");
    }
    for text in ["0 0 30 2 *", "0 0 31 4,6,9,11 *", "0 0 0 29 2 * 2027"] {
        assert_eq!(mistake(text), CronError::Never(text.to_owned()));
    }
    for (text, said) in [
        ("@dayly", "did you mean \"@daily\"?"),
        ("@reboot", "is no short form (known: @hourly"),
        ("61 * * * *", "field of minutes"),
        ("* * * * 8", "field of weekdays"),
        ("* * * * * * 1969", "field of years"),
        ("* 24 * * *", "field of hours"),
        ("* * 0 * *", "field of days of the month"),
        ("* * * 13 *", "field of months"),
        ("60 * * * * *", "field of seconds"),
        ("* * * * \u{1d7f7}", "field of weekdays"),
    ] {
        let error = mistake(text).to_string();
        assert!(error.contains(said), "{text}: {error}");
    }
    let long = mistake(&format!("{} * * * *", "9".repeat(100_000))).to_string();
    assert!(long.len() < 200, "{long}");
}

#[test]
fn time_zones_are_iana_names() {
    for (text, said) in [
        ("europe/paris", "did you mean \"Europe/Paris\"?"),
        ("Europe/Pariss", "did you mean \"Europe/Paris\"?"),
        ("+01:00", "write an IANA name"),
        ("", "write an IANA name"),
    ] {
        let error = text.parse::<prismvault::schedule::Zone>().unwrap_err().to_string();
        assert!(error.contains(said), "{text}: {error}");
    }
}
