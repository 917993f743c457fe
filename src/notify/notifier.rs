//! Tells everybody what is due, and remembers what arrived.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream;
use tokio::sync::Mutex;

use super::due::{Pace, Step, due, note};
use super::error::{SendError, SendErrorKind};
use super::http::{Http, Ping};
use super::message::Message;
use super::notice::{Change, Notice};
use super::routes::Routes;
use super::run::{RunEnd, RunFacts, Stopped};
use super::turn::Turn;
use super::{email, hooks};
use crate::clock::Clock;
use crate::config::{Channel, Config, Hooks, Notification, SecretRef, Target, WebhookBody};
use crate::ids::Name;
use crate::limits::Limits;
use crate::progress::Problem;
use crate::retry::Backoff;
use crate::schedule::Receiver;
use crate::secret::Secret;
use crate::status::Alarm;
use crate::vault::format::told::{Said, Told};
use crate::vault::lease::Holder;
use crate::vault::open::Vault;
use crate::vault::replica::with_causes;
use crate::vault::told;

/// Who looks for the alarms of [`Notifier::alarms`].
const STATUS: &str = "status";

/// What came of an attempt to reach one receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Its name.
    pub name: Name,
    /// Its kind, as in the configuration.
    pub kind: &'static str,
    /// What went well, in words, or why it did not.
    pub result: Result<&'static str, SendError>,
}

/// Sends notifications; one a process. Nothing is reached before something is to be said.
///
/// What was said is remembered here, and in the vault where one is given: so a process whose vault
/// is away still says nothing twice.
pub struct Notifier {
    targets: Vec<Notification>,
    limits: Limits,
    clock: Arc<dyn Clock>,
    http: Http,
    told: Memory,
    /// Name of the replica that gives leases; by default the first that can.
    lease: Option<String>,
}

/// What was said, as far as a process knows, and who it is for others who tell; outlives a
/// configuration that is read again. Cheap to clone: all clones are one.
#[derive(Debug, Clone)]
pub struct Memory(Arc<Process>);

#[derive(Debug)]
struct Process {
    told: Mutex<Told>,
    holder: Holder,
}

impl Memory {
    /// Returns the memory of a process on the machine of this name that has said nothing yet.
    pub fn of(host: impl Into<String>) -> Self {
        Self(Arc::new(Process { told: Mutex::default(), holder: Holder::new(host) }))
    }
}

impl Default for Memory {
    /// Returns that of a process on a machine without name.
    fn default() -> Self {
        Self::of("a machine without name")
    }
}

/// Which changes of a source a receiver wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wants {
    All,
    /// Only that something is over.
    Ends,
}

/// What one receiver is to be told.
struct Round<'a> {
    target: &'a Notification,
    steps: Vec<Step>,
}

impl Notifier {
    /// Returns the notifier of a configuration.
    pub fn new(config: &Config, clock: Arc<dyn Clock>) -> Self {
        Self {
            targets: config.notifications.clone(),
            limits: config.limits.clone(),
            http: Http::new(config.limits.clone(), Arc::clone(&clock)),
            clock,
            told: Memory::default(),
            lease: config.run.lease.clone(),
        }
    }

    /// Returns the same, which knows what others of this process have said.
    #[must_use]
    pub fn remembering(self, memory: Memory) -> Self {
        Self { told: memory, ..self }
    }

    /// Tells of the beginning of a run: calls its pings and runs its `before` hooks, one after the
    /// other. What did not arrive is in the list.
    ///
    /// # Errors
    ///
    /// When a hook failed that may stop the run: then it must not begin, and
    /// [`ended`](Self::ended) is to be told of it.
    pub async fn before(&self, facts: &RunFacts<'_>) -> Result<Vec<Problem>, Stopped> {
        let notify = &facts.job.notify;
        let (mut problems, ran) =
            tokio::join!(self.ping_all(&notify.ping, Ping::Start), self.before_hooks(facts));
        problems.extend(ran?);
        Ok(problems)
    }

    /// Tells of the end of a run: hooks, then pings and messages. A failure that another attempt
    /// follows is told to hooks only. What did not arrive is in the list.
    pub async fn ended(&self, vault: Option<&Vault>, facts: &RunFacts<'_>, end: &RunEnd) -> Vec<Problem> {
        let mut problems = self.after_hooks(facts, end).await;
        if !end.is_well() && !facts.is_last {
            return problems;
        }
        let notify = &facts.job.notify;
        let ping = if end.is_well() { Ping::Success } else { Ping::Failure };
        let alarms: Vec<Alarm> = end.alarm(facts).into_iter().collect();
        let receivers: BTreeMap<&Name, Wants> = (notify.on_success.iter())
            .map(|receiver| (&receiver.name, Wants::Ends))
            .chain(notify.on_failure.iter().map(|receiver| (&receiver.name, Wants::All)))
            .chain(self.defaults().map(|name| (name, Wants::All)))
            .collect();
        let source = format!("job/{}", facts.job.name);
        let everything = |_: &Alarm, _: &Name| true;
        let (pings, told) = tokio::join!(
            self.ping_all(&notify.ping, ping),
            self.tell(vault, &source, &alarms, &receivers, &everything)
        );
        problems.extend(pings.into_iter().chain(told));
        problems
    }

