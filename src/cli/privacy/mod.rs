//! `prismvault privacy`: data-subject requests, for privacy officers.

mod approve;
mod assess;
mod certificate;
mod check;
mod classify;
mod close;
mod corrections;
mod desk;
mod due;
mod erase;
mod export;
mod extend;
mod hold;
mod horizon;
mod identity;
mod letter;
mod list;
mod note;
mod open;
mod overview;
mod pause;
mod plan;
mod planning;
mod purge;
mod recipients;
mod refuse;
mod reopen;
mod review;
mod rewrap;
mod search;
mod show;
mod sources;
mod subject;
mod tasks;
mod verify_certificate;
mod verify_package;

pub(super) use self::check::check_all;
pub(super) use self::classify::tell_of_fields;
pub(super) use self::purge::purge_all;
use super::error::CommandError;
use super::record::Effect;
use super::session::IdentityOptions;
use super::{Context, Outcome};

/// Arguments of `privacy`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    identity: IdentityOptions,
    #[command(subcommand)]
    command: Option<PrivacyCommand>,
}

#[derive(Debug, clap::Subcommand)]
enum PrivacyCommand {
    /// Open a case for a request that came
    Open(open::Args),
    /// List cases
    List(list::Args),
    /// Show a case: what happened, until when it is due and why, what to do next
    Show(show::Args),
    /// What is due, most pressing first; exit code 6 when something is overdue
    Due(due::Args),
    /// Write a letter from a template: to the person (receipt, identity, extension, refusal, answer), or to
    /// Prismic's support about what only they can erase (support)
    Letter(letter::Args),
    /// Ask for proof of identity, or record how it was checked
    Identity(identity::Args),
    /// Say by what the person is known: names, e-mail addresses, phones, handles, ids
    Subject(subject::Args),
    /// Look for the person in every snapshot and live, and list what could not be searched
    Search(search::Args),
    /// Decide what of it is the person: on the terminal, or in a worksheet that comes back
    Review(review::Args),
    /// Record the legal assessment: exceptions, what is kept, the rights of others
    Assess(assess::Args),
    /// Say what is to become of everything that was found, for others to approve
    Plan(plan::Args),
    /// Approve a plan that somebody else made, with a key of your own
    Approve(approve::Args),
    /// Carry out an approved plan in every replica; the same again goes on with what is left
    Erase(erase::Args),
    /// List what is left to people in Prismic, and mark what they did
    Tasks(tasks::Args),
    /// Show until when copies of what was erased can survive, and what is promised of it; or promise a day
    Horizon(horizon::Args),
    /// Write the certificate of an erasure: what is shown, since when, and what is open; signed
    Certificate(certificate::Args),
    /// Look whether people who were erased are there again, live or in snapshots since; exit code 3 when somebody
    /// is, and `status` raises an alarm until a later look finds nothing
    Check(check::Args),
    /// Record that everybody who got the data from you was told
    Recipients(recipients::Args),
    /// Make the package with the person's data: for access, or for portability
    Export(Box<export::Args>),
    /// Check that a package is what was signed: every file, none more, none less; needs no vault with --key
    VerifyPackage(verify_package::Args),
    /// Check a certificate of an erasure: that it is what was signed, and that its claims follow from what was
    /// seen; needs no vault with --key
    VerifyCertificate(verify_certificate::Args),
    /// Add a note to a case
    Note(note::Args),
    /// Put something of a case under hold, or release a hold
    Hold(hold::Args),
    /// Record that the person was told that more time is needed
    Extend(extend::Args),
    /// Stop the clock: the person was asked what the request is about
    Pause(pause::Args),
    /// Let the clock run again: the person has answered
    Resume(pause::Args),
    /// Refuse the request
    Refuse(refuse::Args),
    /// Close a case
    Close(close::Args),
    /// Open a case again that was closed because it was done
    Reopen(reopen::Args),
    /// Say what each field may hold of people, and see which fields nobody has looked at
    Classify(classify::Args),
    /// Remove the files of cases, and packages on this host, that are kept no longer
    Purge(purge::Args),
    /// Make cases readable for people who came later
    Rewrap(rewrap::Args),
}

