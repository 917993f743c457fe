//! What dry runs promise of requests and bytes, against what the real runs then take.

use std::sync::Arc;

use prismvault::objects::counting::{CountingStore, Counts};
use prismvault::objects::operation::Operation;
use prismvault::progress::Silent;
use prismvault::restore::{
    OpenSnapshot, OverwriteMode, RestoreOptions, Selection, plan_files, restore_files,
};
use prismvault::vault::snapshots::Snapshots;
use prismvault::verification::{Level, VerifyOptions, forecast, verify};
use tokio_util::sync::CancellationToken;

use crate::backups::{Backup, Source, configuration, small, verify_options};
use crate::workplace::Workplace;

/// A vault with two snapshots on two replicas, with small packs and small ranges.
async fn backup(source: &Source) -> (Backup, Vec<CountingStore>) {
    let mut backup = Backup::in_memory(2).await;
    backup.limits.pack_bytes = 24 << 10;
    backup.limits.frame_bytes = 4 << 10;
    // Items are larger than a stretch, or even than a range.
    backup.limits.stretch_bytes = 6 << 10;
    backup.limits.range_bytes = 10 << 10;
    backup.limits.page_entries_min = 8;
    backup.limits.page_entries_max = 16;
    backup.snapshot(source).await.unwrap();
    source.repository.edit(0.2, 1).unwrap();
    backup.snapshot(source).await.unwrap();
    let mut counted = Vec::new();
    for (_, store) in &mut backup.stores {
        let counting = CountingStore::new(Arc::clone(store));
        *store = Arc::new(counting.clone());
        counted.push(counting);
    }
    (backup, counted)
}

fn take(counted: &[CountingStore]) -> Vec<Counts> {
    counted.iter().map(CountingStore::take_counts).collect()
}

fn gets(counts: &Counts) -> u64 {
    counts.of(Operation::Get) + counts.of(Operation::GetRange)
}

#[tokio::test]
async fn a_forecast_of_a_verification_is_what_it_takes_beyond_the_listings() {
    let source = small();
    let (backup, counted) = backup(&source).await;
    let everyone = vec![backup.operator.clone(), backup.recovery.clone()];
    let run = async |options: &VerifyOptions<'_>| {
        let vault = backup.open_with(everyone.clone()).await.unwrap();
        take(&counted);
        let report = verify(&vault, options).await.unwrap();
        assert_eq!(report.damage, []);
        (take(&counted), report)
    };
    let (base, _) = run(&verify_options(Level::Presence)).await;
    for level in [Level::Presence, Level::Stored, Level::Bytes, Level::Content] {
        let options = verify_options(level);
        let vault = backup.open_with(everyone.clone()).await.unwrap();
        take(&counted);
        let promised = forecast(&vault, &options).await.unwrap();
        assert!(take(&counted).iter().all(|counts| counts.writes() == 0));
        let (real, report) = run(&options).await;
        assert_eq!((promised.snapshots, promised.items), (report.snapshots, report.items), "{level:?}");
        for (at, name) in ["replica-0", "replica-1"].into_iter().enumerate() {
            let own = promised.traffic.get(name).cloned().unwrap_or_default();
            let more = |of: fn(&Counts) -> u64| of(&real[at]) - of(&base[at]);
            let told = format!("{level:?} on {name}: {own:?}, {:?} beyond {:?}", real[at], base[at]);
            assert_eq!(own.head, more(|counts| counts.of(Operation::Head)), "{told}");
            // Links and what they lack are looked at besides, where content is.
            let slack = if level == Level::Content { own.get / 5 + 8 } else { 0 };
            let (get, read) = (more(gets), more(|counts| counts.bytes_read));
            assert!(get >= own.get && get <= own.get + slack, "{told}");
            let slack = if level == Level::Content { own.bytes_read / 5 } else { 0 };
            assert!(read >= own.bytes_read && read <= own.bytes_read + slack, "{told}");
        }
    }
    // A sample: what comes first in its turn.
    let mut options = verify_options(Level::Bytes);
    options.scope.sample = Some("10%".parse().unwrap());
    let vault = backup.open_with(everyone.clone()).await.unwrap();
    let promised = forecast(&vault, &options).await.unwrap();
    let (_, report) = run(&options).await;
    let bytes: u64 = promised.traffic.values().map(|own| own.bytes_read).sum();
    assert_eq!(bytes, report.bytes_read);
    let whole = forecast(&vault, &verify_options(Level::Bytes)).await.unwrap();
    assert!(bytes * 3 < whole.traffic.values().map(|own| own.bytes_read).sum::<u64>());
    options.scope.replicas = vec!["nobody".to_owned()];
    assert!(forecast(&vault, &options).await.is_err());
}

