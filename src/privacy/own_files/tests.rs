use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::register::Outputs;
use super::*;
use crate::ids::{CaseId, VaultId};
use crate::privacy::channels::Bounds;
use crate::privacy::matching::{Matcher, Tier};
use crate::privacy::subject::Subject;

/// Writes a file anew.
fn put(path: impl AsRef<Path>, bytes: impl AsRef<[u8]>) {
    std::io::Write::write_all(&mut fs::File::create(path).unwrap(), bytes.as_ref()).unwrap();
}

const PERSON: &str = "Perpetua Exampleton";

/// A host with a register and a directory for outputs.
struct Host {
    directory: tempfile::TempDir,
    register: Register,
}

impl Host {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let register = Register::at(&directory.path().join("state"));
        Self { directory, register }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn output(&self, kind: OutputKind, name: &str) -> Output {
        let at = "2026-11-22T10:00:00Z".parse().unwrap();
        Output::new(kind, &self.path(name), at, VaultId([7; 16])).unwrap()
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        put(path, text);
    }

    /// Files of a restore that was noted.
    fn restored(&self, files: &[(&str, &str)]) -> Output {
        let output = self.output(OutputKind::RestoredFiles, "restored");
        self.register.begin(&output).unwrap();
        for (name, text) in files {
            self.write(&format!("restored/{name}"), text);
        }
        self.register.finish(&output).unwrap();
        output
    }

    fn find(&self) -> Found {
        let case: CaseId = "2026-7K3F9Q".parse().unwrap();
        let outputs = self.register.outputs().unwrap();
        find(&outputs, |output| output.case.as_ref() == Some(&case), |_, inside, file| scan(inside, file))
    }
}

fn matcher() -> Matcher {
    let mut subject = Subject::default();
    subject.add(crate::privacy::subject::IdentifierKind::Name, PERSON).unwrap();
    Matcher::new(&subject, &[])
}

fn scan(inside: &Path, file: File) -> std::io::Result<Holds> {
    let (matcher, bounds) = (matcher(), Bounds::default());
    let is_person = |finding: &crate::privacy::matching::Finding| finding.tier <= Tier::B;
    super::scan::Scan { matcher: &matcher, bounds: &bounds, is_person: &is_person }.holds(inside, file)
}

fn whys(found: &[Refused]) -> Vec<Why> {
    found.iter().map(|refused| refused.why.clone()).collect()
}

#[test]
fn files_with_the_person_go_and_all_else_stays() {
    let host = Host::new();
    host.restored(&[
        ("a/with.txt", &format!("by {PERSON}, of course")),
        ("a/without.txt", "by nobody"),
        ("with.json", &format!("{{\"x\":\"{PERSON}\"}}")),
    ]);
    host.write("aside.txt", PERSON);
    let found = host.find();
    assert_eq!((found.files.len(), found.looked, found.left()), (2, 3, 2), "{found:?}");
    let removed = remove(&host.register, &found).unwrap();
    assert_eq!((removed.files.len(), removed.left()), (2, 0));
    assert!(host.path("restored/a/without.txt").exists() && host.path("aside.txt").exists());
    assert!(!host.path("restored/a/with.txt").exists() && !host.path("restored/with.json").exists());
    // Again, and once more where all of it is gone.
    assert_eq!(remove(&host.register, &host.find()).unwrap(), Removed::default());
    fs::remove_dir_all(host.path("restored")).unwrap();
    let found = host.find();
    assert_eq!((found.gone.len(), found.left()), (1, 0));
    remove(&host.register, &found).unwrap();
    assert_eq!(host.register.outputs().unwrap(), Outputs::default());
}

