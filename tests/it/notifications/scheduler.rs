//! Schedulers that run: alarms are told by themselves, and once, however many there are.
#![cfg(unix)]

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use chrono::TimeDelta;
use prismvault::clock::{Clock as _, ManualClock, SystemClock};
use prismvault::objects::local::LocalStore;
use prismvault::vault::told;
use tokio::time::Instant;

use super::receivers::{MailSink, MailTls, WebReceiver};
use crate::backups::{Backup, small};
use crate::cli_run::{Live, PATIENCE};
use crate::workplace::Workplace;

const KEY: &str = "rpo:blog";

/// A vault in a directory, and everything that two schedulers need besides.
struct Place {
    place: Workplace,
    backup: Backup,
    chat: WebReceiver,
    mail: MailSink,
}

impl Place {
    async fn new() -> Self {
        let place = Workplace::new();
        let store = Arc::new(LocalStore::create(&place.file("vault")).await.unwrap());
        let clock = Arc::new(ManualClock::new(SystemClock.now()));
        let backup = Backup::on(vec![("one".to_owned(), store)], true, clock).await;
        backup.probe().await;
        let chat = WebReceiver::good().await;
        let mail = MailSink::start(MailTls::None, &["250 ok"]).await;
        place.write("chat", &chat.url("/"));
        let config = format!(
            "{}[repositories.blog]\nrepository = \"acme-blog\"\n[[replicas]]\nname = \"one\"\nurl = \"{}\"\n\
             [objectives]\nrpo = \"24h\"\n[run]\nlook_every = \"1s\"\n\
             [notifications.chat]\nkind = \"webhook\"\ndefault = true\nurl = {{ file = \"chat\" }}\n\
             [notifications.mail]\nkind = \"email\"\ndefault = true\nhost = \"127.0.0.1\"\nport = {}\n\
             tls = \"none\"\nfrom = \"prismvault@acme.example\"\nto = [\"ops@acme.example\"]\n",
            backup.write_keys(&place).await,
            url::Url::from_file_path(place.file("vault")).unwrap(),
            mail.address.port()
        );
        for scheduler in ["a", "b"] {
            let metrics = format!("[metrics]\ntextfile = \"{}\"\n", place.file(scheduler).display());
            let metrics = metrics.replace(&format!("/{scheduler}\""), &format!("/{scheduler}.prom\""));
            place.write(&format!("{scheduler}.toml"), &format!("{config}{metrics}"));
        }
        std::fs::create_dir(place.file("schedules")).unwrap();
        place
            .write("schedules/yearly.toml", "job = \"verify\"\nrepositories = [\"*\"]\ncron = \"@yearly\"\n");
        Self { place, backup, chat, mail }
    }

    fn begin(&self, scheduler: &str) -> Live {
        Live::begin_with(&self.place, &["--config", &format!("{scheduler}.toml"), "run", "--json"])
    }

    /// Waits until a scheduler has looked so often, by the metrics that each look writes before it tells.
    async fn looks(&self, scheduler: &str, count: usize) {
        let file = self.place.file(&format!("{scheduler}.prom"));
        let written =
            || std::fs::metadata(&file).and_then(|file| file.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
        for _ in 0..count {
            let (before, begun) = (written(), Instant::now());
            while written() == before {
                assert!(begun.elapsed() < PATIENCE, "{scheduler} does not look");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }

    /// What is said of the objective until both have looked for a while longer: by the web, and how
    /// often by mail.
    async fn heard(&self) -> (Vec<String>, usize) {
        let (mut said, mut mails, begun) = (Vec::new(), 0, Instant::now());
        let mut hear = || {
            for request in self.chat.take() {
                let notices = request.json()["notices"].as_array().unwrap().clone();
                let of = notices.iter().filter(|notice| notice["key"] == KEY);
                said.extend(of.map(|notice| notice["change"].as_str().unwrap().to_owned()));
            }
            let lines = self.mail.take().into_iter().map(|mail| mail.data);
            mails += lines.filter(|data| data.contains("blog: newest complete snapshot")).count();
            (said.clone(), mails)
        };
        while hear().0.is_empty() || hear().1 == 0 {
            assert!(begun.elapsed() < PATIENCE, "nobody says anything");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        for scheduler in ["a", "b"] {
            self.looks(scheduler, 3).await;
        }
        hear()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_schedulers_say_once_that_an_objective_is_missed_once_a_day_that_it_still_is_and_once_that_it_is_over()
 {
    let place = Place::new().await;
    let (a, b) = (place.begin("a"), place.begin("b"));
    let once = |change: &str| (vec![change.to_owned()], 1);
    assert_eq!(place.heard().await, once("began"));
    // A day later, as far as anybody remembers.
    let vault = place.backup.open().await.unwrap();
    let mut told = told::load(&vault, SystemClock.now()).await;
    for said in told.to.values_mut().filter_map(|said| said.get_mut(KEY)) {
        said.said -= TimeDelta::hours(25);
    }
    told.at = Some(SystemClock.now() + TimeDelta::seconds(1));
    told::store(&vault, &told).await.unwrap();
    assert_eq!(place.heard().await, once("reminder"));
    place.backup.snapshot(&small()).await.unwrap();
    assert_eq!(place.heard().await, once("ended"));
    for live in [a, b] {
        let end = live.end();
        assert_eq!(end.code, 0, "{end:?}");
        assert!(!end.stderr.contains("error"), "{end:?}");
    }
}
