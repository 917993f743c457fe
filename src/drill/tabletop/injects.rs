//! What is thrown in, minute by minute, and what is asked then.
//!
//! Some of it follows from the scenario of the plan, the rest is what no program can try. Ids are made from what a
//! question is about, so that the same question has the same id in the next pack, and a finding about it stays one.

use serde::Serialize;

use crate::drill::gate::Gate;
use crate::drill::plan::{Plan, Target};
use crate::drill::scenario::Injection;
use crate::ids::Name;

/// Something that is thrown in, with what is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Question {
    /// Its id: the same as long as the plan has what it is about.
    pub id: String,
    /// Minutes after the beginning.
    pub minute: u32,
    /// What happens.
    pub inject: String,
    /// What is asked.
    pub question: String,
    /// The law or standard for which it matters; absent: none in particular.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clause: Option<&'static str>,
}

impl Question {
    fn new(
        id: impl Into<String>,
        minute: u32,
        inject: impl Into<String>,
        question: impl Into<String>,
    ) -> Self {
        Self { id: id.into(), minute, inject: inject.into(), question: question.into(), clause: None }
    }

    fn by(self, clause: &'static str) -> Self {
        Self { clause: Some(clause), ..self }
    }

    /// Both parts, for worksheets and reports.
    pub fn words(&self) -> String {
        format!("{} {}", self.inject, self.question)
    }
}

/// All questions of a plan that recovers these repositories, in the order of their minutes. No two have one id.
pub fn questions(plan: &Plan, repositories: &[Name]) -> Vec<Question> {
    let mut all = opening(plan, repositories);
    for injection in &plan.scenario {
        all.push(injected(plan, injection));
    }
    all.extend(keys());
    all.extend(world(plan));
    all.extend(law());
    all.extend(back(plan));
    all.sort_by_key(|own| own.minute);
    // A plan may name a thing twice.
    let mut known = std::collections::BTreeSet::new();
    all.retain(|own| known.insert(own.id.clone()));
    all
}

fn opening(plan: &Plan, repositories: &[Name]) -> Vec<Question> {
    let mut all = vec![
        Question::new(
            "alarm",
            0,
            format!("{}.", plan.summary.trim_end_matches('.')),
            "Who notices it, by what, and whom do they tell first?",
        ),
        Question::new(
            "declare",
            2,
            "Nobody has called it a disaster yet.",
            "Who may declare one, who in their place, and what does that set going?",
        )
        .by("ISO 22301:2019, 8.4"),
    ];
    all.extend(repositories.iter().map(|name| {
        Question::new(
            format!("contact-{name}"),
            5,
            format!("The contacts of {name} are called, and the first does not answer."),
            "Who is next, from where do you have the number while your own systems are down, and after how long is \
             somebody reached?",
        )
    }));
    all
}

/// What follows from the scenario.
fn injected(plan: &Plan, injection: &Injection) -> Question {
    let words = format!(
        "{}.",
        sentence(&match injection {
            // Questions go into reports: they name roles.
            Injection::PersonAbsent { person } => format!("{} cannot be reached", role(plan, person).1),
            other => other.words(),
        })
    );
    match injection {
        Injection::ReplicaGone { replica } => Question::new(
            format!("replica-{replica}"),
            10,
            words,
            "Who finds out whether it is gone or only out of reach, who calls the provider, and from which copy is \
             read meanwhile?",
        ),
        Injection::RegionGone { region } => Question::new(
            format!("region-{}", slug(region)),
            10,
            words,
            "What else of yours is in that region: the program, keys, chat, sign-on, the site itself?",
        ),
        Injection::PacksDamaged { replica, .. } => Question::new(
            replica.as_ref().map_or_else(|| "damaged".to_owned(), |replica| format!("damaged-{replica}")),
            12,
            words,
            "What could not be healed from any copy is missing: who decides to go on without it, and who is told?",
        ),
        Injection::NewestMissing => Question::new(
            "newest-missing",
            12,
            words,
            "Who tells the editors which edits are lost, and do they have them anywhere else?",
        ),
        Injection::MachineGone => Question::new(
            "machine",
            12,
            words,
            "On which machine is recovered, who may install the program there, and where are its configuration and \
             tokens?",
        ),
        Injection::OperatorLost => Question::new(
            "operator-identity",
            15,
            words,
            "Which identity is used in its place, and who takes the lost one out of the vault afterwards?",
        ),
        Injection::PersonAbsent { person } => Question::new(
            format!("absent-{}", role(plan, person).0),
            8,
            words,
            "Who does that now, do they know it, and have they the access that it takes?",
        ),
        Injection::PrismicUnreachable => Question::new(
            "prismic-down",
            10,
            words,
            "How do you find out what Prismic knows, and after how long, by whom, is the site pointed to the standby?",
        ),
    }
}

/// Keys: who has them, and whether enough people come together.
fn keys() -> [Question; 3] {
    [
        Question::new(
            "key-holder",
            15,
            "The person who holds the recovery identity is on leave.",
            "Who fetches it, from where, with whose permission, and how long does that take?",
        )
        .by("SOC 2 A1.3"),
        Question::new(
            "key-quorum",
            20,
            "The root key is needed, and an erasure waits for its approvals.",
            "Which people have to come together for each, and how soon can enough of them?",
        ),
        Question::new(
            "intruder",
            25,
            "Somebody may have been in the systems for weeks.",
            "Who decides which snapshot is from before that, and which keys and tokens are changed before anything \
             goes live?",
        ),
    ]
}