#[tokio::test]
async fn a_forecast_of_a_restore_is_what_reading_the_content_takes() {
    for everything in [true, false] {
        let source = small();
        let (backup, counted) = backup(&source).await;
        let vault = backup.open_with(vec![backup.operator.clone(), backup.recovery.clone()]).await.unwrap();
        let snapshots = Snapshots::load(&vault, None).await.unwrap();
        let manifest = snapshots.iter().last().unwrap().manifest.clone();
        let open = OpenSnapshot::open(&vault, &snapshots, &manifest).await.unwrap();
        let selection = match everything {
            true => Selection::default(),
            false => Selection { types: vec!["page".to_owned()], ..Selection::default() },
        };
        let options = || RestoreOptions {
            selection: selection.clone(),
            overwrite: OverwriteMode::Refuse,
            progress: &Silent,
            cancel: CancellationToken::new(),
        };
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("out");
        let plan = plan_files(&open, &target, options()).await.unwrap();
        // Each opened by itself: who reads a second time fetches no header again.
        let open = OpenSnapshot::open(&vault, &snapshots, &manifest).await.unwrap();
        take(&counted);
        open.catalog().await.unwrap();
        let catalog = take(&counted);
        let open = OpenSnapshot::open(&vault, &snapshots, &manifest).await.unwrap();
        take(&counted);
        let report = restore_files(&open, &target, options()).await.unwrap();
        let real = take(&counted);
        assert_eq!(report.created as usize, plan.files.len());
        assert_eq!(report.bytes, plan.bytes);
        for (at, name) in ["replica-0", "replica-1"].into_iter().enumerate() {
            let own = plan.forecast.get(name).cloned().unwrap_or_default();
            let told = format!("{everything} {name}: {own:?}, {:?} with {:?}", real[at], catalog[at]);
            assert_eq!(own.get, gets(&real[at]) - gets(&catalog[at]), "{told}");
            assert_eq!(own.bytes_read, real[at].bytes_read - catalog[at].bytes_read, "{told}");
            assert_eq!((real[at].writes(), own.put), (0, 0), "{told}");
        }
        let all: u64 = plan.forecast.values().map(|own| own.get).sum();
        assert!(all > 4, "{all}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_dry_run_tells_what_it_would_cost_as_text_and_as_json() {
    let (source, place) = (small(), Workplace::new());
    let replicas = [("one", place.file("one")), ("two", place.file("two"))];
    let replicas: Vec<_> = replicas.iter().map(|(name, path)| (*name, path.as_path())).collect();
    place.write("prismvault.toml", &configuration(&source, &replicas));
    place.expect(0, &["init"]);
    place.expect(0, &["snapshot"]);
    for (line, pointer) in [
        (&["replicate", "--dry-run"][..], "/forecast/one/list"),
        (&["verify", "--level", "bytes", "--dry-run"], "/traffic/one/get"),
        (&["verify", "--full", "--dry-run"], "/traffic/one/bytes_read"),
        (&["prune", "--dry-run"], "/plan/replicas/0/requests/list"),
        (&["prune", "--dry-run", "--repack"], "/plan/replicas/0/requests/get"),
        (&["restore", "files", "latest", "--to", "out", "--dry-run"], "/forecast/one/get"),
    ] {
        let json = place.expect(0, &[line, &["--json"]].concat()).json();
        let number = json.pointer(pointer).and_then(serde_json::Value::as_u64);
        assert!(number.is_some_and(|number| number > 0), "{line:?} {pointer}: {json}");
        let text = place.expect(0, line);
        let tells = ["GET", "requests", "LIST"].iter().any(|word| text.stdout.contains(word));
        assert!(tells, "{line:?}: {text:?}");
    }
    assert!(!place.file("out").exists());
}
