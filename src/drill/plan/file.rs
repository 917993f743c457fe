//! A file of `drills/`, read as strictly as the configuration.

use std::path::Path;
use std::time::Duration;

use chrono::TimeDelta;

use super::checks::{Check, Expected, Page, Probe, Site};
use super::{Canary, Choice, Exclusion, Objectives, Participant, Plan, Target};
use crate::clock::{Timestamp, parse_duration};
use crate::config::error::{ConfigError, ConfigErrorKind, unknown};
use crate::config::read::{Source, Table, Value};
use crate::config::value::label;
use crate::contentapi::Query;
use crate::drill::gate::Gate;
use crate::drill::scenario::Injection;
use crate::ids::Name;

const KEYS: &[&str] = &[
    "title",
    "repositories",
    "exclude",
    "summary",
    "scenario",
    "snapshot",
    "disaster",
    "target",
    "objectives",
    "participants",
    "contacts",
    "check",
    "canary",
    "site",
    "gates",
    "owner",
    "due_days",
];
const INJECTION_KEYS: &[&str] = &["kind", "replica", "region", "share", "person"];
const INJECTIONS: [&str; 8] = [
    "replica-gone",
    "region-gone",
    "packs-damaged",
    "newest-missing",
    "machine-gone",
    "operator-lost",
    "person-absent",
    "prismic-unreachable",
];
const OBJECTIVE_KEYS: &[&str] = &["rto", "rpo", "fidelity", "erasure_replay", "approved"];
const APPROVED_KEYS: &[&str] = &["by", "on"];
const CANARY_KEYS: &[&str] = &["repository", "type", "uid", "lang"];
const PARTICIPANT_KEYS: &[&str] = &["name", "role", "substitute"];
const CHECK_KEYS: &[&str] = &["name", "repository", "query", "lang", "expect", "command", "timeout"];
const EXPECT_KEYS: &[&str] = &["count", "at_least", "uids"];
const SITE_KEYS: &[&str] = &["command", "url", "pages", "timeout"];
const PAGE_KEYS: &[&str] = &["path", "expect"];

/// Largest file of a plan.
const BYTES_MAX: u64 = 1 << 20;
/// Most checks, pages, participants, injections: a report of more nobody reads.
const LIST_MAX: usize = 200;
/// Longest that one command or site may take.
const TIMEOUT_MAX: Duration = Duration::from_hours(12);
/// How long one may take where nobody says so.
const TIMEOUT: Duration = Duration::from_mins(5);
/// In how many days findings are due where nobody says so, and at most.
const DUE_DAYS: (u64, u64) = (30, 3650);
/// Oldest snapshot that may be drawn.
const AGE_MAX: TimeDelta = TimeDelta::days(10 * 366);

impl Plan {
    /// Reads a plan.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] with the line: unknown keys, wrong values, two things of one name.
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        Self::read(&Source::read(file, BYTES_MAX)?)
    }

    /// As [`load`](Self::load), from text that was read already.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    pub fn parse(file: &Path, text: &str) -> Result<Self, ConfigError> {
        Self::read(&Source::of_text(file, text.to_owned()))
    }

    fn read(source: &Source) -> Result<Self, ConfigError> {
        let parsed = source.parse()?;
        let root = Table::root(source, &parsed, KEYS)?;
        let file = &*source.file;
        let stem = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let name: Name = stem.parse().map_err(|error| {
            let reason = format!("the name of the file is the name of the drill: {error}");
            ConfigError::new(ConfigErrorKind::InvalidValue, file, reason)
        })?;
        let list = |key: &str| root.read(key, bounded).map(Option::unwrap_or_default);
        let scenario = each(&list("scenario")?, read_injection)?;
        let participants = each(&list("participants")?, read_participant)?;
        twice(&list("participants")?, participants.iter().map(|own| own.name.as_str()))?;
        let checks = each(&list("check")?, read_check)?;
        twice(&list("check")?, checks.iter().map(|own| own.name.as_str()))?;
        let canaries = each(&list("canary")?, read_canary)?;
        let exclusions = root.read("exclude", read_exclusions)?.unwrap_or_default();
        let target = root.need("target").and_then(read_target)?;
        if target == Target::Standby
            && let Some(at) = checks.iter().position(asks_snapshot)
        {
            let reason =
                "a standby answers out of the snapshot, so that says nothing: expect a count or UIDs";
            return Err(list("check")?[at].invalid(reason));
        }
        Ok(Self {
            title: root.read("title", label)?.unwrap_or_else(|| name.to_string()),
            repositories: read_repositories(root.need("repositories")?)?,
            exclusions,
            summary: root.need("summary").and_then(label)?,
            scenario,
            snapshot: root.read("snapshot", read_choice)?.unwrap_or(Choice::Latest),
            disaster: root.read("disaster", read_time)?,
            target,
            objectives: root.read("objectives", read_objectives)?.unwrap_or_else(objectives),
            participants,
            contacts: root.read("contacts", read_contacts)?.unwrap_or_default(),
            checks,
            canaries,
            site: root.read("site", read_site)?,
            gates: root.read("gates", read_gates)?.unwrap_or_default(),
            owner: root.read("owner", label)?,
            due_days: root.read("due_days", |value| value.integer(1, DUE_DAYS.1))?.unwrap_or(DUE_DAYS.0)
                as u32,
            file: file.to_owned(),
            text: source.text().to_owned(),
            name,
        })
    }
}

