//! Every bound in one place.
//!
//! A number that limits a queue, a fan-out, a retry or a size stands here with its reason, so
//! that nobody has to search for it and tests can shrink it.

use std::time::Duration;

/// The bounds of one process. [`Limits::default`] are the values of the documentation.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// Content API requests a second and host. Prismic answers 429 above 200 uncached requests a
    /// second and repository.
    pub content_requests: f64,
    /// Asset API requests a second and host. Prismic allows one.
    pub asset_requests: f64,
    /// Types API requests a second and host. Prismic publishes no limit.
    pub types_requests: f64,
    /// Migration API requests a second and repository. Prismic allows one.
    pub migration_requests: f64,
    /// Documents that a migration release holds; Prismic's holds 1,000.
    pub release_documents: u32,
    /// Time that a published migration release may take to be live, before a restore stops waiting for
    /// it. Prismic says nothing of it; after a quarter of this it is published once more.
    pub publish_patience: Duration,
    /// Search pages requested at once.
    pub content_concurrency: usize,
    /// Documents a search page holds; Prismic's maximum is 100.
    pub page_size: u32,
    /// Assets a page of the media library holds.
    pub asset_page_size: u32,
    /// Asset files downloaded at once.
    pub asset_downloads: usize,
    /// Bytes of an asset kept in memory before it goes to a temporary file.
    pub asset_memory_bytes: usize,
    /// Largest answer of an API that is kept in memory. A page of 100 documents of 250 KB each
    /// fits.
    pub answer_bytes_max: u64,
    /// Largest asset; Prismic takes 100 MB, a download that goes on for ever must end.
    pub asset_bytes_max: u64,
    /// Longest address sent to the Content API; Prismic refuses 2,048 characters and more.
    pub url_bytes_max: usize,

    /// Attempts of one request to Prismic, the first included.
    pub request_attempts: u32,
    /// First pause between attempts; doubles each time, with jitter.
    pub backoff_min: Duration,
    /// Longest pause between attempts that we choose.
    pub backoff_max: Duration,
    /// Longest `Retry-After` that is obeyed; a longer one fails the request.
    pub retry_after_max: Duration,
    /// Time to connect.
    pub connect_timeout: Duration,
    /// Time in which an answer must make progress.
    pub read_timeout: Duration,
    /// Time for one whole answer of an API, however steadily it trickles.
    pub answer_timeout: Duration,
    /// Time in which an upload must move on, and be answered after its last byte: the system takes some
    /// megabytes before a slow line has carried them, at half a megabit within a minute, and the media
    /// library looks into files before it answers.
    pub upload_silence: Duration,
    /// Silence of a service after which people are told that it is waited for: most answers take
    /// less than a second, and nobody looks at a still screen for longer than this in peace.
    pub silence_noticed: Duration,
    /// Times a listing of the media library starts again because its cursor was refused: the
    /// asset it named was deleted meanwhile.
    pub asset_list_restarts: u32,
    /// Files with an accepted gap that a run asks for again although no document changed. One
    /// request finds their addresses, so an unchanged run stays within ten.
    pub accepted_retries: usize,
    /// An incremental read asks for documents published later than this before the newest one that
    /// the snapshot before knows. Dates have whole seconds and the predicate is strict; documents of
    /// one bulk publish get their dates one after the other, and clocks of the service differ.
    pub publication_margin: Duration,
    /// Requests for documents by id that an incremental read may make in any case; beyond that it
    /// may make as many as a full read has pages, and reads in full when that is not enough.
    pub incremental_id_requests: usize,
    /// Documents of which somebody may say that they changed, as webhooks do; more than so many are
    /// found without. Anybody who knows a webhook's secret can name documents that did not change,
    /// and each hundred of them costs a request or two.
    pub told_documents: usize,
    /// Times a run starts again at a new ref when the pinned one is refused.
    pub ref_restarts: u32,
    /// Repositories of which snapshots are taken at once. Each holds its catalog (about 200 bytes a
    /// document and asset), a few pages of documents, and spools its packs to disk; most of the time
    /// it waits for Prismic, which counts requests by repository.
    pub repositories_at_once: usize,

    /// Size at which a pack of documents or assets is closed.
    pub pack_bytes: u64,
    /// Finished packs that are being sent at once; more wait, and so do those who make them. Each
    /// takes its size on the disk of the spool directory, not in memory.
    pub packs_in_flight: usize,
    /// Uncompressed bytes of items that go into one zstd frame.
    pub frame_bytes: usize,
    /// Zstandard level.
    pub zstd_level: i32,
    /// Fewest entries of a catalog page.
    pub page_entries_min: usize,
    /// Most entries of a catalog page.
    pub page_entries_max: usize,
    /// Stored bytes after which a running snapshot writes an index object, so that a killed run
    /// goes on from there.
    pub checkpoint_bytes: u64,
    /// Time after which it does.
    pub checkpoint_every: Duration,
    /// A run that takes longer does not commit: pruning counts on it.
    pub max_run: Duration,
    /// Time between the mark and the deletion of what no snapshot needs, and for which a removed
    /// snapshot can be taken back: at least twice `max_run`, so that every run that may rely on
    /// what is marked has long committed.
    pub prune_grace: Duration,
    /// Small index objects of a space from which on pruning merges them into one: each costs
    /// every cold reader a request.
    pub index_merge_count: usize,
    /// Size below which an index object is small.
    pub index_merge_bytes: u64,
    /// Share of a pack in percent below which `prune --repack` rewrites it. What is still needed of
    /// it is written once more to every replica, so below half of it more is gained than written.
    pub repack_below: u8,
    /// Largest difference between this clock and a store's.
    pub clock_skew_max: Duration,
    /// Difference that is worth a warning: NTP keeps clocks within a second, and answers may take
    /// some.
    pub clock_skew_noticed: Duration,
    /// Age from which on a token is to be replaced: the usual advice is 90 days.
    pub token_age_advised: Duration,
    /// Time before the end of a token that is worth a warning: long enough for holidays.
    pub token_end_noticed: Duration,
    /// Time before the answer to a data-subject request is due that is worth a warning: a letter is
    /// written, looked at by another person and sent.
    pub request_due_noticed: Duration,
    /// Attempts at a request that only finds out whether something answers: somebody waits.
    pub check_attempts: u32,

    /// Objects that are copied between replicas at once. Small ones wait for answers most of the
    /// time; what large ones take is bounded by `copy_memory_bytes`.
    pub copies_in_flight: usize,
    /// Memory that all copies between replicas take together. Buffers of the connections come on
    /// top: all in all it stays below 100 MiB.
    pub copy_memory_bytes: u64,
    /// Bytes of an object that is copied which are hashed, and then sent, at once. Of a large one two
    /// such batches are in memory: one that is written and one that is read.
    pub copy_batch_bytes: u64,
    /// Objects sent to or read from one replica at once.
    pub store_concurrency: usize,
    /// Attempts of one request to a replica, the first included.
    pub store_attempts: u32,
    /// Time for one request to a replica without its body.
    pub store_timeout: Duration,
    /// Slowest rate at which a body is waited for, in bytes a second: it adds to
    /// `store_timeout`. Half a megabit; a line slower than that cannot carry a backup.
    pub store_bytes_per_second_min: u64,
    /// Bytes read from a replica by one range request when a whole object is streamed. A larger item
    /// is not held in memory.
    pub range_bytes: u64,
    /// Bytes of a pack, stored and decompressed, that are read by one request when many items are
    /// wanted; at most `range_bytes`. An item that is larger is read alone.
    pub stretch_bytes: u64,
    /// Such stretches that are read ahead of their use. Each takes twice its size while it is
    /// decrypted and decompressed. A store gives several small ones at once sooner than a few large
    /// ones, and more would be more requests, or more memory.
    pub stretches_ahead: usize,
    /// Files that a restore writes at once: making and renaming each waits for the kernel, and one thread
    /// alone writes small files more slowly than they are read.
    pub file_writes: usize,
    /// Directories that a restore syncs at once. One after the other each waits for the disk; a few
    /// at once share the wait.
    pub directory_syncs: usize,
    /// Largest object that is read whole into memory: manifests, trust, ledger, headers.
    pub small_object_bytes_max: u64,
    /// Largest copy of a restore's journal in the vault, as it is stored. A restore of 100,000 documents
    /// with as many assets writes about 40 MB; each look at the copies reads all of one.
    pub restore_copy_bytes_max: u64,
    /// Largest index object that is read.
    pub index_bytes_max: u64,
    /// Headers, or names of files, in one ledger entry: about 5 MB, well below
    /// `small_object_bytes_max`, and a killed run loses no more than one entry.
    pub ledger_names_max: usize,

    /// Most things that one entry of the audit log names; more are counted. A repair may mend a
    /// million objects, and an entry is read whole.
    pub audit_subjects_max: usize,

    /// Largest list of members that is imported: ten thousand people need about 1 MB, and it is read
    /// whole.
    pub member_list_bytes_max: u64,
    /// Administrators of a repository above which a review says that they are many.
    pub administrators_advised: usize,
    /// Age from which on a list of members is too old to be reviewed: reviews are quarterly.
    pub member_list_age_advised: Duration,
    /// Time that people have for an access review beyond that, before it counts as overdue: holidays.
    pub access_review_slack: Duration,
    /// Age from which on a look for erased people is too old where no schedule says how often there is to be one:
    /// who is named again should be gone within the month that the law gives for an answer.
    pub erased_look_age_advised: Duration,
    /// Time that a gate of a drill may wait for the person who decides there before somebody is told: two weeks of
    /// holidays.
    pub drill_gate_wait: Duration,
    /// Attempts at sending one notification, the first included: more would hold up what comes
    /// after it, and what was not said is said the next time.
    pub notice_attempts: u32,
    /// Time for one attempt, the whole conversation with a mail server included.
    pub notice_timeout: Duration,
    /// Time for all messages to one receiver in one round, retries included.
    pub notice_round: Duration,
    /// Alarms that one message names; the others it counts. Nobody reads more on a telephone.
    pub notices_shown: usize,
    /// Requests to one receiver in one round, where each alarm is one; the others wait for the next.
    pub notices_sent: usize,
    /// How long a scheduler waits for another on the same vault that is telling: as long as that may
    /// take for one receiver. Then both tell.
    pub notice_turn: Duration,
    /// Time that the lease lasts under which one tells: three full rounds, then it counts as dead.
    pub notice_lease: Duration,
    /// Time for which an alarm that comes and goes must stay away before it is called over.
    pub notice_calm: Duration,

    /// Connections at once to the daemon's port; more wait in the system's queue.
    pub server_connections: usize,
    /// Time in which a request must be there as a whole, and its answer be taken.
    pub server_request_timeout: Duration,
    /// Bytes of the head of a request.
    pub server_head_bytes_max: usize,
    /// Bytes of a webhook's body. One that names ten thousand documents takes about 200 KiB.
    pub webhook_bytes_max: usize,
    /// Webhook requests a minute and address, before anything is read of them.
    pub webhook_requests_per_minute: u32,
    /// Addresses whose requests are counted at once; beyond them all others share one count.
    pub webhook_addresses: usize,

    /// Searches evaluated at once that read one page of documents; more wait. Those that wait for the
    /// vault hold a thread each.
    pub light_queries: usize,
    /// Searches evaluated at once that look into many documents (`fulltext`, fields, `similar`,
    /// `graphQuery`, `fetchLinks`, `routes`). Half of what is read from a vault at once, so that pages
    /// are read beside them.
    pub heavy_queries: usize,
    /// How long a search waits for its turn before it is answered 503.
    pub query_wait: Duration,
    /// Time for one evaluation, and for reading one file: longer than looking into a hundred thousand
    /// documents takes, shorter than the patience of any proxy.
    pub query_time: Duration,
    /// Bytes of linked documents that one answer may need. In memory each takes some times that.
    pub linked_bytes_max: usize,
    /// Bytes of linked documents that one answer may embed: those that link to each other could be
    /// embedded in each other without end.
    pub embedded_bytes_max: usize,
    /// Connections at once to a standby; ten times what a busy site with a cache in front opens.
    pub site_connections: usize,
    /// Time in which a connection to a standby must begin a request, send its head, and go on taking
    /// an answer.
    pub site_idle: Duration,
    /// Bytes of the head of a request to a standby: the longest address, and cookies.
    pub site_head_bytes_max: usize,

    /// Time over which `status` says for how much of it an objective was not met: a month, as
    /// reports to customers have it.
    pub burn_window: Duration,
    /// How late a job may begin before the scheduler counts as silent; its jitter and twice the time
    /// that its last run took come on top. Shorter than the shortest objective that anybody checks by
    /// hand, longer than a restart of a host.
    pub scheduler_silence: Duration,
    /// Time after which what pruning marked should be gone, beyond the grace and the longest lock:
    /// a weekly job, and one that failed once.
    pub deletion_slack: Duration,
    /// Locks of each replica that `status` reads: each is a request, and it is asked every few
    /// minutes. Other ones each day.
    pub status_locks: usize,
    /// Time that a lease lasts unless it is renewed, which is done each third of it: so long a job
    /// of a host that died waits for the next host.
    pub lease_lasts: Duration,
    /// How often files of jobs and configuration are looked at for changes.
    pub files_looked_at: Duration,

    /// Stored bytes of items that a comparison of snapshots has in memory at once, of both sides
    /// together; parsed they take some times that.
    pub diff_batch_bytes: u64,
    /// Changes of one item that a comparison keeps; nobody reads more of one document, and somebody may
    /// have made one with a million differences.
    pub diff_changes_max: usize,
    /// Steps of matching lists with each other, for one item: two lists of 1,400 paragraphs without
    /// anything in common. At most 32 MiB and a tenth of a second.
    pub diff_matching_max: usize,
    /// Bytes of changed values that a comparison of snapshots keeps, where values are asked for. Beyond
    /// that changes are told without values, and the report says so.
    pub diff_value_bytes: u64,

    /// Largest configuration file; two hundred clients need about 100 KiB.
    pub config_bytes_max: u64,
    /// Largest secret: a token, or a key file with comments.
    pub secret_bytes_max: u64,
    /// Time for a command that prints a secret; long enough to unlock a password manager.
    pub secret_command_timeout: Duration,
}

