//! The page that explains an exported archive to somebody who has nothing else.

use std::fmt::Write as _;

use crate::snapshot::NOT_IN_ANY_SNAPSHOT;
use crate::vault::format::manifest::{Manifest, Tally};
use crate::vault::signing::VerifyingKey;

/// Returns the page for the archive of a snapshot whose manifest `signer` signed.
pub(super) fn text(manifest: &Manifest, signer: &VerifyingKey) -> String {
    let mut page = format!(
        "# {repository}, snapshot {snapshot}\n\n\
         The content of a repository of the headless CMS Prismic, as plain files, exported by {tool}.\n\
         **This archive is not encrypted.** It may hold personal data.\n\n\
         - repository at Prismic: {source}\n\
         - read from {started} to {finished}\n\
         - status: {status}\n\n",
        repository = manifest.repository,
        snapshot = manifest.snapshot,
        tool = concat!("prismvault ", env!("CARGO_PKG_VERSION")),
        source = manifest.source.repository,
        started = manifest.started,
        finished = manifest.finished,
        status = manifest.status.label(),
    );
    counts(&mut page, manifest);
    page.push_str(FILES);
    check(&mut page, manifest, signer);
    page.push_str(READING);
    page.push_str(
        "## What is not in it\n\nNo official API of Prismic gives these, so no backup has them:\n\n",
    );
    for (what, why) in NOT_IN_ANY_SNAPSHOT {
        line(&mut page, &format!("- {what}: {why}"));
    }
    let gaps = manifest.gaps.iter().chain(&manifest.accepted_gaps);
    let gaps: Vec<String> = gaps.map(|gap| format!("- `{}`: {}", gap.subject, gap.detail)).collect();
    if !gaps.is_empty() {
        line(&mut page, "\nThese could not be read from Prismic when the snapshot was taken:\n");
        line(&mut page, &gaps.join("\n"));
    }
    page.push_str(
        "\nIf there is a file `MISSING.txt`, it names what could not be read from the backup when this archive \
         was made.\n",
    );
    page
}

const FILES: &str = "\
## What is where

- `documents/<language>/<type>/<document id>.json`: published documents, as Prismic's Content API sent them, \
without `href` and `url`, which change or depend on the reader
- `releases/<release id>/documents/…`: documents as a planned release would change them
- `models/customtypes/<id>.json`, `models/slices/<id>.json`: custom types and shared slices
- `assets/<asset id>/metadata.json` and beside it the file itself under its own name
- `repository/…`: the API's root, languages, tags
- `manifest.json`: what the source said it had and what was stored

Names that file systems could mistake for one another have `~2` in them.

";

const READING: &str = "\
## Reading it

    # uid, type and language of every document
    find documents -name '*.json' -exec jq -r '[.uid, .type, .lang] | @tsv' {} +

    # one document
    jq . documents/*/*/DOCUMENT_ID.json

    # documents whose content mentions a word
    grep -rliF 'WORD' documents

    # file names of all assets, with their ids
    jq -r '[.id, .filename] | @tsv' assets/*/metadata.json

";

fn counts(page: &mut String, manifest: &Manifest) {
    page.push_str("| what | in the snapshot | at the source |\n| --- | --- | --- |\n");
    let counts = &manifest.counts;
    let mut row = |what: &str, tally: &Tally| {
        let reported = tally.reported.map_or_else(|| "not told".to_owned(), |count| count.to_string());
        line(page, &format!("| {what} | {} | {reported} |", tally.stored));
    };
    row("documents", &counts.documents);
    for (release, tally) in &counts.release_documents {
        row(&format!("documents changed by release {release}"), tally);
    }
    row("custom types and slices", &counts.models);
    row("assets", &counts.assets);
    page.push('\n');
}

fn check(page: &mut String, manifest: &Manifest, signer: &VerifyingKey) {
    let text = format!(
        "## Checking it\n\n\
         Unpack with `tar --zstd -xf FILE` (or `zstd -d < FILE | tar x`; an archive named `.tar` with `tar xf`). \
         In the directory:\n\n    sha256sum --quiet -c SHA256SUMS\n    minisign -Vm manifest.json -P {signer}\n\n\
         The first command finds damage. The second shows that the manifest is the one that was signed when the \
         snapshot was taken, if you know from elsewhere that the key is right: an archive cannot vouch for \
         itself. When it was made, every file was checked against the catalog that the manifest of the vault \
         {vault} names.\n\n",
        vault = manifest.vault,
    );
    page.push_str(&text);
}

fn line(page: &mut String, line: &str) {
    writeln!(page, "{line}").expect("writing to a String cannot fail");
}
