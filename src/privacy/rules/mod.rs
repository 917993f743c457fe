//! Until when a request must be answered, by which law, and why: rules as dated data.
//!
//! Each [`Profile`] is a file in `profiles/`: in which months an answer is due, what stops the
//! clock, which days are holidays, with the text that says so, and test vectors. It has editions;
//! a case keeps to the one that was in force when the request came. Nothing here knows what day it
//! is: [`Rules::due`] is a function of what happened.
//!
//! | room | what is in it |
//! | --- | --- |
//! | [`data`] | the files, read strictly |
//! | [`holidays`] | public holidays of a year |
//! | [`due`] | the date, and the way to it in words |

pub mod data;
pub mod due;
pub mod holidays;
#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use chrono::NaiveDate;

pub use data::{Citation, Edition, PauseKind, Profile};
pub use due::{ClockEvents, Due, Pause, Step};

/// The files of the profiles.
const FILES: [&str; 5] = [
    include_str!("profiles/eu.toml"),
    include_str!("profiles/de.toml"),
    include_str!("profiles/dk.toml"),
    include_str!("profiles/fr.toml"),
    include_str!("profiles/uk.toml"),
];

static PROFILES: LazyLock<Vec<Profile>> = LazyLock::new(|| {
    let read = |text: &&str| Profile::parse(text).expect("the tests read every profile");
    FILES.iter().map(read).collect()
});

/// Why there are no rules for a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoRules {
    /// No profile has this name.
    #[error("there are no rules called {0:?}")]
    Unknown(String),
    /// The profile has no such region.
    #[error("the rules {profile} have no region {region:?}")]
    UnknownRegion {
        /// Name of the profile.
        profile: String,
        /// What was typed after the hyphen.
        region: String,
    },
    /// No edition was in force yet.
    #[error("the rules {profile} begin on {begins}, after the request was received on {received}")]
    TooEarly {
        /// Name of the profile.
        profile: String,
        /// First day of its first edition.
        begins: NaiveDate,
        /// Day of receipt.
        received: NaiveDate,
    },
}

/// The rules for one request: a profile, the edition in force on the day of receipt, and a region.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    profile: &'static Profile,
    edition: &'static Edition,
    /// As in the file of the profile.
    region: Option<&'static str>,
}

/// Returns the rules of this name (`eu`, `uk`, or with a region `de-by`) for a request that was
/// received on that day.
///
/// # Errors
///
/// [`NoRules`], when there are none.
pub fn profile(name: &str, received: NaiveDate) -> Result<Rules, NoRules> {
    let (base, region) = match name.split_once('-') {
        Some((base, region)) => (base, Some(region)),
        None => (name, None),
    };
    let unknown = || NoRules::Unknown(name.chars().take(40).collect());
    let profile = PROFILES.iter().find(|profile| profile.name == base).ok_or_else(unknown)?;
    let region = match region {
        None => None,
        Some(typed) => {
            let known = profile.regions.keys().find(|known| *known == typed);
            Some(known.map(String::as_str).ok_or_else(|| NoRules::UnknownRegion {
                profile: base.to_owned(),
                region: typed.chars().take(40).collect(),
            })?)
        }
    };
    let edition = profile.editions.iter().rev().find(|edition| edition.valid_from <= received);
    match edition {
        Some(edition) => Ok(Rules { profile, edition, region }),
        None => Err(NoRules::TooEarly {
            profile: name.to_owned(),
            begins: profile.editions[0].valid_from,
            received,
        }),
    }
}

/// The names that [`profile`] takes, each with what it stands for; regions after their profile.
pub fn names() -> Vec<(String, String)> {
    let of = |profile: &Profile| {
        let regions = profile.regions.iter();
        let regions = regions.map(|(key, title)| (format!("{}-{key}", profile.name), title.clone()));
        [(profile.name.clone(), profile.title.clone())].into_iter().chain(regions).collect::<Vec<_>>()
    };
    PROFILES.iter().flat_map(of).collect()
}

impl Rules {
    /// Returns the name by which [`profile`] gives these rules.
    pub fn name(&self) -> String {
        match self.region {
            Some(region) => format!("{}-{region}", self.profile.name),
            None => self.profile.name.clone(),
        }
    }

    /// Returns what the profile is called in words.
    pub fn title(&self) -> &str {
        &self.profile.title
    }

    /// Returns the edition: months, pauses, citations.
    pub fn edition(&self) -> &'static Edition {
        self.edition
    }

    /// Whether a pause of this kind does something to the clock of a request for these rights.
    pub fn counts(&self, kind: PauseKind, rights: &[crate::privacy::right::Right]) -> bool {
        self.edition.pause(kind, rights).is_some()
    }

    /// Returns until when the file of a case that was closed on this day is kept.
    pub fn keep_until(&self, closed: NaiveDate) -> NaiveDate {
        self.edition.keep.until(closed)
    }
}