/// A list of at most [`LIST_MAX`] values.
fn bounded<'a>(value: &Value<'a>) -> Result<Vec<Value<'a>>, ConfigError> {
    let list = value.list()?;
    match list.len() > LIST_MAX {
        true => Err(value.invalid(format!("has more than {LIST_MAX} entries"))),
        false => Ok(list),
    }
}

fn each<'a, T>(
    values: &[Value<'a>],
    read: impl Fn(&Value<'a>) -> Result<T, ConfigError>,
) -> Result<Vec<T>, ConfigError> {
    values.iter().map(read).collect()
}

/// Refuses two things of one name.
fn twice<'t>(values: &[Value<'_>], names: impl Iterator<Item = &'t str> + Clone) -> Result<(), ConfigError> {
    for (at, name) in names.clone().enumerate() {
        if names.clone().take(at).any(|earlier| earlier == name) {
            return Err(values[at].error(ConfigErrorKind::Duplicate, format!("{name:?} is there already")));
        }
    }
    Ok(())
}

fn words(value: &Value<'_>) -> Result<Vec<String>, ConfigError> {
    let list = bounded(value)?;
    match list.is_empty() {
        true => Err(value.invalid("is empty")),
        false => list.iter().map(|own| own.text().map(str::to_owned)).collect(),
    }
}

fn duration(value: &Value<'_>) -> Result<Duration, ConfigError> {
    parse_duration(value.text()?)
        .filter(|time| !time.is_zero())
        .ok_or_else(|| value.invalid("must be a duration such as \"30m\" or \"2h\""))
}

fn timeout(table: &Table<'_>) -> Result<Duration, ConfigError> {
    let read = |value: &Value<'_>| {
        let time = duration(value)?;
        match time > TIMEOUT_MAX {
            true => Err(value.invalid("is longer than a drill may wait (12h)")),
            false => Ok(time),
        }
    };
    Ok(table.read("timeout", read)?.unwrap_or(TIMEOUT))
}

fn read_repositories(value: &Value<'_>) -> Result<Vec<String>, ConfigError> {
    let all = words(value)?;
    match all.iter().enumerate().find(|(at, name)| all[..*at].contains(name)) {
        Some((_, name)) => Err(value.error(ConfigErrorKind::Duplicate, format!("{name:?} is there already"))),
        None => Ok(all),
    }
}

fn read_exclusions(value: &Value<'_>) -> Result<Vec<Exclusion>, ConfigError> {
    let map = value.map()?;
    let own =
        map.entries().map(|(what, reason)| Ok(Exclusion { what: what.to_owned(), reason: label(reason)? }));
    own.collect()
}

fn read_injection(value: &Value<'_>) -> Result<Injection, ConfigError> {
    // `"newest-missing"` for what needs nothing more.
    if value.is_text() {
        return injection(value, value.text()?, None);
    }
    let table = value.table(INJECTION_KEYS)?;
    let kind = table.need("kind")?;
    injection(kind, kind.text()?, Some(&table))
}

