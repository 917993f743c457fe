//! How telling an identifier is in one repository: forty Smiths make a Smith say little.

use std::collections::BTreeMap;

use super::{Finding, Tier};
use crate::privacy::passage::Channel;
use crate::privacy::subject::IdentifierRef;

/// Counts of a repository, filled by the pass over it: in how many items each identifier was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rarity {
    items: u64,
    holding: BTreeMap<IdentifierRef, u64>,
}

impl Rarity {
    /// Counts an item with what was found in it; items that hold nothing count as well.
    pub fn count(&mut self, findings: &[Finding]) {
        self.items += 1;
        let mut seen: Vec<IdentifierRef> = findings.iter().map(|finding| finding.identifier).collect();
        seen.sort_unstable();
        seen.dedup();
        for identifier in seen {
            *self.holding.entry(identifier).or_default() += 1;
        }
    }

    /// Counts items that were not read because nothing of the subject can be in them.
    pub fn count_others(&mut self, items: u64) {
        self.items += items;
    }

    /// Inverse document frequency, from 0 (in every item) to 1 (in one of many).
    pub fn of(&self, identifier: IdentifierRef) -> f64 {
        let holding = self.holding.get(&identifier).copied().unwrap_or(0);
        if self.items == 0 {
            return 1.0;
        }
        let share = |count: u64| ((self.items as f64 + 1.0) / (count as f64 + 1.0)).ln();
        (share(holding) / share(0)).clamp(0.0, 1.0)
    }

    /// Order in which findings are best reviewed, highest first: the tier decides; within one, the
    /// kind of place and how rare the identifier is. Between 0 and 5.
    pub fn score(&self, finding: &Finding) -> f64 {
        let tier = match finding.tier {
            Tier::A => 4.0,
            Tier::B => 3.0,
            Tier::C => 2.0,
            Tier::D => 1.0,
            Tier::E => 0.0,
        };
        // Below one, so that no tier overtakes another.
        tier + 0.99 * (0.6 * self.of(finding.identifier) + 0.4 * weight(finding.channel))
    }
}

/// Places that say who made something count more than running text, and that more than slugs and
/// the data of programs, which are copies.
fn weight(channel: Channel) -> f64 {
    match channel {
        Channel::Joined
        | Channel::KeyText
        | Channel::Copyright
        | Channel::AssetCredits
        | Channel::Exif
        | Channel::Iptc
        | Channel::Xmp
        | Channel::Member
        | Channel::Relationship
        | Channel::PdfProperties
        | Channel::OfficeProperties => 1.0,
        Channel::RichText
        | Channel::Alt
        | Channel::AssetAlt
        | Channel::Table
        | Channel::Link
        | Channel::LinkText => 0.8,
        Channel::Slug | Channel::Integration | Channel::Repository | Channel::Embed => 0.4,
        _ => 0.6,
    }
}
