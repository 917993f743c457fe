//! Pages of a real site, rendered against what was restored, as a browser shows them.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::sleep;
use url::Url;

use super::evidence::{Evidence, Outcome};
use super::function::{kept, slug};
use super::leftover::{self, Leftover};
use crate::drill::findings::Severity;
use crate::drill::plan::{Page, Site};
use crate::drill::timeline::Phase;

/// Programs that render pages, in the order in which they are looked for.
const BROWSERS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];
/// Where else one is, if so.
const BROWSER_VARIABLE: &str = "PRISMVAULT_CHROMIUM";
/// Longest that one page may take.
const PAGE_TIMEOUT: Duration = Duration::from_secs(60);
/// How often it is looked whether the site answers.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Largest picture that is kept.
const PICTURE_BYTES_MAX: u64 = 16 << 20;

/// Starts the site, renders its pages, and ends it. Returns whether all are good.
pub(super) async fn look(
    site: &Site,
    variables: &[(String, String)],
    directory: &Path,
    leftover: &Leftover,
    evidence: &Evidence,
) -> bool {
    let begun = Instant::now();
    let expected = format!("that it answers at {} within {} s", site.url, site.timeout.as_secs());
    let mut running = match start(site, variables, directory) {
        Ok(running) => running,
        Err(why) => {
            evidence.check(Phase::Function, SITE, &expected, begun, Outcome::bad(why, Severity::Major));
            return false;
        }
    };
    if let Some(pid) = running.id() {
        leftover.started(pid);
    }
    let answers = answers(site, &mut running).await;
    let outcome = match &answers {
        Ok(()) => Outcome::good("it answers"),
        Err(why) => Outcome::bad(why.clone(), Severity::Major),
    };
    evidence.check(Phase::Function, SITE, &expected, begun, outcome);
    let mut is_good = answers.is_ok();
    for (number, page) in site.pages.iter().enumerate().filter(|_| answers.is_ok()) {
        is_good &= look_at(site, page, number + 1, directory, leftover, evidence).await;
    }
    end(&mut running).await;
    let printed = printed(directory).unwrap_or_default();
    if !printed.is_empty() {
        evidence.file("checks/site.txt", kept(printed));
    }
    is_good
}

/// What the start of the site is called among the checks.
const SITE: &str = "site";

fn start(site: &Site, variables: &[(String, String)], directory: &Path) -> Result<Child, String> {
    let (program, arguments) = site.command.split_first().ok_or("the plan names no program")?;
    let log = std::fs::File::create(directory.join("site.log")).map_err(|error| error.to_string())?;
    let errors = log.try_clone().map_err(|error| error.to_string())?;
    let mut command = Command::new(program);
    command.args(arguments).envs(variables.iter().cloned());
    command.stdin(Stdio::null()).stdout(log).stderr(errors).kill_on_drop(true);
    #[cfg(unix)]
    command.process_group(0);
    command.spawn().map_err(|error| format!("{program} cannot be run: {error}"))
}

/// Waits until the site takes connections.
async fn answers(site: &Site, running: &mut Child) -> Result<(), String> {
    let url: Url = site.url.parse().map_err(|error| format!("{}: {error}", site.url))?;
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let port = url.port_or_known_default().unwrap_or(80);
    let waiting = async {
        loop {
            if TcpStream::connect((host.as_str(), port)).await.is_ok() {
                return Ok(());
            }
            if let Ok(Some(status)) = running.try_wait() {
                return Err(format!("it ended before it answered: {status}"));
            }
            sleep(LOOK_EVERY).await;
        }
    };
    let waited = tokio::time::timeout(site.timeout, waiting).await;
    waited.unwrap_or_else(|_| Err("nobody answers there".to_owned()))
}

/// Ends the site and whatever it started.
async fn end(running: &mut Child) {
    leftover::end_group(running.id());
    running.kill().await.ok();
}

fn printed(directory: &Path) -> std::io::Result<Vec<u8>> {
    std::fs::read(directory.join("site.log"))
}

/// The browser of this machine.
fn browser() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os(BROWSER_VARIABLE).filter(|named| !named.is_empty()) {
        return Some(named.into());
    }
    let path = std::env::var_os("PATH")?;
    let places: Vec<PathBuf> = std::env::split_paths(&path).collect();
    BROWSERS
        .iter()
        .flat_map(|name| places.iter().map(move |place| place.join(name)))
        .find(|file| file.is_file())
}