/// What has to happen outside of this program.
fn world(plan: &Plan) -> Vec<Question> {
    let mut all = vec![
        Question::new(
            "dns",
            30,
            "The site must read from another address.",
            "Who changes DNS, the CDN and the settings of the site, with which access, and how long until everybody \
             sees it?",
        ),
        Question::new(
            "prismic-support",
            35,
            "Something is needed that only Prismic can do.",
            "How is their support reached, under which contract, and who may ask on your behalf?",
        ),
        Question::new(
            "editors",
            45,
            "Editors go on working.",
            "Who tells them to stop, in which repository do they write, and how is what they wrote meanwhile brought \
             over?",
        ),
        Question::new(
            "press",
            70,
            "Customers and the press have noticed.",
            "Who speaks for the organisation, where, and who clears the words?",
        ),
    ];
    if !matches!(plan.target, Target::Environment(_)) {
        all.push(Question::new(
            "new-repository",
            40,
            "Content has to go back into Prismic, into a repository that is not there yet.",
            "Who may create it, does the contract allow its size and seats, and who sets up webhooks, roles and \
             releases, which no snapshot holds?",
        ));
    }
    all
}

fn law() -> [Question; 4] {
    [
        Question::new(
            "authority",
            60,
            "Personal data may be lost or disclosed.",
            "Who decides whether the supervisory authority is told, when did the 72 hours begin, and who writes it?",
        )
        .by("GDPR Art. 33"),
        Question::new(
            "persons-concerned",
            65,
            "The risk for the people concerned may be high.",
            "Who tells them, how do you know who they are, and in which words?",
        )
        .by("GDPR Art. 34"),
        Question::new(
            "legal",
            68,
            "Contracts and insurance have deadlines of their own.",
            "Who knows them, and who keeps evidence before it is cleaned up?",
        ),
        Question::new(
            "erased-people",
            80,
            "The snapshot is older than an erasure.",
            "Who checks that nobody who was erased is there again before anybody sees it?",
        )
        .by("GDPR Art. 17"),
    ]
}

/// The way back to service.
fn back(plan: &Plan) -> Vec<Question> {
    let mut all: Vec<Question> = Gate::ALL
        .into_iter()
        .filter(|gate| !gate.is_for_machines())
        .zip([90, 95, 100])
        .map(|(gate, minute)| {
            let named = plan.gates.iter().any(|(own, _)| *own == gate);
            let who = match named {
                true => "Does whoever decides know what to look at, who decides in their place, and what would be a no?",
                false => "Nobody is named in the plan: who decides, who in their place, and what would be a no?",
            };
            Question::new(format!("gate-{gate}"), minute, format!("At the gate {gate}: {}.", gate.criterion()), who)
        })
        .collect();
    all.extend([
        Question::new(
            "decide-live",
            98,
            "The machine says that all is well.",
            "Who may decide to go live with restored content, and who must have been heard before?",
        )
        .by("NIST CSF 2.0 RC.RP-05"),
        Question::new(
            "go-back",
            105,
            "An hour after going live something is wrong.",
            "Who decides to go back, to what, and what becomes of edits made in between?",
        ),
        Question::new(
            "record",
            120,
            "It is over.",
            "Who writes down what happened, who closes what was found, and when is the next rehearsal?",
        )
        .by("ISO 22301:2019, 8.5"),
    ]);
    all
}

/// What somebody does, as part of an id and in words: neither names anybody.
fn role(plan: &Plan, person: &str) -> (String, String) {
    if let Some(own) = plan.participants.iter().find(|own| own.name == person) {
        return (slug(&own.role), format!("the person whose role is: {}", own.role));
    }
    if let Some(own) = plan.participants.iter().find(|own| own.substitute.as_deref() == Some(person)) {
        let words = format!("the substitute of the person whose role is: {}", own.role);
        return (format!("substitute-{}", slug(&own.role)), words);
    }
    match plan.gates.iter().find(|(_, owner)| owner == person) {
        Some((gate, _)) => (format!("gate-{gate}"), format!("whoever decides at the gate {gate}")),
        None => ("somebody".to_owned(), "somebody who is needed".to_owned()),
    }
}

/// With a capital at the beginning.
fn sentence(words: &str) -> String {
    let mut chars = words.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// Words as part of an id.
fn slug(words: &str) -> String {
    let mut slug = String::new();
    for char in words.chars() {
        match char.is_ascii_alphanumeric() {
            true => slug.push(char.to_ascii_lowercase()),
            false if !slug.ends_with('-') => slug.push('-'),
            false => {}
        }
    }
    let slug: String = slug.trim_matches('-').chars().take(60).collect();
    match slug.is_empty() {
        // Words of other scripts leave nothing.
        true => crate::ids::Digest::of(words.as_bytes()).to_string()[..12].to_owned(),
        false => slug,
    }
}
