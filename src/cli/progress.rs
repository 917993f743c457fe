//! Progress for people: bars on a terminal, now and then a line elsewhere.
//!
//! On a terminal every running phase has a bar with items, rate, bytes and the time left, and the
//! line below says what is waited for. Where standard error is a file or a pipe and `-v` was
//! given, a phase says when it begins and ends, and every [`LINE_EVERY`] how far it is. Long waits
//! are warned of in the log there, so that the mail of a cron job says why it took long. With
//! `--quiet` there is nothing.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressState, ProgressStyle};

use crate::progress::{Phase, Problem, Progress, Wait};

use super::output::{Output, columns_of};
use super::text::{Style, Text};
use super::units::{human_bytes, human_duration};

/// Time between two lines of one phase: rare enough for a log file.
pub const LINE_EVERY: Duration = Duration::from_secs(10);

/// Problems shown as they happen. All are in the report; a terminal full of them helps nobody.
const PROBLEMS_SHOWN: u64 = 20;

/// Shows problems as they happen, the first few of them.
struct Problems {
    output: Arc<Output>,
    count: AtomicU64,
}

impl Problems {
    fn new(output: Arc<Output>) -> Self {
        Self { output, count: AtomicU64::new(0) }
    }

    fn show(&self, problem: &Problem) {
        match self.count.fetch_add(1, Ordering::Relaxed) {
            ..PROBLEMS_SHOWN => self.output.message(
                Text::styled(Style::Yellow, "problem")
                    .and(Style::Plain, format!(": {}: {}", problem.subject, problem.detail)),
            ),
            PROBLEMS_SHOWN => self.output.message("problem: more of them, the report lists all"),
            _ => {}
        }
    }
}

/// A pause from which on a log that nobody watches tells of it: it explains why a run took long.
const LONG_WAIT: Duration = Duration::from_secs(5);

/// What is being waited for now, and since when.
#[derive(Clone, Default)]
struct Waits(Arc<Mutex<Vec<Since>>>);

/// A wait, and when it began.
type Since = (Arc<Wait>, Instant);

impl Waits {
    /// Returns whether nothing like it was waited for.
    fn begin(&self, wait: &Arc<Wait>) -> bool {
        let mut waits = self.lock();
        let new = !waits.iter().any(|(other, _)| same_reason(other, wait) && is_long(other) == is_long(wait));
        waits.push((Arc::clone(wait), Instant::now()));
        new
    }

    /// Returns whether nothing is waited for any more.
    fn end(&self, wait: &Arc<Wait>) -> bool {
        let mut waits = self.lock();
        waits.retain(|(other, _)| !Arc::ptr_eq(other, wait));
        waits.is_empty()
    }