    /// Tells of everything that is wrong now, as [`Assessment`](crate::status) finds it: what was
    /// told before and is not among `alarms` is over. What did not arrive is in the list.
    pub async fn alarms(&self, vault: Option<&Vault>, routes: &Routes, alarms: &[Alarm]) -> Vec<Problem> {
        let receivers = routes.receivers().map(|name| (name, Wants::All)).collect();
        self.tell(vault, STATUS, alarms, &receivers, &|alarm, name| routes.leads(alarm, name)).await
    }

    /// Tries receivers, all at once, and says what came of each. Hooks are looked for and not run.
    pub async fn test(&self, names: &[Name]) -> Vec<Delivery> {
        let targets = self.targets.iter().filter(|target| names.is_empty() || names.contains(&target.name));
        let tried = targets.map(|target| async move {
            let result = self.test_one(target).await;
            Delivery { name: target.name.clone(), kind: target.target.kind(), result }
        });
        stream::iter(tried).buffered(self.limits.store_concurrency).collect().await
    }

    async fn test_one(&self, target: &Notification) -> Result<&'static str, SendError> {
        match &target.target {
            Target::Message { channel, .. } => {
                let notice = Notice::test(self.clock.now());
                let mut arrived = 0;
                self.in_time(self.send_all(channel, vec![notice], &mut arrived)).await?;
                Ok("the receiver took a test message")
            }
            Target::Ping(url) => {
                let address = self.secret(url).await?;
                self.in_time(self.retried(|| self.http.ping(&address, Ping::Log))).await?;
                Ok("the receiver took a call of /log, which changes nothing there")
            }
            Target::Hooks(own) => {
                for words in [&own.before, &own.after, &own.failed, &own.finally].into_iter().flatten() {
                    hooks::find(words, &own.directory)?;
                }
                Ok("its programs are here; they were not run")
            }
        }
    }

    /// How turns at telling are taken: as whom, on which replica, and by which bounds.
    pub(super) fn turns(&self) -> (&Holder, Option<&str>, &Limits) {
        (&self.told.0.holder, self.lease.as_deref(), &self.limits)
    }

    /// Receivers of everything.
    fn defaults(&self) -> impl Iterator<Item = &Name> {
        let is_default =
            |target: &&Notification| matches!(target.target, Target::Message { default: true, .. });
        self.targets.iter().filter(is_default).map(|target| &target.name)
    }

    fn target(&self, name: &Name) -> Option<&Notification> {
        self.targets.iter().find(|target| target.name == *name)
    }

    async fn ping_all(&self, receivers: &[Receiver], ping: Ping) -> Vec<Problem> {
        let calls = receivers.iter().filter_map(|receiver| {
            let Some(Target::Ping(url)) = self.target(&receiver.name).map(|known| &known.target) else {
                return None;
            };
            Some(async move {
                let called = self.in_time(async {
                    let address = self.secret(url).await?;
                    self.retried(|| self.http.ping(&address, ping)).await
                });
                called.await.err().map(|error| not_sent(&receiver.name, &error))
            })
        });
        let failed: Vec<Option<Problem>> =
            stream::iter(calls).buffered(self.limits.store_concurrency).collect().await;
        failed.into_iter().flatten().collect()
    }

    fn hooks<'a>(&'a self, facts: &'a RunFacts<'_>) -> impl Iterator<Item = (&'a Name, &'a Hooks)> {
        facts.job.notify.hooks.iter().filter_map(|receiver| match &self.target(&receiver.name)?.target {
            Target::Hooks(own) => Some((&receiver.name, own)),
            Target::Message { .. } | Target::Ping(_) => None,
        })
    }

    async fn before_hooks(&self, facts: &RunFacts<'_>) -> Result<Vec<Problem>, Stopped> {
        let mut problems = Vec::new();
        for (name, own) in self.hooks(facts) {
            let Some(words) = &own.before else { continue };
            let environment = facts.environment("before", None);
            let Err(error) = hooks::run(words, &own.directory, &environment, own.timeout).await else {
                continue;
            };
            if own.before_stops {
                return Err(Stopped { hook: name.clone() });
            }
            problems.push(hook_failed(name, "before", &error));
        }
        Ok(problems)
    }

    async fn after_hooks(&self, facts: &RunFacts<'_>, end: &RunEnd) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (name, own) in self.hooks(facts) {
            let of_end = if end.is_well() { ("after", &own.after) } else { ("failed", &own.failed) };
            for (event, words) in [of_end, ("finally", &own.finally)] {
                let Some(words) = words else { continue };
                let environment = facts.environment(event, Some(end));
                if let Err(error) = hooks::run(words, &own.directory, &environment, own.timeout).await {
                    problems.push(hook_failed(name, event, &error));
                }
            }
        }
        problems
    }

    /// Tells `receivers` what is due of `alarms`, of which each gets those that `leads` to it, and
    /// remembers what arrived.
    async fn tell(
        &self,
        vault: Option<&Vault>,
        source: &str,
        alarms: &[Alarm],
        receivers: &BTreeMap<&Name, Wants>,
        leads: &(dyn Fn(&Alarm, &Name) -> bool + Send + Sync),
    ) -> Vec<Problem> {
        if receivers.is_empty() {
            return Vec::new();
        }
        // Held while sending: two rounds at once would say the same.
        let mut told = self.told.0.told.lock().await;
        let rounds = |told: &Told| -> Vec<Round<'_>> {
            let round = |(name, wants): (&&Name, &Wants)| {
                let target = self.target(name)?;
                let nothing = BTreeMap::new();
                let said = told.to.get(*name).unwrap_or(&nothing);
                let steps = self.steps(target, said, source, alarms, *wants, leads)?;
                (!steps.is_empty()).then_some(Round { target, steps })
            };
            receivers.iter().filter_map(round).collect()
        };
        self.recall(vault, &mut told).await;
        if rounds(&told).is_empty() {
            return Vec::new();
        }
        let turn = Turn::take(self, vault).await;
        // Whoever told meanwhile may have said all of it.
        self.recall(vault, &mut told).await;
        let problems = self.say_all(vault, rounds(&told), &mut told).await;
        if let Some(turn) = turn {
            turn.give_back().await;
        }
        problems
    }

    /// Takes over what the vault knows of what was said, unless this process knows better.
    async fn recall(&self, vault: Option<&Vault>, told: &mut Told) {
        if let Some(vault) = vault {
            let kept = told::load(vault, self.clock.now()).await;
            if kept.at >= told.at {
                *told = kept;
            }
        }
    }

    /// Sends what is due, and remembers what arrived.
    async fn say_all(&self, vault: Option<&Vault>, rounds: Vec<Round<'_>>, told: &mut Told) -> Vec<Problem> {
        if rounds.is_empty() {
            return Vec::new();
        }
        let sent = rounds.into_iter().map(|round| self.say(round));
        let sent: Vec<_> = stream::iter(sent).buffered(self.limits.store_concurrency).collect().await;
        let mut problems = Vec::new();
        for (name, steps, problem) in sent {
            note(told.to.entry(name).or_default(), steps);
            problems.extend(problem);
        }
        told.to.retain(|_, said| !said.is_empty());
        told.at = Some(told::next_at(told.at, self.clock.now(), &self.limits));
        if let Some(vault) = vault
            && let Err(error) = told::store(vault, told).await
        {
            let detail = format!(
                "what was said cannot be remembered, so it may be said again: {}",
                with_causes(&error)
            );
            problems.push(Problem::new("notifications-not-remembered", "the vault", detail));
        }
        problems
    }

    /// What one receiver is told, and what is noted; `None` for one that gets no messages.
    fn steps(
        &self,
        target: &Notification,
        said: &BTreeMap<String, Said>,
        source: &str,
        alarms: &[Alarm],
        wants: Wants,
        leads: &(dyn Fn(&Alarm, &Name) -> bool + Send + Sync),
    ) -> Option<Vec<Step>> {
        let Target::Message { remind_every, .. } = &target.target else { return None };
        let pace = Pace { remind_every: remind_every.clone(), calm: self.limits.notice_calm };
        let own: Vec<Alarm> = alarms.iter().filter(|alarm| leads(alarm, &target.name)).cloned().collect();
        let mut steps = due(said, source, &own, &pace, self.clock.now());
        for step in &mut steps {
            let is_end = step.notice.as_ref().is_some_and(|notice| notice.change == Change::Ended);
            if is_end && alarms.iter().any(|alarm| alarm.key == step.key) {
                // Not over: it goes to others from now on.
                (step.notice, step.after) = (None, None);
            }
            if wants == Wants::Ends && !is_end {
                step.notice = None;
            }
        }
        Some(steps)
    }

    /// Sends what one receiver is to be told; returns the steps that hold now.
    async fn say(&self, round: Round<'_>) -> (Name, Vec<Step>, Option<Problem>) {
        let name = &round.target.name;
        let (mut speaking, silent): (Vec<Step>, Vec<Step>) =
            round.steps.into_iter().partition(|step| step.notice.is_some());
        let notices: Vec<Notice> = speaking.iter().filter_map(|step| step.notice.clone()).collect();
        let mut arrived = 0;
        let mut problem = None;
        if let (false, Target::Message { channel, .. }) = (notices.is_empty(), &round.target.target) {
            let sent = self.in_time(self.send_all(channel, notices, &mut arrived)).await;
            problem = sent.err().map(|error| not_sent(name, &error));
        }
        speaking.truncate(arrived);
        speaking.extend(silent);
        (name.clone(), speaking, problem)
    }

    /// Sends notices, and counts in `arrived` how many of them did: all at once, or in their order
    /// where each is a request.
    async fn send_all(
        &self,
        channel: &Channel,
        notices: Vec<Notice>,
        arrived: &mut usize,
    ) -> Result<(), SendError> {
        let count = notices.len();
        match channel {
            Channel::Webhook { url, body: WebhookBody::Template(template) } => {
                let address = self.secret(url).await?;
                for notice in notices.iter().take(self.limits.notices_sent) {
                    let body = template.render(|placeholder| notice.value(placeholder));
                    self.retried(|| self.http.post(&address, &body)).await?;
                    *arrived += 1;
                }
                return Ok(());
            }
            Channel::Webhook { url, body } => {
                let address = self.secret(url).await?;
                let Some(message) = Message::of(notices, self.limits.notices_shown) else { return Ok(()) };
                let body = match body {
                    WebhookBody::Slack => message.slack(),
                    WebhookBody::Teams => message.teams(),
                    WebhookBody::Generic | WebhookBody::Template(_) => message.generic(),
                };
                self.retried(|| self.http.post(&address, &body)).await?;
            }
            Channel::Email(own) => {
                let password = match &own.login {
                    Some((_, password)) => Some(self.secret(password).await?),
                    None => None,
                };
                let Some(message) = Message::of(notices, self.limits.notices_shown) else { return Ok(()) };
                let (password, timeout) = (password.as_ref(), self.limits.notice_timeout);
                let now = self.clock.now();
                self.retried(|| email::send(own, password, &message, now, timeout)).await?;
            }
        }
        *arrived = count;
        Ok(())
    }

    /// Tries again what may pass.
    async fn retried<F, S>(&self, send: F) -> Result<(), SendError>
    where
        F: Fn() -> S,
        S: Future<Output = Result<(), SendError>>,
    {
        let (min, max) = (self.limits.backoff_min, self.limits.backoff_max);
        let backoff = Backoff { min, max, attempts: self.limits.notice_attempts };
        let mut failed = 0;
        loop {
            let Err(error) = send().await else { return Ok(()) };
            failed += 1;
            let Some(pause) = backoff.pause(failed).filter(|_| error.kind.may_pass()) else {
                return Err(error);
            };
            let asked = error.retry_after.unwrap_or_default();
            if asked > max {
                return Err(error);
            }
            tokio::time::sleep(pause.max(asked)).await;
        }
    }

    /// Bounds everything that is done for one receiver in one round.
    async fn in_time<T>(&self, work: impl Future<Output = Result<T, SendError>>) -> Result<T, SendError> {
        tokio::time::timeout(self.limits.notice_round, work).await.unwrap_or_else(|_| {
            Err(SendError::new(SendErrorKind::TimedOut, "it took too long in all, and was given up"))
        })
    }

    async fn secret(&self, reference: &SecretRef) -> Result<Secret, SendError> {
        let (reference, limits) = (reference.clone(), self.limits.clone());
        // It may ask a password manager.
        let resolved = tokio::task::spawn_blocking(move || reference.resolve(&limits)).await;
        let stopping = |_| SendError::new(SendErrorKind::Local, "the program is stopping");
        resolved.map_err(stopping)?.map_err(|error| {
            let own = SendError::new(SendErrorKind::Secret, error.to_string());
            match error.next_step() {
                Some(step) => own.hint(step),
                None => own,
            }
        })
    }
}

impl fmt::Debug for Notifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&Name> = self.targets.iter().map(|target| &target.name).collect();
        f.debug_struct("Notifier").field("targets", &names).finish_non_exhaustive()
    }
}

fn not_sent(name: &Name, error: &SendError) -> Problem {
    Problem::new("notification-not-sent", format!("notification {name}"), in_words(error))
}

fn hook_failed(name: &Name, event: &str, error: &SendError) -> Problem {
    Problem::new("hook-failed", format!("hook {name} ({event})"), in_words(error))
}

fn in_words(error: &SendError) -> String {
    match error.next_step() {
        Some(step) => format!("{error}; {step}"),
        None => error.to_string(),
    }
}