impl Limits {
    /// The time between mark and deletion that counts: `prune_grace`, and where somebody made that
    /// shorter, still twice the longest run.
    pub fn grace(&self) -> Duration {
        self.prune_grace.max(self.max_run * 2)
    }
}

impl Default for Limits {
    #[expect(clippy::too_many_lines, reason = "one line a bound")]
    fn default() -> Self {
        Self {
            content_requests: 150.0,
            asset_requests: 1.0,
            types_requests: 4.0,
            migration_requests: 1.0,
            release_documents: 1000,
            publish_patience: Duration::from_mins(20),
            content_concurrency: 8,
            page_size: 100,
            asset_page_size: 1000,
            asset_downloads: 16,
            asset_memory_bytes: 1 << 20,
            answer_bytes_max: 64 << 20,
            asset_bytes_max: 1 << 30,
            url_bytes_max: 2000,
            request_attempts: 6,
            backoff_min: Duration::from_secs(1),
            backoff_max: Duration::from_secs(30),
            retry_after_max: Duration::from_secs(300),
            connect_timeout: Duration::from_secs(15),
            read_timeout: Duration::from_secs(60),
            answer_timeout: Duration::from_mins(10),
            upload_silence: Duration::from_mins(3),
            silence_noticed: Duration::from_secs(3),
            asset_list_restarts: 3,
            accepted_retries: 4,
            publication_margin: Duration::from_secs(3600),
            incremental_id_requests: 8,
            told_documents: 200,
            ref_restarts: 3,
            repositories_at_once: 4,
            pack_bytes: 32 << 20,
            packs_in_flight: 2,
            frame_bytes: 1 << 20,
            zstd_level: 3,
            page_entries_min: 32,
            page_entries_max: 256,
            checkpoint_bytes: 1 << 30,
            checkpoint_every: Duration::from_mins(15),
            max_run: Duration::from_hours(24),
            prune_grace: Duration::from_hours(72),
            index_merge_count: 16,
            index_merge_bytes: 1 << 20,
            repack_below: 50,
            clock_skew_max: Duration::from_mins(5),
            clock_skew_noticed: Duration::from_secs(30),
            token_age_advised: Duration::from_hours(90 * 24),
            token_end_noticed: Duration::from_hours(14 * 24),
            request_due_noticed: Duration::from_hours(7 * 24),
            check_attempts: 2,
            copies_in_flight: 16,
            copy_memory_bytes: 32 << 20,
            copy_batch_bytes: 2 << 20,
            store_concurrency: 8,
            store_attempts: 5,
            store_timeout: Duration::from_mins(5),
            store_bytes_per_second_min: 64 << 10,
            range_bytes: 8 << 20,
            stretch_bytes: 4 << 20,
            stretches_ahead: 4,
            file_writes: 4,
            directory_syncs: 8,
            small_object_bytes_max: 16 << 20,
            restore_copy_bytes_max: 64 << 20,
            index_bytes_max: 1 << 30,
            ledger_names_max: 10_000,
            audit_subjects_max: 200,
            member_list_bytes_max: 4 << 20,
            administrators_advised: 3,
            member_list_age_advised: Duration::from_hours(90 * 24),
            access_review_slack: Duration::from_hours(14 * 24),
            erased_look_age_advised: Duration::from_hours(31 * 24),
            drill_gate_wait: Duration::from_hours(14 * 24),
            notice_attempts: 3,
            notice_timeout: Duration::from_secs(20),
            notice_round: Duration::from_mins(1),
            notices_shown: 20,
            notices_sent: 100,
            notice_turn: Duration::from_mins(1),
            notice_lease: Duration::from_mins(3),
            notice_calm: Duration::from_hours(1),
            server_connections: 64,
            server_request_timeout: Duration::from_secs(10),
            server_head_bytes_max: 16 << 10,
            light_queries: 64,
            heavy_queries: 4,
            query_wait: Duration::from_secs(10),
            query_time: Duration::from_mins(1),
            linked_bytes_max: 32 << 20,
            embedded_bytes_max: 64 << 20,
            site_connections: 1024,
            site_idle: Duration::from_secs(30),
            site_head_bytes_max: 64 << 10,
            webhook_bytes_max: 256 << 10,
            webhook_requests_per_minute: 120,
            webhook_addresses: 1024,
            burn_window: Duration::from_hours(30 * 24),
            scheduler_silence: Duration::from_hours(1),
            deletion_slack: Duration::from_hours(14 * 24),
            status_locks: 50,
            lease_lasts: Duration::from_mins(10),
            files_looked_at: Duration::from_secs(10),
            diff_batch_bytes: 32 << 20,
            diff_changes_max: 1000,
            diff_matching_max: 2 << 20,
            diff_value_bytes: 256 << 20,
            config_bytes_max: 4 << 20,
            secret_bytes_max: 64 << 10,
            secret_command_timeout: Duration::from_mins(1),
        }
    }
}
