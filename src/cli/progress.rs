//! Progress for people: bars on a terminal, now and then a line elsewhere.
//!
//! On a terminal every running phase has a bar with items, rate, bytes and the time left. Where
//! standard error is a file or a pipe and `-v` was given, a phase says when it begins and ends,
//! and every [`LINE_EVERY`] how far it is. With `--quiet` there is nothing.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressState, ProgressStyle};

use crate::progress::{Phase, Problem, Progress};

use super::output::Output;
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

/// Progress as bars on a terminal.
pub struct Bars {
    bars: MultiProgress,
    phases: Mutex<BTreeMap<Phase, Bar>>,
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
        Self { bars, phases: Mutex::default(), problems: Problems::new(output) }
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
        let bar = self.bars.add(ProgressBar::no_length());
        bar.set_style(style(false, &bytes));
        bar.set_prefix(phase.label());
        // A phase that waits for a slow server is seen to be alive.
        bar.enable_steady_tick(Duration::from_millis(200));
        Bar { bar, bytes }
    }
}

/// Returns how a bar looks, with or without a total to compare with.
fn style(with_total: bool, bytes: &Arc<AtomicU64>) -> ProgressStyle {
    let template = match with_total {
        true => "{prefix:<14} [{bar:24}] {pos}/{len} {per_second} {bytes_done} {eta_left}",
        false => "{prefix:<14} {spinner} {pos} {per_second} {bytes_done}",
    };
    let bytes = Arc::clone(bytes);
    ProgressStyle::with_template(template)
        .expect("both templates are valid, a test makes both")
        .progress_chars("=> ")
        .with_key("per_second", |state: &ProgressState, line: &mut dyn std::fmt::Write| {
            write!(line, "{:.0}/s", state.per_sec()).ok();
        })
        .with_key("bytes_done", move |state: &ProgressState, line: &mut dyn std::fmt::Write| {
            let bytes = bytes.load(Ordering::Relaxed);
            let seconds = state.elapsed().as_secs_f64();
            if bytes > 0 && seconds > 0.0 {
                let rate = (bytes as f64 / seconds) as u64;
                write!(line, "{}, {}/s", human_bytes(bytes), human_bytes(rate)).ok();
            }
        })
        .with_key("eta_left", |state: &ProgressState, line: &mut dyn std::fmt::Write| {
            let eta = state.eta();
            if !eta.is_zero() {
                write!(line, "{} left", human_duration(eta)).ok();
            }
        })
}

impl Progress for Bars {
    fn start(&self, phase: Phase, total: Option<u64>) {
        self.with(phase, |Bar { bar, bytes }| {
            if let Some(total) = total {
                if bar.length().is_none() {
                    bar.set_style(style(true, bytes));
                }
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
}

/// Progress as a line now and then.
pub struct Lines {
    output: Arc<Output>,
    every: Duration,
    phases: Mutex<BTreeMap<Phase, Line>>,
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
        Self { output, every, phases: Mutex::default(), problems }
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
}
