//! What the scheduler says of itself to those who watch it: alive, ready, and its numbers.

use std::time::Duration;

use async_trait::async_trait;

use super::hand::Worker;
use crate::clock::human_duration;
use crate::server::Watched;

/// How long its loop may stand still: ten times as long as it ever waits, so that a machine that is
/// busy is not restarted for it, which would only make it busier.
const STANDS_STILL: Duration = Duration::from_mins(5);

#[async_trait]
impl Watched for Worker {
    fn alive(&self) -> Result<(), String> {
        let silent = self.numbers().silent_for();
        match self.is_stopping() || silent <= STANDS_STILL {
            true => Ok(()),
            false => Err(format!("its loop has stood still for {}", human_duration(silent))),
        }
    }

    fn ready(&self) -> Result<(), String> {
        if self.is_stopping() {
            return Err("it was asked to end".to_owned());
        }
        self.alive()?;
        match self.numbers().is_recalled() {
            true => Ok(()),
            false => Err("the vault has not been opened yet, standard error says why".to_owned()),
        }
    }

    async fn metrics(&self) -> String {
        let worker = self.clone();
        let rendered = tokio::task::spawn_blocking(move || Self::metrics(&worker)).await;
        rendered.expect("writing numbers does not panic")
    }
}