impl Args {
    /// Whether it writes.
    pub(super) fn effect(&self) -> Effect {
        let Some(command) = &self.command else { return Effect::Reads };
        match command {
            PrivacyCommand::List(_)
            | PrivacyCommand::Show(_)
            | PrivacyCommand::Due(_)
            | PrivacyCommand::VerifyCertificate(_)
            | PrivacyCommand::Certificate(_)
            | PrivacyCommand::Check(_)
            | PrivacyCommand::VerifyPackage(_) => Effect::Reads,
            PrivacyCommand::Export(args) => args.effect(),
            PrivacyCommand::Letter(args) => args.effect(),
            PrivacyCommand::Open(args) => Effect::unless_dry("privacy open", args.dry_run),
            PrivacyCommand::Identity(args) => args.step.effect("privacy identity"),
            PrivacyCommand::Subject(args) => args.effect(),
            PrivacyCommand::Search(args) => args.effect(),
            PrivacyCommand::Review(args) => args.effect(),
            PrivacyCommand::Assess(args) => args.step.effect("privacy assess"),
            PrivacyCommand::Plan(args) => args.effect(),
            PrivacyCommand::Approve(args) => args.effect(),
            PrivacyCommand::Erase(args) => args.effect(),
            PrivacyCommand::Tasks(args) => args.effect(),
            PrivacyCommand::Horizon(args) => args.effect(),
            PrivacyCommand::Recipients(args) => args.step.effect("privacy recipients"),
            PrivacyCommand::Note(args) => args.step.effect("privacy note"),
            PrivacyCommand::Hold(args) => args.step.effect("privacy hold"),
            PrivacyCommand::Extend(args) => args.step.effect("privacy extend"),
            PrivacyCommand::Pause(args) => args.step.effect("privacy pause"),
            PrivacyCommand::Resume(args) => args.step.effect("privacy resume"),
            PrivacyCommand::Refuse(args) => args.step.effect("privacy refuse"),
            PrivacyCommand::Close(args) => args.step.effect("privacy close"),
            PrivacyCommand::Reopen(args) => args.step.effect("privacy reopen"),
            PrivacyCommand::Classify(args) => args.effect(),
            PrivacyCommand::Purge(args) => args.effect(),
            PrivacyCommand::Rewrap(args) => Effect::unless_dry("privacy rewrap", args.dry_run),
        }
    }
}

/// Runs one of the subcommands; alone, the overview.
///
/// # Errors
///
/// Those of the subcommand.
pub async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    let Some(command) = args.command else { return overview::run(args.identity, context).await };
    match command {
        PrivacyCommand::Open(args) => open::run(args, context).await,
        PrivacyCommand::List(args) => list::run(args, context).await,
        PrivacyCommand::Show(args) => show::run(args, context).await,
        PrivacyCommand::Due(args) => due::run(args, context).await,
        PrivacyCommand::Letter(args) => letter::run(args, context).await,
        PrivacyCommand::Identity(args) => identity::run(args, context).await,
        PrivacyCommand::Subject(args) => subject::run(args, context).await,
        PrivacyCommand::Search(args) => search::run(args, context).await,
        PrivacyCommand::Review(args) => review::run(args, context).await,
        PrivacyCommand::Assess(args) => assess::run(args, context).await,
        PrivacyCommand::Plan(args) => plan::run(args, context).await,
        PrivacyCommand::Approve(args) => approve::run(args, context).await,
        PrivacyCommand::Erase(args) => erase::run(args, context).await,
        PrivacyCommand::Tasks(args) => tasks::run(args, context).await,
        PrivacyCommand::Horizon(args) => horizon::run(args, context).await,
        PrivacyCommand::Certificate(args) => certificate::run(args, context).await,
        PrivacyCommand::Check(args) => check::run(args, context).await,
        PrivacyCommand::Recipients(args) => recipients::run(args, context).await,
        PrivacyCommand::Export(args) => export::run(*args, context).await,
        PrivacyCommand::VerifyPackage(args) => verify_package::run(args, context).await,
        PrivacyCommand::VerifyCertificate(args) => verify_certificate::run(args, context).await,
        PrivacyCommand::Note(args) => note::run(args, context).await,
        PrivacyCommand::Hold(args) => hold::run(args, context).await,
        PrivacyCommand::Extend(args) => extend::run(args, context).await,
        PrivacyCommand::Pause(args) => pause::pause(args, context).await,
        PrivacyCommand::Resume(args) => pause::resume(args, context).await,
        PrivacyCommand::Refuse(args) => refuse::run(args, context).await,
        PrivacyCommand::Close(args) => close::run(args, context).await,
        PrivacyCommand::Reopen(args) => reopen::run(args, context).await,
        PrivacyCommand::Classify(args) => classify::run(args, context).await,
        PrivacyCommand::Purge(args) => purge::run(args, context).await,
        PrivacyCommand::Rewrap(args) => rewrap::run(args, context).await,
    }
}