/// Renders one page: its words, and its picture.
async fn look_at(
    site: &Site,
    page: &Page,
    number: usize,
    directory: &Path,
    leftover: &Leftover,
    evidence: &Evidence,
) -> bool {
    let begun = Instant::now();
    let name = format!("page {}", page.path);
    let expected = match &page.expect {
        Some(words) => format!("a page that shows {words:?}"),
        None => "a page that shows something".to_owned(),
    };
    let address = format!("{}{}", site.url, page.path);
    let outcome = match rendered(&address, directory, leftover).await {
        Err(why) => Outcome::bad(why, Severity::Major),
        Ok(Rendered { words, picture }) => {
            let is_met = match &page.expect {
                Some(expected) => words.contains(expected.as_str()),
                None => !words.trim().is_empty(),
            };
            let seen = match (is_met, page.expect.is_some()) {
                (true, _) => "it does".to_owned(),
                (false, true) => format!("{} characters without it", words.chars().count()),
                (false, false) => "an empty page".to_owned(),
            };
            let mut outcome = Outcome::of(is_met, seen, Severity::Major);
            if let Some(picture) = picture {
                let file = format!("pages/{number}-{}.png", slug(&page.path));
                evidence.file(file.clone(), picture);
                outcome.evidence.push(file);
            }
            outcome
        }
    };
    let is_good = outcome.finding.is_none();
    evidence.check(Phase::Function, &name, &expected, begun, outcome);
    is_good
}

struct Rendered {
    words: String,
    picture: Option<Bytes>,
}

async fn rendered(address: &str, directory: &Path, leftover: &Leftover) -> Result<Rendered, String> {
    let browser = browser()
        .ok_or_else(|| format!("no browser is here: install Chromium, or name one by {BROWSER_VARIABLE}"))?;
    let picture = directory.join("page.png");
    std::fs::remove_file(&picture).ok();
    let run = async |what: String| {
        let mut command = Command::new(&browser);
        command.args(["--headless", "--disable-gpu", "--hide-scrollbars", "--no-first-run"]);
        // The superuser gets a browser without this only; in containers nobody else is there.
        #[cfg(unix)]
        if rustix::process::geteuid().is_root() {
            command.arg("--no-sandbox");
        }
        command.arg(format!("--user-data-dir={}", directory.join("browser").display()));
        command.args(["--window-size=1280,1600", "--virtual-time-budget=10000"]).arg(what).arg(address);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        let child =
            command.spawn().map_err(|error| format!("{} cannot be run: {error}", browser.display()))?;
        if let Some(pid) = child.id() {
            leftover.started(pid);
        }
        let ended = tokio::time::timeout(PAGE_TIMEOUT, child.wait_with_output()).await;
        let output =
            ended.map_err(|_| format!("the browser did not end within {} s", PAGE_TIMEOUT.as_secs()))?;
        let output = output.map_err(|error| format!("the browser failed: {error}"))?;
        match output.status.success() {
            true => Ok(output.stdout),
            false => Err(format!("the browser ended with {}", output.status)),
        }
    };
    let page = run("--dump-dom".to_owned()).await?;
    run(format!("--screenshot={}", picture.display())).await?;
    let is_small = std::fs::metadata(&picture).is_ok_and(|file| file.len() <= PICTURE_BYTES_MAX);
    let picture = is_small.then(|| std::fs::read(&picture).ok()).flatten().map(Bytes::from);
    Ok(Rendered { words: words(&String::from_utf8_lossy(&page)), picture })
}

/// What of a page is text: without markup, styles and programs.
fn words(page: &str) -> String {
    let mut words = String::new();
    let mut rest = page;
    while let Some((text, markup)) = rest.split_once('<') {
        words.push_str(text);
        let skipped = ["script", "style", "noscript", "template"]
            .iter()
            .find(|name| markup.get(..name.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(name)));
        rest = match skipped {
            Some(name) => {
                let end = format!("</{name}");
                let lower = markup.to_ascii_lowercase();
                lower.find(&end).map_or("", |at| &markup[at..])
            }
            None => markup,
        };
        rest = rest.split_once('>').map_or("", |(_, rest)| rest);
        words.push(' ');
    }
    words.push_str(rest);
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    words
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&#39;", "'")
        .replace("&nbsp;", " ")
        .replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_page_are_what_people_read() {
        let page = "<!doctype html><html><head><style>p{color:red}</style><script>var a = '<p>no</p>';</script></head>\
                    <body><h1>Bread &amp; butter</h1>\n<p>for\n<b>all</b></p></body></html>";
        assert_eq!(words(page), "Bread & butter for all");
        assert_eq!(words("<html><body></body></html>"), "");
        assert_eq!(words("plain"), "plain");
        assert_eq!(words("<script>never closed"), "");
    }
}