#[test]
fn what_is_made_for_the_case_goes_as_a_whole() {
    let host = Host::new();
    let case: CaseId = "2026-7K3F9Q".parse().unwrap();
    let (package, sheet) = (
        host.output(OutputKind::Package, "answer").of_case(&case),
        host.output(OutputKind::Worksheet, "sheet.csv").of_case(&case),
    );
    let other = host.output(OutputKind::Package, "other").of_case(&"2026-ABCDEF".parse().unwrap());
    host.write("answer/data.json", "{}");
    host.write("sheet.csv", "row");
    host.write("other/data.json", "{}");
    for output in [&package, &sheet, &other] {
        host.register.finish(output).unwrap();
    }
    let removed = remove(&host.register, &host.find()).unwrap();
    assert_eq!(removed.files, [host.path("answer"), host.path("sheet.csv")]);
    assert!(!host.path("answer").exists() && !host.path("sheet.csv").exists() && host.path("other").exists());
    assert_eq!(host.register.outputs().unwrap().all.len(), 1);
}

#[test]
fn what_is_not_known_to_be_ours_or_cannot_be_looked_into_is_left_and_told() {
    let host = Host::new();
    let unfinished = host.output(OutputKind::Export, "unfinished.tar");
    host.register.begin(&unfinished).unwrap();
    host.write("unfinished.tar", PERSON);
    let sealed = host.output(OutputKind::Export, "sealed.tar.age");
    host.write("sealed.tar.age", "age-encryption.org/v1\n");
    host.register.finish(&sealed).unwrap();
    let replaced = host.output(OutputKind::Item, "replaced.txt");
    host.write("replaced.txt", PERSON);
    host.register.finish(&replaced).unwrap();
    host.write("new.txt", PERSON);
    fs::rename(host.path("new.txt"), host.path("replaced.txt")).unwrap();
    let found = host.find();
    assert_eq!(found.files, []);
    assert_eq!(
        whys(&found.refused),
        [Why::Unfinished, Why::NotKnown("it is encrypted".to_owned()), Why::Another]
    );
    let removed = remove(&host.register, &found).unwrap();
    assert_eq!((removed.files.len(), removed.left()), (0, 3));
    assert!(host.path("replaced.txt").exists());
    assert_eq!(host.register.outputs().unwrap().all.len(), 3, "what is left is found again");
}

#[cfg(unix)]
#[test]
fn no_link_leads_out_of_an_output() {
    use std::os::unix::fs::symlink;
    let host = Host::new();
    host.restored(&[("a/with.txt", PERSON)]);
    host.write("outside/with.txt", PERSON);
    symlink(host.path("outside"), host.path("restored/linked")).unwrap();
    symlink(host.path("outside/with.txt"), host.path("restored/linked.txt")).unwrap();
    let found = host.find();
    assert_eq!((found.files.len(), whys(&found.refused)), (1, vec![Why::NoFile, Why::NoFile]));
    // A directory on the way becomes a link between finding and deleting.
    fs::rename(host.path("restored/a"), host.path("restored/b")).unwrap();
    symlink(host.path("outside"), host.path("restored/a")).unwrap();
    let removed = remove(&host.register, &found).unwrap();
    assert_eq!(removed.files, Vec::<PathBuf>::new());
    assert_eq!(removed.left.last().unwrap().why, Why::NoFile);
    assert!(host.path("outside/with.txt").exists() && host.path("restored/b/with.txt").exists());
    // The whole output is a link.
    fs::rename(host.path("restored"), host.path("moved")).unwrap();
    symlink(host.path("moved"), host.path("restored")).unwrap();
    assert_eq!(whys(&host.find().refused), [Why::Another]);
}

#[cfg(unix)]
#[test]
fn a_file_with_further_names_is_left() {
    let host = Host::new();
    host.restored(&[("with.txt", PERSON)]);
    fs::hard_link(host.path("restored/with.txt"), host.path("elsewhere.txt")).unwrap();
    let found = host.find();
    assert_eq!((found.files.len(), whys(&found.refused)), (0, vec![Why::FurtherNames]));
}