fn injection(at: &Value<'_>, kind: &str, table: Option<&Table<'_>>) -> Result<Injection, ConfigError> {
    let known: &[&str] = match kind {
        "replica-gone" => &["kind", "replica"],
        "region-gone" => &["kind", "region"],
        "packs-damaged" => &["kind", "share", "replica"],
        "person-absent" => &["kind", "person"],
        "newest-missing" | "machine-gone" | "operator-lost" | "prismic-unreachable" => &["kind"],
        other => return Err(at.invalid(unknown("kind of injection", other, &INJECTIONS))),
    };
    if let Some((key, value)) =
        table.iter().flat_map(|table| table.entries()).find(|(key, _)| !known.contains(key))
    {
        return Err(value.error(ConfigErrorKind::UnknownKey, format!("{key} says nothing of {kind:?}")));
    }
    let need = |key: &str| match table {
        Some(table) => table.need(key),
        None => Err(at.invalid(format!("needs more: {{ kind = {kind:?}, {key} = … }}"))),
    };
    Ok(match kind {
        "replica-gone" => Injection::ReplicaGone { replica: need("replica")?.parse()? },
        "region-gone" => Injection::RegionGone { region: label(need("region")?)? },
        "packs-damaged" => Injection::PacksDamaged {
            share: read_share(need("share")?)?,
            replica: table.map(|table| table.read("replica", Value::parse)).transpose()?.flatten(),
        },
        "person-absent" => Injection::PersonAbsent { person: label(need("person")?)? },
        "newest-missing" => Injection::NewestMissing,
        "machine-gone" => Injection::MachineGone,
        "operator-lost" => Injection::OperatorLost,
        _ => Injection::PrismicUnreachable,
    })
}

/// Reads a share such as `"5%"`.
fn read_share(value: &Value<'_>) -> Result<f64, ConfigError> {
    let text = value.text()?;
    let percent = text.strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
    percent
        .filter(|percent| *percent > 0.0 && *percent <= 100.0)
        .map(|percent| percent / 100.0)
        .ok_or_else(|| value.invalid("must be a share above 0% and at most 100%, such as \"5%\""))
}

fn read_choice(value: &Value<'_>) -> Result<Choice, ConfigError> {
    let text = value.text()?;
    if text == "latest" {
        return Ok(Choice::Latest);
    }
    if let Some(age) = text.strip_prefix("random within ") {
        let age = parse_duration(age.trim()).and_then(|age| TimeDelta::from_std(age).ok());
        let age = age.filter(|age| *age > TimeDelta::zero() && *age <= AGE_MAX);
        let wrong = || value.invalid("must be such as \"random within 90d\"");
        return Ok(Choice::RandomWithin { age: age.ok_or_else(wrong)? });
    }
    time(text).map(Choice::At).ok_or_else(|| {
        value.invalid("must be \"latest\", \"random within 90d\" or a time such as \"2026-11-20T12:00:00Z\"")
    })
}

fn time(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

fn read_time(value: &Value<'_>) -> Result<Timestamp, ConfigError> {
    time(value.text()?).ok_or_else(|| value.invalid("must be a time such as \"2026-11-20T12:00:00Z\""))
}

fn read_target(value: &Value<'_>) -> Result<Target, ConfigError> {
    Ok(match value.text()? {
        "standby" => Target::Standby,
        "sandbox" => Target::Sandbox,
        _ => Target::Environment(value.parse()?),
    })
}

/// What holds where a plan says nothing: everything is as in the snapshot, and nothing erased comes back.
fn objectives() -> Objectives {
    Objectives { rto: None, rpo: None, fidelity: 1.0, erasure_replay: true, approved: None }
}

fn read_objectives(value: &Value<'_>) -> Result<Objectives, ConfigError> {
    let table = value.table(OBJECTIVE_KEYS)?;
    let base = objectives();
    Ok(Objectives {
        rto: table.read("rto", duration)?,
        rpo: table.read("rpo", duration)?,
        fidelity: table.read("fidelity", read_share)?.unwrap_or(base.fidelity),
        erasure_replay: table.read("erasure_replay", Value::flag)?.unwrap_or(base.erasure_replay),
        approved: table.read("approved", read_approved)?,
    })
}

fn read_approved(value: &Value<'_>) -> Result<(String, chrono::NaiveDate), ConfigError> {
    let table = value.table(APPROVED_KEYS)?;
    let on = table.need("on")?;
    let day = on.text()?.parse().map_err(|_| on.invalid("must be a day such as \"2026-01-31\""))?;
    Ok((table.need("by").and_then(label)?, day))
}

fn read_canary(value: &Value<'_>) -> Result<Canary, ConfigError> {
    let table = value.table(CANARY_KEYS)?;
    Ok(Canary {
        repository: table.read("repository", Value::parse)?,
        type_: table.need("type").and_then(label)?,
        uid: table.need("uid").and_then(label)?,
        lang: table.read("lang", label)?,
    })
}

fn read_participant(value: &Value<'_>) -> Result<Participant, ConfigError> {
    let table = value.table(PARTICIPANT_KEYS)?;
    let own = Participant {
        name: table.need("name").and_then(label)?,
        role: table.need("role").and_then(label)?,
        substitute: table.read("substitute", label)?,
    };
    match own.substitute.as_ref() == Some(&own.name) {
        true => Err(value.invalid("nobody is their own substitute")),
        false => Ok(own),
    }
}

fn read_contacts(value: &Value<'_>) -> Result<Vec<(Name, Vec<String>)>, ConfigError> {
    let map = value.map()?;
    let own = map.entries().map(|(name, whom)| {
        let name = name.parse().map_err(|error| whom.invalid(format!("{error}")))?;
        Ok((name, words(whom)?))
    });
    own.collect()
}

fn read_check(value: &Value<'_>) -> Result<Check, ConfigError> {
    let table = value.table(CHECK_KEYS)?;
    let name = table.need("name").and_then(label)?;
    let only = |keys: [&str; 4], of: &str| match keys.iter().find_map(|key| table.get(key)) {
        Some(other) => Err(other.invalid(format!("is nothing of a check by {of}"))),
        None => Ok(()),
    };
    let probe = match (table.get("query"), table.get("command")) {
        (Some(query), None) => {
            only(["timeout", "", "", ""], "query")?;
            Probe::Query {
                repository: table.read("repository", Value::parse)?,
                query: read_query(query)?,
                lang: table.read("lang", label)?.unwrap_or_else(|| "*".to_owned()),
                expect: table.read("expect", read_expected)?.unwrap_or(Expected::AsInSnapshot),
            }
        }
        (None, Some(command)) => {
            only(["repository", "lang", "expect", ""], "command")?;
            Probe::Command { command: words(command)?, timeout: timeout(&table)? }
        }
        (Some(_), Some(command)) => return Err(command.invalid("a check has a query or a command, not both")),
        (None, None) => return Err(value.invalid("a check needs `query` or `command`")),
    };
    Ok(Check { name, probe })
}

/// Whether a check is judged by the snapshot's own answer.
fn asks_snapshot(check: &Check) -> bool {
    matches!(check.probe, Probe::Query { expect: Expected::AsInSnapshot, .. })
}

fn read_query(value: &Value<'_>) -> Result<String, ConfigError> {
    let text = value.text()?;
    // What the standby could not read would fail in the middle of a drill.
    match Query::parse(&[&format!("[{text}]")], |_| true) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(value.invalid(format!("is no query: {error}"))),
    }
}

