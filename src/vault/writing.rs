//! Who writes into a repository of Prismic: one at a time, whatever it is that writes.
//!
//! A restore and an erasure both put documents into the migration release and publish all of it, and two at once
//! would publish what the other has half done. So both take one lease of the vault for each repository. A host
//! that dies holds it until it ends.
//!
//! Where leases cannot be asked (the replica that gives them is away, or a key that may sign them is not here) the
//! work goes on, and says so: what is written is compared with what is there before and after, so that a second
//! writer costs time and no content, and neither a disaster nor the deadline of an erasure waits for a replica.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use futures_util::future::select_all;

use super::error::{Result, VaultError};
use super::lease::{Asked, Held, Holder, Leases, Step};
use super::open::Vault;
use crate::ids::Name;
use crate::progress::Problem;

/// Longest name of a lease, in characters.
const NAME_MAX: usize = 63;

/// Somebody else writes into a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Other {
    /// The repository.
    pub repository: Name,
    /// Name of their machine.
    pub host: String,
    /// After this time their lease ends, unless it is renewed.
    pub wait: Duration,
}

impl fmt::Display for Other {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is writing into {}: a restore, or an erasure", self.host, self.repository)
    }
}

impl Other {
    /// What to do next, in words.
    pub fn next_step(&self) -> String {
        format!("wait until it is done; if it died, its lease ends in {} s", self.wait.as_secs())
    }
}

/// Takes leases for who writes into repositories.
#[derive(Debug, Clone, Copy)]
pub struct Writing<'a> {
    /// The vault.
    pub vault: &'a Vault,
    /// The replica that gives leases; `None`: the first that can.
    pub lease_of: Option<&'a str>,
    /// Name of this machine, for people.
    pub host: &'a str,
    /// Whether the work may go on where its lease ended and nobody can be asked.
    pub step: Step,
}

/// Why work was not done, or not to its end.
#[derive(Debug)]
pub enum NotWritten {
    /// Somebody else is at it; nothing was begun.
    Other(Other),
    /// The lease was lost meanwhile. The work was left as a kill leaves it: the same call goes on.
    Lost(VaultError),
}

/// What came of asking for one lease.
enum Taking {
    Held(Held),
    /// Nobody can say.
    Unsure(VaultError),
    Other(Other),
}

impl Writing<'_> {
    /// Awaits work that writes into some repositories, under the lease of each. `tell` hears where a lease could
    /// not be asked.
    ///
    /// # Errors
    ///
    /// [`NotWritten`].
    pub async fn leased<T>(
        &self,
        repositories: &BTreeSet<&Name>,
        tell: impl Fn(Problem),
        work: impl Future<Output = T>,
    ) -> std::result::Result<T, NotWritten> {
        let (mut held, mut other) = (Vec::new(), None);
        // In the order of their names: of two who want the same two, one gets both.
        for repository in repositories {
            match self.take(repository).await {
                Taking::Held(own) => held.push(own),
                Taking::Unsure(error) => {
                    let detail = format!("whether another host writes into it is not known: {error}");
                    tell(Problem::new("no-lease", repository.as_str(), detail));
                }
                Taking::Other(own) => {
                    other = Some(own);
                    break;
                }
            }
        }
        let outcome = match other {
            Some(other) => Err(NotWritten::Other(other)),
            None if held.is_empty() => Ok(work.await),
            None => {
                let keeping = held.iter().map(|own| Box::pin(own.keep(self.vault, self.step)));
                tokio::select! {
                    done = work => Ok(done),
                    (error, ..) = select_all(keeping) => Err(NotWritten::Lost(error)),
                }
            }
        };
        for own in held {
            if let Err(error) = own.release(self.vault).await {
                tracing::info!("{error}; the lease ends by itself");
            }
        }
        outcome
    }

    async fn take(&self, repository: &Name) -> Taking {
        match self.ask(repository).await {
            Ok((leases, Asked::Granted(lease))) => Taking::Held(Held::new(&leases, lease)),
            Ok((_, Asked::Held { host, wait, .. })) => {
                Taking::Other(Other { repository: repository.clone(), host, wait })
            }
            Err(error) => Taking::Unsure(error),
        }
    }

    async fn ask(&self, repository: &Name) -> Result<(Leases<'_>, Asked)> {
        let leases = Leases::of(self.vault, self.lease_of, self.vault.limits().lease_lasts)?;
        let asked = leases.acquire(&name_of(repository), &Holder::new(self.host)).await?;
        Ok((leases, asked))
    }
}

/// The name of the lease of a repository: that under which restores have always taken it.
pub fn name_of(repository: &Name) -> Name {
    let name: String = format!("restore.{repository}").chars().take(NAME_MAX).collect();
    name.parse().expect("a name with a prefix, cut to the length of one, is a name")
}
