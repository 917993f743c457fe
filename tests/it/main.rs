//! One test binary; a module a subject.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails; clippy's setting covers test functions, not their helpers"
)]

mod abilities;
mod access;
mod audit;
mod backups;
mod bad_replicas;
mod chain;
mod cli;
mod cli_audit;
mod cli_backups;
mod cli_faults;
mod cli_json;
mod cli_keys;
mod cli_locks;
mod cli_prune;
mod cli_reading;
mod cli_replicate;
mod cli_run;
mod cli_s3;
mod cli_waits;
mod config;
mod contentapi;
mod contentapi_answers;
mod contentapi_projections;
mod crashes;
mod damage;
mod demo;
mod deploy;
mod doctor;
mod doctor_roles;
mod first_use;
mod forecasts;
mod golden;
mod hidden;
mod iam;
mod incremental;
mod keys;
mod keys_crashes;
mod known_links;
mod leases;
mod locks;
mod notifications;
mod objects;
mod objects_s3;
mod objects_versions;
mod places;
mod prismic;
mod probe;
mod pruning;
mod pruning_faults;
mod pruning_keys;
mod reading;
mod rebuild_index;
mod repack;
mod replicas;
mod replication;
mod replication_faults;
mod restore;
mod retention;
mod s3_credentials;
mod s3_server;
mod s3_strict;
mod sandbox;
mod sandbox_cli;
mod sandbox_content;
mod sandbox_faults;
mod schedule;
mod snapshot;
mod snapshot_assets;
mod snapshot_content;
mod snapshot_gaps;
mod standby;
mod status;
mod tidy;
mod vault_rules;
mod vaults;
mod verification_budget;
mod webhooks;
mod workplace;