#[test]
fn a_sweep_says_what_is_left_until_nothing_is() {
    let host = Host::new();
    let case: CaseId = "2026-7K3F9Q".parse().unwrap();
    host.restored(&[("with.txt", PERSON), ("without.txt", "x")]);
    host.write("sealed.age", "age-encryption.org/v1\n");
    host.register.finish(&host.output(OutputKind::Export, "sealed.age")).unwrap();
    let (matcher, bounds) = (matcher(), Bounds::default());
    let is_person = |finding: &crate::privacy::matching::Finding| finding.tier <= Tier::B;
    let scan = super::scan::Scan { matcher: &matcher, bounds: &bounds, is_person: &is_person };
    let swept = |host: &Host| {
        let now = "2026-11-22T10:00:00Z".parse().unwrap();
        let (state, _) = sweep(&host.register, &case, &scan, now).unwrap();
        (state.looked.is_some(), state.removed, state.left)
    };
    assert_eq!(swept(&host), (true, 1, 1));
    assert_eq!(swept(&host), (true, 0, 1), "what cannot be looked into is left");
    fs::remove_file(host.path("sealed.age")).unwrap();
    assert_eq!(swept(&host), (true, 0, 0));
}

#[test]
fn what_may_be_of_others_is_told_and_stays() {
    let host = Host::new();
    let mut output = host.restored(&[("with.txt", PERSON), ("without.txt", "x")]);
    output.shared = true;
    host.register.finish(&output).unwrap();
    let found = host.find();
    assert_eq!((found.files.len(), whys(&found.refused)), (0, vec![Why::Shared]));
    remove(&host.register, &found).unwrap();
    assert!(host.path("restored/with.txt").exists());
}

#[test]
fn archives_are_looked_into() {
    let host = Host::new();
    let pack = |text: &str| {
        let mut tar = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_ustar();
        header.set_size(text.len() as u64);
        tar.append_data(&mut header, "blog/documents/en-us/a/x.json", text.as_bytes()).unwrap();
        tar.into_inner().unwrap()
    };
    let with = pack(&format!("{{\"data\":{{\"x\":\"{PERSON}\"}}}}"));
    let files = [
        ("with.tar", with.clone()),
        ("with.tar.zst", zstd::encode_all(&with[..], 3).unwrap()),
        ("without.tar", pack("{\"data\":{}}")),
        ("cut.tar.zst", zstd::encode_all(&with[..], 3).unwrap()[..40].to_vec()),
    ];
    for (name, bytes) in &files {
        put(host.path(name), bytes);
        host.register.finish(&host.output(OutputKind::Export, name)).unwrap();
    }
    let found = host.find();
    let paths: Vec<PathBuf> = found.files.iter().map(OwnFile::path).collect();
    assert_eq!(paths, [host.path("with.tar"), host.path("with.tar.zst")]);
    assert_eq!(found.refused.len(), 1, "{:?}", found.refused);
    assert_eq!(found.refused[0].path, host.path("cut.tar.zst"));
}

#[test]
fn the_register_survives_a_cut_line_and_runs_at_once() {
    let host = Host::new();
    host.restored(&[("x.txt", "x")]);
    let file = host.path("state").join(register::FILE);
    let mut text = fs::read(&file).unwrap();
    text.extend_from_slice(b"{\"kind\":\"exp");
    put(&file, &text);
    assert_eq!(host.find().left(), 1, "what a damaged line was about is not known");
    std::thread::scope(|scope| {
        for n in 0..8 {
            let host = &host;
            scope.spawn(move || {
                let output = host.output(OutputKind::Item, &format!("item-{n}"));
                host.register.begin(&output).unwrap();
                host.register.forget(&[host.path("nothing")]).unwrap();
            });
        }
    });
    let outputs = host.register.outputs().unwrap();
    assert_eq!((outputs.all.len(), outputs.damaged), (9, 1));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o077, 0, "for its owner only");
    }
    assert_eq!(outputs.all[0].path, host.path("restored"));
}
