//! Public addresses of files that are to go or to be hidden, asked as anybody could ask them.

use super::Live;
use super::step::{LiveStep, Task, TaskCode};
use crate::clock::{Timestamp, rfc3339};
use crate::ids::Name;
use crate::prismic::{AssetHosts, FileProbe};
use crate::privacy::proof::evidence::UrlEvidence;

impl Live<'_> {
    /// Asks every public address that is to be gone, in the order of the steps. Since when one is gone is kept
    /// from what was seen `earlier`, as long as it stays gone; one that answers again, or that nobody can be
    /// asked for, is not gone.
    pub async fn probe(
        &self,
        steps: &[LiveStep],
        earlier: &[UrlEvidence],
        now: Timestamp,
    ) -> Vec<UrlEvidence> {
        let mut seen = Vec::new();
        for step in steps {
            let has_urls = |task: &&Task| matches!(task.code, TaskCode::SupportFile | TaskCode::HideFile);
            let Some(task) = step.task().filter(has_urls) else { continue };
            let probe = self.source(&step.repository).map(|source| {
                let hosts = AssetHosts::new(&source.target.endpoints, &source.target.asset_hosts);
                FileProbe::new(source.http.clone(), hosts)
            });
            for (number, url) in task.urls.iter().enumerate() {
                let status = match &probe {
                    Some(probe) if !self.cancel.is_cancelled() => probe.status(url).await.ok(),
                    _ => None,
                };
                let asked = rfc3339(now);
                let before = nth(earlier, &step.repository, &task.id, number);
                let since = before.and_then(|before| before.gone.clone());
                let gone = matches!(status, Some(404 | 410)).then(|| since.unwrap_or_else(|| asked.clone()));
                let (repository, asset) = (step.repository.clone(), task.id.clone());
                seen.push(UrlEvidence { repository, asset, asked, status, gone });
            }
        }
        seen
    }
}

/// What was seen of the n-th address of a file: evidence does not name addresses.
fn nth<'e>(
    evidence: &'e [UrlEvidence],
    repository: &Name,
    asset: &str,
    number: usize,
) -> Option<&'e UrlEvidence> {
    evidence.iter().filter(|one| one.repository == *repository && one.asset == asset).nth(number)
}