    /// Says what is waited for, the longest wait of all; empty when nothing is.
    fn describe(&self) -> String {
        let waits = self.lock();
        let left = |(wait, since): &&Since| match **wait {
            Wait::Retry { pause, .. } => pause.saturating_sub(since.elapsed()),
            Wait::Answer { .. } | Wait::Upload { .. } => Duration::ZERO,
        };
        let Some((wait, since)) = waits.iter().max_by_key(left) else { return String::new() };
        let more = match waits.len() {
            1 => String::new(),
            count => format!(", and {} more", count - 1),
        };
        describe_wait(wait, since.elapsed()) + &more
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Since>> {
        self.0.lock().expect("no holder of this lock can panic")
    }
}

/// Whether two waits are one to people: many requests meet the same refusal at once.
fn same_reason(a: &Wait, b: &Wait) -> bool {
    match (a, b) {
        (Wait::Retry { why: a, .. }, Wait::Retry { why: b, .. })
        | (Wait::Answer { from: a, .. }, Wait::Answer { from: b, .. })
        | (Wait::Upload { to: a, .. }, Wait::Upload { to: b, .. }) => a == b,
        _ => false,
    }
}

fn describe_wait(wait: &Wait, elapsed: Duration) -> String {
    match wait {
        Wait::Retry { why, pause, attempt, attempts } => {
            let left = pause.saturating_sub(elapsed);
            match left.is_zero() {
                true => format!("trying again: {why} (attempt {attempt} of {attempts})"),
                false => format!(
                    "waiting {} s: {why} (attempt {attempt} of {attempts})",
                    left.as_secs_f64().ceil() as u64
                ),
            }
        }
        Wait::Answer { from, silent, patience } => format!(
            "waiting for the {from}: no answer for {} (given up after {})",
            human_duration(*silent + elapsed),
            human_duration(*patience)
        ),
        Wait::Upload { to, bytes, taken } => {
            format!("uploading {} to {to} for {}", human_bytes(*bytes), human_duration(*taken + elapsed))
        }
    }
}

/// Whether a wait explains why a run took long.
fn is_long(wait: &Wait) -> bool {
    match wait {
        Wait::Retry { pause, .. } => *pause > LONG_WAIT,
        Wait::Answer { .. } => true,
        // A slow line is no news to a log.
        Wait::Upload { .. } => false,
    }
}

/// Tells a log that nobody watches of long waits, one line for all that have the same reason.
fn log_wait(waits: &Waits, wait: &Arc<Wait>) {
    if waits.begin(wait) && is_long(wait) {
        tracing::warn!("{}", describe_wait(wait, Duration::ZERO));
    }
}

/// Progress where nobody looks: only long waits go to the log.
#[derive(Default)]
pub struct Unwatched {
    waits: Waits,
}

impl Progress for Unwatched {
    fn start(&self, _phase: Phase, _total: Option<u64>) {}
    fn advance(&self, _phase: Phase, _items: u64, _bytes: u64) {}
    fn finish(&self, _phase: Phase) {}
    fn problem(&self, _problem: &Problem) {}

    fn wait_begins(&self, wait: &Arc<Wait>) {
        log_wait(&self.waits, wait);
    }

    fn wait_ends(&self, wait: &Arc<Wait>) {
        self.waits.end(wait);
    }
}

/// Progress as bars on a terminal.
pub struct Bars {
    bars: MultiProgress,
    phases: Mutex<BTreeMap<Phase, Bar>>,
    waits: Waits,
    /// The line below the bars that says what is waited for.
    wait_line: Mutex<Option<ProgressBar>>,
    problems: Problems,
}

#[derive(Clone)]
struct Bar {
    bar: ProgressBar,
    bytes: Arc<AtomicU64>,
}

impl Bars {
    /// Returns progress that draws on `bars`, which `output` knows of as well.
    pub fn new(bars: MultiProgress, output: Arc<Output>) -> Self {
        Self {
            bars,
            phases: Mutex::default(),
            waits: Waits::default(),
            wait_line: Mutex::default(),
            problems: Problems::new(output),
        }
    }

    /// Runs `action` on the bar of a phase; an unknown one gets a bar without a total.
    fn with(&self, phase: Phase, action: impl FnOnce(&Bar)) {
        let bar = {
            let mut phases = self.phases.lock().expect("no holder of this lock can panic");
            phases.entry(phase).or_insert_with(|| self.add(phase)).clone()
        };
        action(&bar);
    }

    fn add(&self, phase: Phase) -> Bar {
        let bytes = Arc::new(AtomicU64::new(0));
        let bar = self.bars.insert(0, ProgressBar::no_length());
        bar.set_style(style(phase.label(), Arc::clone(&bytes)));
        // A phase that waits for a slow server is seen to be alive.
        bar.enable_steady_tick(REDRAWN_EVERY);
        Bar { bar, bytes }
    }

