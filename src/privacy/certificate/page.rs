//! The page of a certificate for people: one file that prints well, nothing loaded from anywhere, no scripts.

use chrono::DateTime;

use super::claims::Claim;
use super::texts::Texts;
use super::why::Why;
use super::{Certificate, Copies, Ground, words};
use crate::markup::Page;
use crate::privacy::letters::Language;
use crate::privacy::package::texts::{Texts as PackageTexts, fill, word};
use crate::vault::signing::VerifyingKey;

/// Writes the page.
pub(super) fn page(certificate: &Certificate, language: Language, key: &VerifyingKey) -> Vec<u8> {
    let texts = Texts::of(language);
    let title = format!("{} – {}", texts.page("title"), certificate.case);
    let mut writing = Writing { page: Page::new(language.code(), &title), own: certificate, texts, language };
    writing.head();
    writing.claims();
    writing.words();
    writing.incomplete();
    writing.replicas();
    writing.planned();
    writing.kept();
    writing.searched();
    writing.lists();
    writing.tool();
    writing.section("limits");
    writing.page.list(certificate.limits.iter().map(|own| word(&texts.limit, own).to_owned()));
    writing.section("check");
    writing.say("check_text", &[("key", &key.to_string())]);
    writing.page.finish()
}

/// A page in the making.
struct Writing<'a> {
    page: Page,
    own: &'a Certificate,
    texts: &'static Texts,
    language: Language,
}

