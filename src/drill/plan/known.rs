//! A plan held against the configuration: every name in it means something.

use super::{Plan, Target};
use crate::config::error::{ConfigError, ConfigErrorKind};
use crate::config::{Config, Repository};
use crate::drill::gate::Gate;
use crate::drill::scenario::Injection;
use crate::ids::Name;

/// What the names of a plan mean.
#[derive(Debug)]
pub struct Selected<'a> {
    /// Repositories in the order of recovery.
    pub repositories: Vec<&'a Repository>,
    /// The repository of the configuration that is recovered into, for that kind of target.
    pub environment: Option<&'a Repository>,
}

impl Plan {
    /// Checks that everything it names is in the configuration, and that it can be carried out.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] with the file of the plan: a repository, replica, region or person that is not there; a
    /// target that is one of the repositories that are recovered; a scenario that leaves no replica.
    pub fn select<'a>(&self, config: &'a Config) -> Result<Selected<'a>, ConfigError> {
        let wrong = |kind, reason: String| ConfigError::new(kind, &self.file, reason);
        let unknown = |reason: String| wrong(ConfigErrorKind::UnknownName, reason);
        let repositories = config.select(&self.repositories).map_err(|error| unknown(error.to_string()))?;
        if repositories.is_empty() {
            return Err(unknown(format!("{} names no repository", config.file.display())));
        }
        for (name, _) in &self.contacts {
            if config.repositories.iter().all(|own| own.name != *name) {
                return Err(unknown(format!("contacts: there is no repository {name}")));
            }
        }
        self.check_scenario(config).map_err(unknown)?;
        self.check_people(config).map_err(unknown)?;
        let environment = match &self.target {
            Target::Standby | Target::Sandbox => None,
            Target::Environment(name) => Some(self.environment(name, &repositories, config)?),
        };
        Ok(Selected { repositories, environment })
    }

    fn environment<'a>(
        &self,
        name: &Name,
        repositories: &[&Repository],
        config: &'a Config,
    ) -> Result<&'a Repository, ConfigError> {
        let wrong = |kind, reason: String| ConfigError::new(kind, &self.file, reason);
        let found = config.repositories.iter().find(|own| own.name == *name).ok_or_else(|| {
            let reason = format!("target: {} has no repository {name}", config.file.display());
            wrong(ConfigErrorKind::UnknownName, reason)
        })?;
        let is_source = |own: &&Repository| own.name == *name || own.repository == found.repository;
        if repositories.iter().any(is_source) {
            let reason = format!("target: {name} is what is recovered; a drill never writes to its source");
            return Err(wrong(ConfigErrorKind::InvalidValue, reason));
        }
        if repositories.len() > 1 {
            let reason = "target: an environment takes one repository; name one, or recover to the standby";
            return Err(wrong(ConfigErrorKind::InvalidValue, reason.to_owned()));
        }
        if self.scenario.contains(&Injection::PrismicUnreachable) {
            let reason = "target: an environment is Prismic's, which does not answer in this scenario";
            return Err(wrong(ConfigErrorKind::InvalidValue, reason.to_owned()));
        }
        Ok(found)
    }

    fn check_scenario(&self, config: &Config) -> Result<(), String> {
        let is_replica = |name: &Name| config.replicas.iter().any(|own| own.name == *name);
        for injection in &self.scenario {
            match injection {
                Injection::ReplicaGone { replica }
                | Injection::PacksDamaged { replica: Some(replica), .. }
                    if !is_replica(replica) =>
                {
                    return Err(format!("scenario: there is no replica {replica}"));
                }
                Injection::RegionGone { region }
                    if !config.replicas.iter().any(|own| own.region.as_deref() == Some(region)) =>
                {
                    return Err(format!("scenario: no replica has the region {region:?}"));
                }
                Injection::PersonAbsent { person } if !self.knows(person) => {
                    return Err(format!("scenario: {person:?} takes no part in this drill"));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Whether somebody takes part, as a substitute too.
    pub fn knows(&self, person: &str) -> bool {
        self.participants.iter().any(|own| own.name == person || own.substitute.as_deref() == Some(person))
            || self.gates.iter().any(|(_, owner)| owner == person)
    }

    fn check_people(&self, config: &Config) -> Result<(), String> {
        for (gate, owner) in &self.gates {
            let Some(person) = config.people.iter().find(|own| own.name.as_str() == owner) else {
                return Err(format!("gates.{gate}: [people] of the configuration has no {owner:?}"));
            };
            if !person.may_sign_off {
                return Err(format!(
                    "gates.{gate}: [people.{owner}] may not sign off (may = [\"sign-off\"])"
                ));
            }
        }
        Ok(())
    }

    /// Who decides at a gate: its owner, or their substitute where the scenario has taken them away. `None`:
    /// nobody is named.
    pub fn owner_of(&self, gate: Gate) -> Option<&str> {
        let owner = self.gates.iter().find(|(own, _)| *own == gate).map(|(_, owner)| owner.as_str())?;
        match self.is_absent(owner) {
            false => Some(owner),
            true => self.substitute_of(owner),
        }
    }

    /// Whether the scenario has taken somebody away.
    pub fn is_absent(&self, person: &str) -> bool {
        self.scenario
            .iter()
            .any(|one| matches!(one, Injection::PersonAbsent { person: away } if away == person))
    }

    /// Who does what somebody else would do; nobody where the scenario has taken them away too.
    pub fn substitute_of(&self, person: &str) -> Option<&str> {
        let substitute = self.participants.iter().find(|own| own.name == person)?.substitute.as_deref()?;
        Some(substitute).filter(|name| !self.is_absent(name))
    }
}
