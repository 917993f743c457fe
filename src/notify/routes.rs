//! Which alarms go to whom.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::{Config, Target};
use crate::ids::Name;
use crate::schedule::Job;
use crate::status::Alarm;

/// Which alarms go to whom: by `on_alarm` of the jobs, and to those that get everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Routes(BTreeMap<Name, Which>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Which {
    All,
    Of(BTreeSet<Name>),
}

impl Routes {
    /// Works them out. A job whose repositories are not in the configuration adds nothing: it does
    /// not run either.
    pub fn of<'a>(config: &Config, jobs: impl IntoIterator<Item = &'a Job>) -> Self {
        let mut routes = BTreeMap::new();
        for job in jobs {
            let Ok(selected) = job.select(config) else { continue };
            for receiver in &job.notify.on_alarm {
                let which = routes.entry(receiver.name.clone()).or_insert_with(|| Which::Of(BTreeSet::new()));
                match which {
                    _ if job.is_for_all() => *which = Which::All,
                    Which::Of(names) => names.extend(selected.iter().map(|one| one.name.clone())),
                    Which::All => {}
                }
            }
        }
        let defaults = config
            .notifications
            .iter()
            .filter(|known| matches!(known.target, Target::Message { default: true, .. }));
        routes.extend(defaults.map(|known| (known.name.clone(), Which::All)));
        Self(routes)
    }

    /// Who gets any alarms.
    pub(super) fn receivers(&self) -> impl Iterator<Item = &Name> {
        self.0.keys()
    }

    /// Whether an alarm goes to a receiver. One that is about no single repository goes to all.
    pub(super) fn leads(&self, alarm: &Alarm, receiver: &Name) -> bool {
        match (self.0.get(receiver), &alarm.repository) {
            (None, _) => false,
            (Some(Which::All), _) | (Some(Which::Of(_)), None) => true,
            (Some(Which::Of(names)), Some(repository)) => names.contains(repository),
        }
    }
}