fn read_expected(value: &Value<'_>) -> Result<Expected, ConfigError> {
    const COUNT_MAX: u64 = 1 << 32;
    if let Ok(count) = value.integer(0, COUNT_MAX) {
        return Ok(Expected::Count(count));
    }
    if value.is_text() {
        return match value.text()? {
            "as-in-snapshot" => Ok(Expected::AsInSnapshot),
            _ => Err(value.invalid("must be a number, \"as-in-snapshot\", or a table")),
        };
    }
    let table = value.table(EXPECT_KEYS)?;
    let mut entries = table.entries();
    match (entries.next(), entries.next()) {
        (Some(("count", own)), None) => Ok(Expected::Count(own.integer(0, COUNT_MAX)?)),
        (Some(("at_least", own)), None) => Ok(Expected::AtLeast(own.integer(0, COUNT_MAX)?)),
        (Some(("uids", own)), None) => Ok(Expected::Uids(words(own)?)),
        _ => Err(value.invalid("must have one of: count, at_least, uids")),
    }
}

fn read_site(value: &Value<'_>) -> Result<Site, ConfigError> {
    let table = value.table(SITE_KEYS)?;
    let at = table.need("url")?;
    let url = at.parse::<url::Url>()?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(at.invalid("must begin with http:// or https://"));
    }
    let pages = match table.get("pages") {
        None => vec![Page { path: "/".to_owned(), expect: None }],
        Some(pages) => each(&bounded(pages)?, read_page)?,
    };
    Ok(Site {
        command: words(table.need("command")?)?,
        url: at.text()?.trim_end_matches('/').to_owned(),
        pages,
        timeout: timeout(&table)?,
    })
}

fn read_page(value: &Value<'_>) -> Result<Page, ConfigError> {
    let (path, expect) = match value.is_text() {
        true => (label(value)?, None),
        false => {
            let table = value.table(PAGE_KEYS)?;
            (table.need("path").and_then(label)?, table.read("expect", label)?)
        }
    };
    match path.starts_with('/') {
        true => Ok(Page { path, expect }),
        false => Err(value.invalid("must begin with /")),
    }
}

fn read_gates(value: &Value<'_>) -> Result<Vec<(Gate, String)>, ConfigError> {
    let map = value.map()?;
    let mut gates = Vec::new();
    for (gate, owner) in map.entries() {
        let gate: Gate = gate.parse().map_err(|error: String| owner.invalid(error))?;
        gates.push((gate, label(owner)?));
    }
    gates.sort_by_key(|(gate, _)| *gate);
    Ok(gates)
}
