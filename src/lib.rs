//! Backup, export and disaster recovery for repositories of the headless CMS Prismic.
//!
//! The house has floors; a module imports from its own floor sparingly and from floors below
//! freely, never from above (`tests/it/tidy.rs` watches).
//!
//! | floor | rooms |
//! | --- | --- |
//! | 0 | [`clock`], [`ids`], [`secret`], [`progress`], [`retry`], [`limits`], [`escape`], [`spreadsheet`], [`markup`], [`files`] |
//! | 1 | [`objects`]: flat storage of whole objects |
//! | 1 | [`config`]: `prismvault.toml`, secrets by reference |
//! | 1 | [`prismic`]: clients that read and write through the APIs of Prismic, and the model of its documents |
//! | 2 | [`vault`]: packs, catalog, index, manifests, keys and ledger over replicas |
//! | 2 | [`contentapi`]: the Content API as an engine; [`sandbox`]: a whole repository on this machine |
//! | 3 | [`snapshot`]: reads a repository at one ref into a vault |
//! | 3 | [`restore`]: content back out of a vault: files, one archive, one item, a search; a repository back into Prismic |
//! | 3 | [`retention`]: which snapshots stay, holds, and removals that can be taken back |
//! | 3 | [`keys`]: who may sign and who may read, changed for years |
//! | 3 | [`replication`]: every replica gets what the manifests that it is to hold need |
//! | 3 | [`verification`]: is what the manifests promise really there, on every replica |
//! | 3 | [`pruning`]: what no snapshot needs goes, in two phases; what the storage is used for |
//! | 3 | [`locks`]: Object Lock over the years: renewed, and compared with what was promised |
//! | 3 | [`access`]: members of a repository over time, and what each role may do with the vault |
//! | 3 | [`diff`]: what differs between documents, snapshots, and a snapshot and live, as a changelog |
//! | 3 | [`privacy`]: data-subject requests: cases and their deadlines, a person found in every snapshot, handed over, corrected or erased everywhere, with proof |
//! | 3 | [`standby`]: snapshots served through Prismic's own Content API, out of the vault |
//! | 3 | [`status`]: each repository against its objectives, alarms, numbers for Prometheus |
//! | 4 | [`drill`]: rehearsals of a recovery: injected disasters, phases, gates, signed evidence |
//! | 5 | [`schedule`]: jobs as files, when each runs (crontab(5) in its time zone), and one run: lease, record |
//! | 5 | [`notify`]: tells people and programs what is wrong, once, again, and when it is over |
//! | 6 | [`server`]: the ports of the daemon: Prismic's webhooks; health and metrics |
//! | 6 | [`cli`]: clap, output, exit codes: one file a command |

pub mod access;
pub mod cli;
pub mod clock;
pub mod config;
pub mod contentapi;
pub mod diff;
pub mod drill;
pub mod escape;
pub mod files;
pub mod ids;
pub mod keys;
pub mod limits;
pub mod locks;
pub mod markup;
pub mod notify;
pub mod objects;
pub mod prismic;
pub mod privacy;
pub mod progress;
pub mod pruning;
pub mod replication;
pub mod restore;
pub mod retention;
pub mod retry;
pub mod sandbox;
pub mod schedule;
pub mod secret;
pub mod server;
pub mod snapshot;
pub mod spreadsheet;
pub mod standby;
pub mod status;
pub mod vault;
pub mod verification;