    fn add_wait_line(&self) -> ProgressBar {
        let waits = self.waits.clone();
        let line = self.bars.add(ProgressBar::no_length());
        let write = move |_: &ProgressState, line: &mut dyn std::fmt::Write| {
            line.write_str(&fitted(&waits.describe(), screen_width())).ok();
        };
        line.set_style(own_style(write));
        line.enable_steady_tick(REDRAWN_EVERY);
        line
    }
}

/// How often a line is drawn without news.
const REDRAWN_EVERY: Duration = Duration::from_millis(200);

/// Columns of the terminal that bars are drawn on, less those in which it shows a `^C`: a line that
/// wraps for it is not cleared.
fn screen_width() -> usize {
    columns_of(&std::io::stderr()).unwrap_or(80).saturating_sub(3)
}

/// Cuts a line that would wrap.
fn fitted(line: &str, width: usize) -> String {
    match line.chars().count() > width {
        true if width == 0 => String::new(),
        true => line.chars().take(width.saturating_sub(1)).chain(['…']).collect(),
        false => line.to_owned(),
    }
}

/// A style whose whole line `write` makes: what the library's own templates make may wrap.
fn own_style(
    write: impl Fn(&ProgressState, &mut dyn std::fmt::Write) + Clone + Send + Sync + 'static,
) -> ProgressStyle {
    ProgressStyle::with_template("{own_line}")
        .expect("the template is valid, a test makes it")
        .with_key("own_line", write)
}

/// Returns how the bar of a phase looks.
fn style(label: &'static str, bytes: Arc<AtomicU64>) -> ProgressStyle {
    own_style(move |state: &ProgressState, line: &mut dyn std::fmt::Write| {
        let progress = Drawn {
            label,
            items: state.pos(),
            total: state.len(),
            per_second: state.per_sec(),
            bytes: bytes.load(Ordering::Relaxed),
            elapsed: state.elapsed(),
            left: state.eta(),
        };
        line.write_str(&progress.line(screen_width())).ok();
    })
}

/// How far a phase is, ready to be drawn.
struct Drawn {
    label: &'static str,
    items: u64,
    total: Option<u64>,
    per_second: f64,
    bytes: u64,
    elapsed: Duration,
    left: Duration,
}

impl Drawn {
    /// Widths of a bar within its brackets.
    const BAR: std::ops::RangeInclusive<usize> = 10..=24;

    /// Returns one line of at most `width` columns: what matters less is left out first.
    fn line(&self, width: usize) -> String {
        const SPINNER: [char; 4] = ['-', '\\', '|', '/'];
        let count = match self.total {
            Some(total) => format!("{}/{total}", self.items),
            None => {
                let turn = self.elapsed.as_millis() / REDRAWN_EVERY.as_millis();
                format!("{} {}", SPINNER[turn as usize % SPINNER.len()], self.items)
            }
        };
        let mut room = width.saturating_sub(self.label.len().max(14) + 1 + count.chars().count());
        let least_bar =
            if self.total.is_some() && room >= Self::BAR.start() + 3 { Self::BAR.start() + 3 } else { 0 };
        room -= least_bar;
        let mut take = |text: String| {
            let needed = text.chars().count() + 1;
            let fits = !text.is_empty() && needed <= room;
            room -= if fits { needed } else { 0 };
            if fits { format!(" {text}") } else { String::new() }
        };
        // By what people ask for first.
        let left = take(match self.total.is_some() && !self.left.is_zero() {
            true => format!("{} left", human_duration(self.left)),
            false => String::new(),
        });
        let rate = take(format!("{:.0}/s", self.per_second));
        let seconds = self.elapsed.as_secs_f64();
        let bytes = take(match self.bytes > 0 && seconds > 0.0 {
            true => {
                let rate = (self.bytes as f64 / seconds) as u64;
                format!("{}, {}/s", human_bytes(self.bytes), human_bytes(rate))
            }
            false => String::new(),
        });
        let bar = match (self.total, least_bar) {
            (Some(total), 1..) => {
                let cells = (Self::BAR.start() + room).min(*Self::BAR.end());
                let done = (self.items.min(total) as usize * cells).checked_div(total as usize);
                let done = done.unwrap_or(cells);
                let tip = if done < cells { ">" } else { "" };
                format!(" [{}{tip:<rest$}]", "=".repeat(done), rest = cells - done)
            }
            _ => String::new(),
        };
        fitted(&format!("{:<14}{bar} {count}{rate}{bytes}{left}", self.label), width)
    }
}

impl Progress for Bars {
    fn start(&self, phase: Phase, total: Option<u64>) {
        self.with(phase, |Bar { bar, .. }| {
            if let Some(total) = total {
                bar.set_length(total);
            }
        });
    }

