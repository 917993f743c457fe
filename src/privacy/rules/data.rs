//! The files of rule profiles, read strictly: a key that is not known is an error.

use std::collections::BTreeMap;

use chrono::{Datelike as _, NaiveDate};
use serde::{Deserialize, Serialize};

use super::due::Pause;
use super::holidays::{Holiday, HolidayRow};
use crate::privacy::right::Right;

/// Most months that a period of a file may have: more is a typing error.
const MONTHS_MAX: u32 = 240;

/// The rules of one jurisdiction over time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// What is typed for it.
    pub name: String,
    /// What it is.
    pub title: String,
    /// Regions with holidays of their own: what is typed for each after a hyphen, and its name.
    pub regions: BTreeMap<String, String>,
    /// Oldest first, at least one.
    pub editions: Vec<Edition>,
    /// Public holidays of all years.
    pub holidays: Vec<Holiday>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    title: String,
    #[serde(default)]
    regions: BTreeMap<String, String>,
    #[serde(rename = "edition")]
    editions: Vec<Edition>,
    #[serde(rename = "holiday")]
    holidays: Vec<HolidayRow>,
}

/// The rules from one day on.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edition {
    /// First day on which a request is received under it.
    pub valid_from: NaiveDate,
    /// Months for the answer.
    pub months_answer: u32,
    /// Further months after an extension.
    pub months_extension: u32,
    /// Where it is written.
    pub cite: Citations,
    /// What stops the clock; a kind that is not listed does not.
    #[serde(default, rename = "pause")]
    pub pauses: Vec<PauseRule>,
    /// How long the file of a case is kept by default.
    pub keep: Keep,
    /// What the tests compute and compare.
    #[serde(default, rename = "vector")]
    pub vectors: Vec<Vector>,
}

/// Where the parts of a rule are written.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Citations {
    /// That an answer is due.
    pub answer: Citation,
    /// That more time can be taken.
    pub extension: Citation,
    /// That a request can be refused, and how that is told.
    pub refusal: Citation,
    /// To whom a person can complain.
    pub complaint: Citation,
    /// That proof of identity can be asked for.
    pub identity: Citation,
    /// That the day of the event does not count.
    pub first_day: Citation,
    /// On which day a month ends.
    pub month: Citation,
    /// What becomes of a last day that is no working day.
    pub last_day: Citation,
}

/// A place in a law or guideline.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Citation {
    /// The text that is cited.
    pub title: String,
    /// The place, in English.
    pub en: String,
    /// In German.
    pub de: String,
    /// In French.
    pub fr: String,
}

/// Why a clock may stand still.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PauseKind {
    /// The person was asked to prove who they are.
    Identity,
    /// The person was asked what the request is about.
    Clarification,
}

impl PauseKind {
    /// Returns what is waited for, in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Identity => "proof of identity",
            Self::Clarification => "clarification of the request",
        }
    }
}

/// What a pause does to the clock.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PauseRule {
    /// Which pause.
    pub kind: PauseKind,
    /// What it does.
    pub effect: Effect,
    /// Which days do not count, where it stops the clock.
    #[serde(default)]
    pub days: Days,
    /// For requests for which rights; empty: for all.
    #[serde(default)]
    pub rights: Vec<Right>,
    /// Where it is written.
    pub basis: Citation,
}

/// What a pause does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// Its days do not count.
    Stops,
    /// The period begins anew when it ends.
    Restarts,
}

/// Which days of a pause do not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Days {
    /// As many as lie between question and answer: asked on the 3rd, answered on the 5th is two.
    #[default]
    Between,
    /// Both the day of the question and that of the answer: three.
    Both,
}

/// How long the file of a case is kept.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keep {
    /// Months.
    pub months: u32,
    /// From when.
    pub from: KeepFrom,
    /// Where it is written, or what it rests on.
    pub basis: Citation,
}

/// From when a file is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeepFrom {
    /// From the day on which the case was closed.
    Closing,
    /// From the end of that year.
    EndOfYear,
}

impl Keep {
    /// Returns the last day on which the file of a case that was closed on this day is kept.
    pub fn until(&self, closed: NaiveDate) -> NaiveDate {
        let from = match self.from {
            KeepFrom::Closing => closed,
            KeepFrom::EndOfYear => NaiveDate::from_ymd_opt(closed.year(), 12, 31).unwrap_or(closed),
        };
        super::due::add_months(from, self.months)
    }
}

/// What happened, and what is due then.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vector {
    /// What it shows.
    pub why: String,
    /// Region, where it takes one.
    #[serde(default)]
    pub region: Option<String>,
    /// Day of receipt.
    pub received: NaiveDate,
    /// What was asked for; empty: access.
    #[serde(default)]
    pub rights: Vec<Right>,
    /// When the person was told of an extension.
    #[serde(default)]
    pub extended: Option<NaiveDate>,
    /// Pauses.
    #[serde(default)]
    pub pauses: Vec<Pause>,
    /// What is due.
    pub due: NaiveDate,
}

impl Edition {
    /// Returns the rule for a pause of this kind in a request for these rights; `None`: the clock
    /// runs on. One that is for some rights only counts if nothing else was asked for.
    pub fn pause(&self, kind: PauseKind, rights: &[Right]) -> Option<&PauseRule> {
        let fits = |rule: &&PauseRule| {
            let all = rights.iter().all(|right| rule.rights.contains(right));
            rule.kind == kind && (rule.rights.is_empty() || all)
        };
        self.pauses.iter().find(fits)
    }
}

impl Profile {
    /// Reads the file of a profile.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
        let name = file.name;
        let holidays = file.holidays.into_iter().map(Holiday::check).collect::<Result<Vec<_>, _>>()?;
        if file.editions.is_empty() || name.is_empty() || name.contains('-') {
            return Err(format!("{name:?}: a profile has a name without hyphen, and an edition"));
        }
        if !file.editions.is_sorted_by(|a, b| a.valid_from < b.valid_from) {
            return Err(format!("{name}: editions go from the oldest to the newest"));
        }
        let known = |region: &String| file.regions.contains_key(region);
        if let Some(region) = holidays.iter().flat_map(Holiday::regions).find(|region| !known(region)) {
            return Err(format!("{name}: a holiday names the region {region:?}, which is not listed"));
        }
        for edition in &file.editions {
            let months = [edition.months_answer, edition.months_extension, edition.keep.months];
            if months.iter().any(|months| *months == 0 || *months > MONTHS_MAX) {
                return Err(format!("{name}: a period has 1 to {MONTHS_MAX} months"));
            }
            let of_regions = edition.vectors.iter().filter_map(|vector| vector.region.as_ref());
            if let Some(region) = of_regions.into_iter().find(|region| !known(region)) {
                return Err(format!("{name}: a vector names the region {region:?}, which is not listed"));
            }
            let twice = |at: usize, rule: &PauseRule| {
                let before = &edition.pauses[..at];
                before.iter().any(|other| other.kind == rule.kind && other.rights == rule.rights)
            };
            if edition.pauses.iter().enumerate().any(|(at, rule)| twice(at, rule)) {
                return Err(format!("{name}: a pause has two rules"));
            }
        }
        Ok(Self { name, title: file.title, regions: file.regions, editions: file.editions, holidays })
    }
}
