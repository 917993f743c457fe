//! `prismvault keys add`.

use super::change::{self, Options};
use crate::cli::error::{CommandError, ErrorKind};
use crate::cli::{Context, Outcome};
use crate::keys::Change;
use crate::vault::envelope::Recipient;
use crate::vault::format::trust::Role;
use crate::vault::signing::VerifyingKey;

/// Arguments of `keys add`.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("key").required(true).args(["recovery", "privacy", "operator", "signing"]))]
pub(super) struct Args {
    /// age public key that reads content, as the recovery identity does
    #[arg(long, value_name = "AGE1…")]
    recovery: Option<Recipient>,
    /// age public key that reads content and cases, of a person who works on data-subject requests
    #[arg(long, value_name = "AGE1…")]
    privacy: Option<Recipient>,
    /// minisign public key of the same person, which signs what happens to cases and approves erasures
    #[arg(long, value_name = "RW…", requires = "privacy")]
    approves: Option<VerifyingKey>,
    /// age public key that reads catalogs, as the operator identity does
    #[arg(long, value_name = "AGE1…")]
    operator: Option<Recipient>,
    /// minisign public key that signs; one that signs already gets these roles in place of its own
    #[arg(long, value_name = "RW…", requires = "role")]
    signing: Option<VerifyingKey>,
    /// What it signs: snapshot, maintenance, privacy; may be repeated
    #[arg(long, value_name = "ROLE", requires = "signing")]
    role: Vec<Role>,
    /// What to call the key; stands in the vault, so no personal data is better
    #[arg(long, value_name = "TEXT")]
    label: Option<String>,
    #[command(flatten)]
    pub(super) options: Options,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    let mut changes = Vec::new();
    let reads_cases = args.privacy.is_some();
    if let Some(recipient) = args.recovery.or(args.privacy) {
        changes.push(match reads_cases {
            true => Change::AddPrivacy(recipient.clone()),
            false => Change::AddContent(recipient.clone()),
        });
        changes.extend(args.label.clone().map(|label| Change::Label(recipient.to_string(), label)));
        if let Some(key) = args.approves {
            changes.push(Change::SetSigner(key.clone(), vec![Role::Privacy]));
            let label = args.label.map(|label| Change::Label(key.to_string(), format!("{label} (approves)")));
            changes.extend(label);
        }
    } else if let Some(recipient) = args.operator {
        changes.push(Change::AddCatalog(recipient.clone()));
        changes.extend(args.label.map(|label| Change::Label(recipient.to_string(), label)));
    } else if let Some(key) = args.signing {
        changes.push(Change::SetSigner(key.clone(), args.role));
        changes.extend(args.label.map(|label| Change::Label(key.to_string(), label)));
    } else {
        return Err(CommandError::new(ErrorKind::Usage, "no key was named"));
    }
    change::run(changes, args.options, context).await
}