    fn advance(&self, phase: Phase, items: u64, bytes: u64) {
        self.with(phase, |bar| {
            bar.bytes.fetch_add(bytes, Ordering::Relaxed);
            bar.bar.inc(items);
        });
    }

    fn finish(&self, phase: Phase) {
        let bar = self.phases.lock().expect("no holder of this lock can panic").remove(&phase);
        if let Some(bar) = bar {
            // What was done is in the report; a screen full of old bars hides it.
            bar.bar.finish_and_clear();
            self.bars.remove(&bar.bar);
        }
    }

    fn problem(&self, problem: &Problem) {
        self.problems.show(problem);
    }

    fn wait_begins(&self, wait: &Arc<Wait>) {
        self.waits.begin(wait);
        let mut line = self.wait_line.lock().expect("no holder of this lock can panic");
        line.get_or_insert_with(|| self.add_wait_line());
    }

    fn wait_ends(&self, wait: &Arc<Wait>) {
        let mut line = self.wait_line.lock().expect("no holder of this lock can panic");
        if self.waits.end(wait)
            && let Some(line) = line.take()
        {
            line.finish_and_clear();
            self.bars.remove(&line);
        }
    }
}

/// Progress as a line now and then.
pub struct Lines {
    output: Arc<Output>,
    every: Duration,
    phases: Mutex<BTreeMap<Phase, Line>>,
    waits: Waits,
    problems: Problems,
}

struct Line {
    started: Instant,
    said: Instant,
    total: Option<u64>,
    items: u64,
    bytes: u64,
}

impl Line {
    fn new() -> Self {
        let now = Instant::now();
        Self { started: now, said: now, total: None, items: 0, bytes: 0 }
    }

    fn describe(&self, phase: Phase) -> String {
        let mut line = format!("{}: {}", phase.label(), self.items);
        if let Some(total) = self.total {
            write!(line, " of {total}").expect("writing to a String cannot fail");
        }
        if self.bytes > 0 {
            write!(line, ", {}", human_bytes(self.bytes)).expect("writing to a String cannot fail");
        }
        write!(line, ", {}", human_duration(self.started.elapsed()))
            .expect("writing to a String cannot fail");
        line
    }
}

impl Lines {
    /// Returns progress that says how far a phase is each time `every` has passed.
    pub fn new(output: Arc<Output>, every: Duration) -> Self {
        let problems = Problems::new(Arc::clone(&output));
        Self { output, every, phases: Mutex::default(), waits: Waits::default(), problems }
    }
}

impl Progress for Lines {
    fn start(&self, phase: Phase, total: Option<u64>) {
        let begins = {
            let mut phases = self.phases.lock().expect("no holder of this lock can panic");
            let begins = !phases.contains_key(&phase);
            let line = phases.entry(phase).or_insert_with(Line::new);
            line.total = total.or(line.total);
            begins
        };
        if begins {
            self.output.message(format!("{}: begins", phase.label()));
        }
    }

