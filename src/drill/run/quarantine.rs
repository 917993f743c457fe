//! Whether what was restored is apart from what the public sees, and whether nothing can be written to the vault it
//! came from. Each is tried, not taken from the plan.

use std::net::SocketAddr;
use std::time::Instant;

use bytes::Bytes;

use super::Running;
use super::evidence::Outcome;
use super::restoring::Standing;
use crate::drill::findings::Severity;
use crate::drill::plan::Target;
use crate::drill::timeline::Phase;
use crate::objects::{Body, ErrorKind, ObjectStore, PutMode};
use crate::vault::layout;
use crate::vault::open::Vault;

impl Running<'_> {
    /// Looks at where everything stands now, and at the vault as the drill sees it.
    pub(super) async fn quarantine(&self, vault: &Vault, standing: &Standing) -> bool {
        let begun = Instant::now();
        let mut wrong = Vec::new();
        for replica in vault.replicas.live() {
            if !refuses_writes(&*replica.store).await {
                wrong.push(format!("the replica {} could be written to", replica.name));
            }
        }
        let servers = [
            standing.site.as_ref().map(|site| ("the standby", site.base_url())),
            standing.playground.as_ref().map(|own| ("the sandbox", own.server.base_url().to_owned())),
        ];
        let mut places = Vec::new();
        for (what, address) in servers.into_iter().flatten() {
            match is_of_this_machine(&address) {
                true => places.push(format!("{what} on {address}, which answers this machine only")),
                false => wrong.push(format!("{what} listens on {address}, where others reach it")),
            }
        }
        if let (Target::Environment(name), Some(own)) =
            (&self.drill.plan.target, self.drill.selected.environment)
        {
            let sources = self.drill.selected.repositories.iter();
            match sources.map(|source| &source.repository).any(|source| *source == own.repository) {
                true => wrong.push(format!("{name} is one of those that are recovered")),
                false => places.push(format!("{name}, which was empty and is none of those recovered")),
            }
        }
        let is_good = wrong.is_empty();
        let seen = if is_good { places.join("; ") + "; replicas refuse writes" } else { wrong.join("; ") };
        let expected = "a place that the public does not see, and a vault that is only read";
        let outcome = Outcome::of(is_good, seen, Severity::Critical);
        self.evidence.check(Phase::Restore, "quarantine", expected, begun, outcome);
        is_good
    }
}

/// Whether a store refuses what the drill could write. What is tried would change nothing: every replica has that
/// object, and it is not to be replaced.
async fn refuses_writes(store: &dyn ObjectStore) -> bool {
    let tried = store.put(layout::VAULT, Body::bytes(Bytes::new()), PutMode::CreateOnly).await;
    matches!(tried, Err(error) if error.kind == ErrorKind::Denied)
}

/// Whether only this machine reaches an address, such as `http://127.0.0.1:8080`.
fn is_of_this_machine(address: &str) -> bool {
    let place = address.strip_prefix("http://").and_then(|place| place.parse::<SocketAddr>().ok());
    place.is_some_and(|place| place.ip().is_loopback())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::clock::SystemClock;
    use crate::drill::scenario::{Disturbance, Disturbed};
    use crate::objects::memory::MemoryStore;

    #[test]
    fn only_the_loopback_interface_is_out_of_sight() {
        assert!(is_of_this_machine("http://127.0.0.1:80"));
        assert!(is_of_this_machine("http://[::1]:80"));
        for open in ["http://0.0.0.0:80", "http://192.0.2.7:80", "http://[::]:80", "http://backup:80", ""] {
            assert!(!is_of_this_machine(open), "{open}");
        }
    }

    #[tokio::test]
    async fn a_replica_that_could_be_written_to_is_no_quarantine() {
        let store = Arc::new(MemoryStore::new("test", Arc::new(SystemClock)));
        let vault = Bytes::from_static(b"a vault");
        store.put(layout::VAULT, Body::bytes(vault.clone()), PutMode::CreateOnly).await.unwrap();
        assert!(!refuses_writes(&*store).await);
        let name = "one".parse().unwrap();
        let disturbed = Disturbed::new(Arc::clone(&store) as _, Disturbance::of(&[], &name, None, 0));
        assert!(refuses_writes(&disturbed).await);
        assert_eq!(store.get(layout::VAULT, 100).await.unwrap(), vault, "and nothing changed");
    }
}