impl Writing<'_> {
    fn section(&mut self, key: &'static str) {
        self.page.heading(2, key, self.texts.page(key));
    }

    fn say(&mut self, key: &str, values: &[(&str, &str)]) {
        self.page.paragraph(&fill(self.texts.page(key), values));
    }

    /// A date with its time, as people read it; what is none stays as it is.
    fn date(&self, text: &str) -> String {
        match DateTime::parse_from_rfc3339(text) {
            Ok(at) => {
                let at = at.to_utc();
                format!("{}, {} UTC", self.language.date(at.date_naive()), at.format("%H:%M"))
            }
            Err(_) => text.to_owned(),
        }
    }

    fn why(&self, why: &Why) -> String {
        words(why, self.language)
    }

    fn head(&mut self) {
        let own = self.own;
        let values = [
            ("case", own.case.as_str()),
            ("received", &self.language.date(own.received)),
            ("made", &self.date(&own.made)),
            ("looked", &self.date(&own.evidence.looked)),
        ];
        self.say("intro", &values);
        let open = own.claims.all().iter().filter(|(_, claim)| matches!(claim, Claim::Open { .. })).count();
        match open {
            0 => self.say("all_shown", &[]),
            open => self.say("some_open", &[("count", &open.to_string())]),
        }
    }

    fn claims(&mut self) {
        let texts = self.texts;
        self.page.begin_table(texts.page("claims"), &[texts.column("claim"), texts.column("state")]);
        let state = |key: &str| texts.state.get(key).map_or("", String::as_str);
        for (kind, claim) in self.own.claims.all() {
            let words = match claim {
                Claim::Shown { since, of: 0, on_word: 0 } => {
                    fill(state("nothing"), &[("since", &self.date(since))])
                }
                Claim::Shown { since, of, on_word } => {
                    let shown =
                        fill(state("shown"), &[("since", &self.date(since)), ("of", &of.to_string())]);
                    match on_word {
                        0 => shown,
                        count => shown + &fill(state("word"), &[("count", &count.to_string())]),
                    }
                }
                Claim::Open { why } => {
                    let whys: Vec<String> = why.iter().map(|why| self.why(why)).collect();
                    format!("{}: {}", state("open"), whys.join("; "))
                }
            };
            self.page.html.push_str("<tr>");
            self.page.cell("", word(&texts.claim, &kind));
            self.page.cell("", &words);
            self.page.html.push_str("</tr>\n");
        }
        self.page.end_table();
    }

    /// Tasks that nobody outside of Prismic can see, and that people say are done.
    fn words(&mut self) {
        let mut said = Vec::new();
        for own in &self.own.evidence.live {
            for word in &own.words {
                let values = [
                    ("repository", own.repository.as_str()),
                    ("task", word.task.name()),
                    ("said", &self.date(&word.said)),
                ];
                said.push(fill(self.texts.page("on_word"), &values));
            }
        }
        if said.is_empty() {
            return;
        }
        self.section("on_word_title");
        self.say("on_word_intro", &[]);
        self.page.list(said.into_iter());
    }

    fn incomplete(&mut self) {
        if self.own.incomplete.is_empty() {
            return;
        }
        self.section("incomplete");
        self.say("incomplete_intro", &[]);
        let whys: Vec<String> = self.own.incomplete.iter().map(|why| self.why(why)).collect();
        self.page.list(whys.into_iter());
    }

    fn replicas(&mut self) {
        let texts = self.texts;
        self.section("replicas");
        if !self.own.scope.encrypted {
            self.say("not_encrypted", &[]);
        }
        let heads =
            ["replica", "unreadable", "gone", "pending", "horizon", "copies"].map(|key| texts.column(key));
        self.page.begin_table(texts.page("replicas"), &heads);
        for own in &self.own.evidence.replicas {
            let known = self.own.outlook.iter().find(|known| known.replica == own.name);
            let copies = known.map_or(Copies::NotKnown, |known| known.copies);
            let date = |date: &Option<String>| {
                date.as_deref().map_or_else(|| texts.page("not_known").to_owned(), |date| self.date(date))
            };
            let open = |date: &Option<String>| {
                let open = texts.state.get("open").map_or("", String::as_str);
                date.as_deref().map_or_else(|| open.to_owned(), |date| self.date(date))
            };
            let cells = [
                own.name.clone(),
                open(&own.unreadable),
                open(&own.gone),
                own.pending.to_string(),
                date(&own.horizon),
                word(&texts.copies, &copies).to_owned(),
            ];
            self.page.html.push_str("<tr>");
            for cell in &cells {
                self.page.cell("", cell);
            }
            self.page.html.push_str("</tr>\n");
        }
        self.page.end_table();
    }

    fn planned(&mut self) {
        self.section("plan");
        let own = &self.own.plan;
        let numbers = [own.masked, own.corrected, own.removed, own.live, own.left].map(|own| own.to_string());
        let [masked, corrected, removed, live, left] = &numbers;
        let values = [
            ("sha256", &*own.sha256.to_string()),
            ("at", &self.date(&own.at)),
            ("by", &own.by),
            ("masked", masked),
            ("corrected", corrected),
            ("removed", removed),
            ("live", live),
            ("left", left),
        ];
        self.say("plan_text", &values);
        self.section("approvals");
        let orders: Vec<String> = self
            .own
            .orders
            .iter()
            .map(|order| {
                let keys: Vec<&str> = order.approved_by.iter().map(String::as_str).collect();
                let values = [
                    ("entry", order.entry.as_str()),
                    ("space", order.space.as_str()),
                    ("sha256", &order.sha256.to_string()),
                    ("at", &self.date(&crate::clock::rfc3339(order.entry.time()))),
                    ("keys", &keys.join(", ")),
                ];
                fill(self.texts.page("order"), &values)
            })
            .collect();
        match orders.is_empty() {
            true => self.say("none", &[]),
            false => self.page.list(orders.into_iter()),
        }
    }

    fn kept(&mut self) {
        self.section("kept");
        let texts = self.texts;
        let line = |key: &str, ground: &Ground, count: &u64| {
            let values = [("count", &*count.to_string()), ("ground", word(&texts.ground, ground))];
            fill(texts.page(key), &values)
        };
        let kept = self.own.kept.iter().map(|(ground, count)| line("kept_item", ground, count));
        let holds = self.own.holds.iter().map(|(ground, count)| line("hold_item", ground, count));
        let all: Vec<String> = kept.chain(holds).collect();
        match all.is_empty() {
            true => self.say("kept_nothing", &[]),
            false => self.page.list(all.into_iter()),
        }
    }

    fn searched(&mut self) {
        self.section("searched");
        let (own, texts) = (&self.own.searched, self.texts);
        let values = [
            ("at", &*self.date(&own.at)),
            ("tool", &own.tool),
            ("items", &own.items.to_string()),
            ("bytes", &own.bytes.to_string()),
        ];
        self.say("searched_text", &values);
        let snapshots = own.snapshots.iter().map(|own| {
            let values = [
                ("repository", own.repository.as_str()),
                ("snapshots", &own.snapshots.to_string()),
                ("from", &self.language.date(own.from.time().date_naive())),
                ("to", &self.language.date(own.to.time().date_naive())),
            ];
            fill(texts.page("searched_of"), &values)
        });
        let live =
            own.live.iter().map(|name| fill(texts.page("searched_live"), &[("repository", name.as_str())]));
        let all: Vec<String> = snapshots.chain(live).collect();
        self.page.list(all.into_iter());
        self.section("unsearchable");
        let words = PackageTexts::of(self.language);
        let reasons: Vec<String> = own
            .unsearchable
            .iter()
            .filter(|(_, count)| **count > 0)
            .map(|(reason, count)| {
                let values = [("count", &*count.to_string()), ("reason", words.reason(*reason))];
                fill(texts.page("unsearchable_item"), &values)
            })
            .collect();
        match reasons.is_empty() {
            true => self.say("unsearchable_nothing", &[]),
            false => self.page.list(reasons.into_iter()),
        }
        self.section("beyond");
        self.page.list(own.beyond.iter().map(|not| words.not(*not).to_owned()));
    }

    fn lists(&mut self) {
        let texts = self.texts;
        self.section("prismic");
        self.say("prismic_intro", &[]);
        self.page.list(self.own.prismic.iter().map(|own| word(&texts.prismic, own).to_owned()));
        self.section("methods");
        self.page.list(self.own.methods.iter().map(|own| word(&texts.method, own).to_owned()));
        self.say("independence", &[]);
        self.seen();
        let own = &self.own.own_files;
        match &own.looked {
            None => self.say("own_files_not", &[]),
            Some(looked) => {
                let values = [
                    ("looked", &*self.date(looked)),
                    ("removed", &own.removed.to_string()),
                    ("left", &own.left.to_string()),
                ];
                self.say("own_files", &values);
            }
        }
    }

    /// What was seen beside repositories and replicas, and what could not be.
    fn seen(&mut self) {
        let evidence = &self.own.evidence;
        for own in &evidence.local {
            let [files, leaks, unscanned] =
                [own.scanned.0, own.leaks, own.unscanned].map(|own| own.to_string());
            let values = [
                ("name", own.name.as_str()),
                ("files", &files),
                ("leaks", &leaks),
                ("unscanned", &unscanned),
            ];
            self.say("local", &values);
        }
        match evidence.sought.map_or(0, |sought| sought.weak) {
            0 => {}
            count => self.say("weak", &[("count", &count.to_string())]),
        }
        for own in evidence.live.iter().filter(|own| own.releases == Some(0)) {
            self.say("no_release", &[("repository", own.repository.as_str())]);
        }
    }

    fn tool(&mut self) {
        self.section("tool");
        let recall = &self.own.recall;
        let numbers = [recall.found, recall.texts, recall.cultures, recall.decoys, recall.decoys_taken];
        let [found, all, cultures, decoys, taken] = numbers.map(|own| own.to_string());
        let values = [
            ("tool", &*self.own.tool),
            ("measured", &self.language.date(recall.measured)),
            ("measured_tool", &recall.tool),
            ("found", &found),
            ("texts", &all),
            ("cultures", &cultures),
            ("decoys", &decoys),
            ("taken", &taken),
        ];
        self.say("tool_text", &values);
    }
}