    fn advance(&self, phase: Phase, items: u64, bytes: u64) {
        let said = {
            let mut phases = self.phases.lock().expect("no holder of this lock can panic");
            let line = phases.entry(phase).or_insert_with(Line::new);
            line.items += items;
            line.bytes += bytes;
            let due = line.said.elapsed() >= self.every;
            if due {
                line.said = Instant::now();
            }
            due.then(|| line.describe(phase))
        };
        if let Some(said) = said {
            self.output.message(said);
        }
    }

    fn finish(&self, phase: Phase) {
        let line = self.phases.lock().expect("no holder of this lock can panic").remove(&phase);
        if let Some(line) = line {
            self.output.message(format!("{}, done", line.describe(phase)));
        }
    }

    fn problem(&self, problem: &Problem) {
        self.problems.show(problem);
    }

    fn wait_begins(&self, wait: &Arc<Wait>) {
        log_wait(&self.waits, wait);
    }

    fn wait_ends(&self, wait: &Arc<Wait>) {
        self.waits.end(wait);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use indicatif::ProgressDrawTarget;

    use super::*;
    use crate::cli::output::{OutputOptions, Screen};

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl Shared {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    fn output() -> (Arc<Output>, Shared) {
        let messages = Shared::default();
        let options = OutputOptions::default();
        let output =
            Output::to(options, Screen::default(), Box::new(std::io::sink()), Box::new(messages.clone()));
        (Arc::new(output), messages)
    }

    #[test]
    fn lines_say_how_far_a_phase_is() {
        let (output, messages) = output();
        let lines = Lines::new(output, Duration::ZERO);
        lines.start(Phase::Documents, None);
        lines.start(Phase::Documents, Some(200));
        lines.advance(Phase::Documents, 100, 2048);
        lines.finish(Phase::Documents);
        lines.finish(Phase::Documents);
        let text = messages.text();
        let said: Vec<_> = text.lines().collect();
        assert_eq!((said.len(), said[0]), (3, "documents: begins"), "{text}");
        assert!(said[1].starts_with("documents: 100 of 200, 2.0 KiB, "), "{text}");
        assert!(said[2].starts_with("documents: 100 of 200, 2.0 KiB, "), "{text}");
        assert!(said[2].ends_with(" s, done"), "{text}");
    }

    #[test]
    fn lines_are_rare() {
        let (output, messages) = output();
        let lines = Lines::new(output, Duration::from_hours(1));
        for _ in 0..1000 {
            lines.advance(Phase::Assets, 1, 1);
        }
        assert_eq!(messages.text(), "");
    }

    #[test]
    fn only_the_first_problems_are_shown() {
        let (output, messages) = output();
        let lines = Lines::new(output, Duration::from_hours(1));
        for index in 0..100 {
            lines.problem(&Problem::new("asset-missing", format!("assets/{index}"), "gone"));
        }
        let text = messages.text();
        assert_eq!(text.lines().count() as u64, PROBLEMS_SHOWN + 1);
        assert!(text.starts_with("problem: assets/0: gone\n"), "{text}");
        assert!(text.ends_with("the report lists all\n"), "{text}");
    }

    #[test]
    fn bars_come_and_go_with_their_phases() {
        let (output, _) = output();
        let bars = Bars::new(MultiProgress::with_draw_target(ProgressDrawTarget::hidden()), output);
        bars.start(Phase::Documents, None);
        bars.start(Phase::Documents, Some(10));
        bars.advance(Phase::Documents, 4, 1024);
        bars.advance(Phase::Assets, 1, 0);
        {
            let phases = bars.phases.lock().unwrap();
            let documents = &phases[&Phase::Documents];
            assert_eq!((documents.bar.position(), documents.bar.length()), (4, Some(10)));
            assert_eq!(documents.bytes.load(Ordering::Relaxed), 1024);
            assert_eq!(phases[&Phase::Assets].bar.length(), None);
        }
        bars.finish(Phase::Documents);
        bars.finish(Phase::Assets);
        assert!(bars.phases.lock().unwrap().is_empty());
    }

    fn drawn(total: Option<u64>) -> Drawn {
        Drawn {
            label: "documents",
            items: 1_234,
            total,
            per_second: 123.4,
            bytes: 5 << 20,
            elapsed: Duration::from_secs(10),
            left: Duration::from_secs(152),
        }
    }

    #[test]
    fn a_bar_fits_every_terminal_and_loses_what_matters_least_first() {
        for total in [None, Some(20_000), Some(0), Some(1_000)] {
            for width in 0..200 {
                let line = drawn(total).line(width);
                assert!(line.chars().count() <= width, "{width}: {line}");
            }
        }
        let wide = drawn(Some(20_000)).line(99);
        assert_eq!(
            wide,
            "documents      [=>                      ] 1234/20000 123/s 5.0 MiB, 512.0 KiB/s 2 min 32 s left"
        );
        let narrow = drawn(Some(20_000)).line(59);
        assert_eq!(narrow, "documents      [>              ] 1234/20000 2 min 32 s left");
        assert_eq!(drawn(Some(20_000)).line(44), "documents      [>         ] 1234/20000 123/s");
        assert_eq!(drawn(None).line(30), "documents      | 1234 123/s");
    }

    fn retry(why: &str, seconds: u64) -> Arc<Wait> {
        let pause = Duration::from_secs(seconds);
        Arc::new(Wait::Retry { why: why.to_owned(), pause, attempt: 3, attempts: 8 })
    }

    #[test]
    fn a_wait_says_how_long_for_whom_and_why() {
        let wait = retry("Content API answered 429", 8);
        let said = |elapsed: f64| describe_wait(&wait, Duration::from_secs_f64(elapsed));
        assert_eq!(said(0.0), "waiting 8 s: Content API answered 429 (attempt 3 of 8)");
        assert_eq!(said(6.5), "waiting 2 s: Content API answered 429 (attempt 3 of 8)");
        assert_eq!(said(8.0), "trying again: Content API answered 429 (attempt 3 of 8)");
        let silence = Wait::Answer {
            from: "Asset API".to_owned(),
            silent: Duration::from_secs(3),
            patience: Duration::from_secs(60),
        };
        assert_eq!(
            describe_wait(&silence, Duration::from_secs(9)),
            "waiting for the Asset API: no answer for 12 s (given up after 1 min 00 s)"
        );
    }

    #[test]
    fn of_many_waits_the_longest_is_shown_and_all_are_counted() {
        let waits = Waits::default();
        assert_eq!(waits.describe(), "");
        let all = [retry("a", 10), retry("a", 300), retry("b", 20)];
        assert_eq!(all.each_ref().map(|wait| waits.begin(wait)), [true, false, true]);
        assert_eq!(waits.describe(), "waiting 300 s: a (attempt 3 of 8), and 2 more");
        assert_eq!(all.each_ref().map(|wait| waits.end(wait)), [false, false, true]);
    }

    #[test]
    fn only_waits_that_explain_a_long_run_go_to_the_log() {
        assert!(!is_long(&retry("a", 5)) && is_long(&retry("a", 6)));
        let waits = Waits::default();
        assert!(waits.begin(&retry("a", 1)) && waits.begin(&retry("a", 60)) && !waits.begin(&retry("a", 90)));
    }

    #[test]
    fn the_line_of_a_wait_is_there_while_it_lasts() {
        let (output, _) = output();
        let bars = Bars::new(MultiProgress::with_draw_target(ProgressDrawTarget::hidden()), output);
        let (first, second) = (retry("Content API answered 429", 300), retry("Asset API answered 500", 1));
        let there = || bars.wait_line.lock().unwrap().is_some();
        bars.wait_begins(&first);
        bars.wait_begins(&second);
        bars.wait_ends(&first);
        assert!(there(), "the second goes on");
        bars.wait_ends(&second);
        assert!(!there());
        bars.wait_begins(&first);
        assert!(there(), "it comes back");
    }
}
