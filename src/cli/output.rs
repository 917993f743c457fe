//! The one printer.
//!
//! Standard output is for data, standard error for everything said to people meanwhile. With
//! `--json` standard output carries exactly one JSON document, or one object a line where a
//! command streams; every object begins with `"schema": 1` and the exit code that it means.
//!
//! Invariants
//! - A reader that went away (`prismvault list | head`) is no error: what follows is dropped, and
//!   the command goes on to the end that it would have had.
//! - Any other failure to write data is an error: half a document in a file on a full disk must
//!   not look like success.
//! - Nothing is printed into a progress bar: all writing goes through [`Screen`].

use std::io::{self, IsTerminal as _, Write};
use std::sync::{Mutex, MutexGuard};

use indicatif::MultiProgress;
use serde::Serialize;
use serde_json::{Map, Value};

use super::error::{CommandError, ErrorKind};
use super::exit::Outcome;
use super::text::{Style, Table, Text};

/// Version of the JSON that commands print. Fields are added under the same number; it changes
/// when one is removed or changes its meaning.
pub const SCHEMA: u32 = 1;

/// The terminal, shared by progress bars, messages and logs.
#[derive(Debug, Clone, Default)]
pub struct Screen {
    bars: Option<MultiProgress>,
}

impl Screen {
    /// Returns a screen that draws progress bars on standard error.
    pub fn with_bars() -> Self {
        Self { bars: Some(MultiProgress::new()) }
    }

    /// The bars, where there are any.
    pub fn bars(&self) -> Option<&MultiProgress> {
        self.bars.as_ref()
    }

    /// Runs `write` while the bars are out of the way.
    pub fn around<T>(&self, write: impl FnOnce() -> T) -> T {
        match &self.bars {
            Some(bars) => bars.suspend(write),
            None => write(),
        }
    }
}

/// How output looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OutputOptions {
    /// JSON for programs instead of text for people.
    pub json: bool,
    /// Only data, warnings and errors.
    pub quiet: bool,
    /// Colour on standard output.
    pub colour: bool,
    /// Colour on standard error.
    pub message_colour: bool,
    /// Columns of the terminal that standard output is; `None` where it is a file or a pipe.
    pub width: Option<usize>,
}

impl OutputOptions {
    /// Decides about colour: only on a terminal that understands it, and never with `NO_COLOR`
    /// (no-color.org: set and not empty).
    pub fn detect(json: bool, quiet: bool) -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()) || is_dumb();
        Self {
            json,
            quiet,
            colour: !refused && io::stdout().is_terminal(),
            message_colour: !refused && io::stderr().is_terminal(),
            width: columns_of(&io::stdout()),
        }
    }
}

/// Columns of the terminal behind a stream; `None` where it is none.
pub(super) fn columns_of(stream: &impl Terminal) -> Option<usize> {
    terminal_size::terminal_size_of(stream).map(|(width, _)| usize::from(width.0).max(1))
}

/// What can be asked for the size of its terminal.
#[cfg(unix)]
pub(super) use std::os::fd::AsFd as Terminal;
#[cfg(windows)]
pub(super) use std::os::windows::io::AsHandle as Terminal;

/// Whether the terminal says that it cannot move its cursor.
pub(super) fn is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}

/// The printer. Every method may be called from any thread.
pub struct Output {
    options: OutputOptions,
    screen: Screen,
    data: Mutex<Data>,
    told: Mutex<Told>,
    messages: Mutex<Box<dyn Write + Send>>,
}

/// What programs were told of how the command ends. It may yet end graver: the entry in the audit
/// log comes after the report.
#[derive(Default)]
struct Told {
    /// The one document, held back until the exit code is known.
    document: Option<Map<String, Value>>,
    /// The gravest outcome of the objects of a stream.
    worst: Option<Outcome>,
}

struct Data {
    writer: Box<dyn Write + Send>,
    /// Whether the reader went away.
    closed: bool,
}

impl Output {
    /// Returns the printer of this process.
    pub fn new(options: OutputOptions, screen: Screen) -> Self {
        Self::to(options, screen, Box::new(io::BufWriter::new(io::stdout())), Box::new(io::stderr()))
    }

    /// Returns a printer to other places, for tests.
    pub fn to(
        options: OutputOptions,
        screen: Screen,
        data: Box<dyn Write + Send>,
        messages: Box<dyn Write + Send>,
    ) -> Self {
        let data = Mutex::new(Data { writer: data, closed: false });
        Self { options, screen, data, told: Mutex::default(), messages: Mutex::new(messages) }
    }

    /// Whether `--quiet` was given and nothing else asks for output.
    pub fn is_quiet(&self) -> bool {
        self.options.quiet && !self.options.json
    }

    /// Whether `--json` was given.
    pub fn is_json(&self) -> bool {
        self.options.json
    }

    /// Whether nobody reads standard output any more: a long stream may end early.
    pub fn is_closed(&self) -> bool {
        self.lock_data().closed
    }

    /// Prints a report: `report` as one JSON document with `--json`, else what `people` renders.
    /// `outcome` is how the command ends. The document is written by [`finish`](Self::finish).
    ///
    /// # Errors
    ///
    /// When standard output cannot be written.
    pub fn report(
        &self,
        outcome: Outcome,
        report: &impl Serialize,
        people: impl FnOnce() -> Page,
    ) -> Result<(), CommandError> {
        if !self.options.json {
            return self.page(&people());
        }
        let document = object(Some(outcome), report)?;
        match self.lock_told().document.replace(document) {
            Some(before) => self.document(&before),
            None => Ok(()),
        }
    }

    /// Prints what came of a command that changes or checks something. With `--quiet`, nothing
    /// when all is well: silence means success.
    ///
    /// # Errors
    ///
    /// When standard output cannot be written.
    pub fn result(
        &self,
        outcome: Outcome,
        report: &impl Serialize,
        people: impl FnOnce() -> Page,
    ) -> Result<(), CommandError> {
        if self.is_quiet() && outcome == Outcome::Complete {
            return Ok(());
        }
        self.report(outcome, report, people)
    }

    /// Prints one item of a stream: `item` as one line of JSON with `--json`, else what `people`
    /// renders. `outcome` is how the work on this item ended; `None` where it goes on.
    ///
    /// # Errors
    ///
    /// When standard output cannot be written.
    pub fn item(
        &self,
        outcome: Option<Outcome>,
        item: &impl Serialize,
        people: impl FnOnce() -> Page,
    ) -> Result<(), CommandError> {
        if !self.options.json {
            return self.page(&people());
        }
        outcome.into_iter().for_each(|outcome| self.count(outcome));
        self.line(&object(outcome, item)?)
    }

    fn page(&self, page: &Page) -> Result<(), CommandError> {
        self.write(page.render(self.options.colour, self.options.width).as_bytes(), true)
    }

    /// Passes bytes on as they are: the content of an item, a script.
    ///
    /// # Errors
    ///
    /// When standard output cannot be written.
    pub fn bytes(&self, bytes: &[u8]) -> Result<(), CommandError> {
        self.write(bytes, false)
    }

    /// Writes out what is still held back. The end of every command; `outcome` is how it ended,
    /// `None` where an error is told next. A stream whose objects all ended better than partial
    /// gets one more if the whole did not (an audit entry is missing somewhere), with nothing but
    /// the exit code.
    ///
    /// # Errors
    ///
    /// When standard output cannot be written.
    pub fn finish(&self, outcome: Option<Outcome>) -> Result<(), CommandError> {
        let Told { document, worst } = std::mem::take(&mut *self.lock_told());
        let code = |outcome: Outcome| ("exit_code".to_owned(), outcome.code().into());
        if let Some(mut document) = document {
            document.extend(outcome.map(code));
            self.document(&document)?;
        } else if let (Some(outcome), Some(worst)) = (outcome, worst)
            && outcome == Outcome::Partial
            && outcome.worst(worst) != worst
        {
            self.line(&object(Some(outcome), &Value::Object(Map::new()))?)?;
        }
        self.write(b"", true)
    }

    /// Tells people what is going on; not with `--quiet`.
    pub fn message(&self, text: impl Into<Text>) {
        if !self.options.quiet {
            self.say(&text.into());
        }
    }

    /// Shows people a page before they are asked about it; not with `--quiet`.
    pub fn message_page(&self, page: &Page) {
        if !self.options.quiet {
            self.tell(&page.render(self.options.message_colour, self.options.width));
        }
    }

    /// Tells people what needs a look.
    pub fn warning(&self, text: impl Into<String>) {
        self.say(&Text::styled(Style::Yellow, "warning").and(Style::Plain, ": ").and(Style::Plain, text));
    }

    /// Tells why the command failed: on standard error, or with `--json` as an object on
    /// standard output.
    pub fn error(&self, error: &CommandError) {
        let printed = match self.options.json {
            true => {
                self.count(error.kind.outcome());
                let line = format!("{}\n", error.to_json());
                self.write(line.as_bytes(), true).is_ok() && !self.is_closed()
            }
            false => false,
        };
        if !printed {
            self.say(&error.render());
        }
    }

    fn say(&self, text: &Text) {
        self.tell(&format!("{}\n", text.render(self.options.message_colour)));
    }

    fn tell(&self, lines: &str) {
        self.screen.around(|| {
            let mut messages = self.messages.lock().expect("no holder of this lock can panic");
            // When nobody can be told, there is nobody to tell.
            messages.write_all(lines.as_bytes()).ok();
            messages.flush().ok();
        });
    }

    /// Takes note of how the work on an object of a stream ended.
    fn count(&self, outcome: Outcome) {
        let mut told = self.lock_told();
        told.worst = Some(told.worst.map_or(outcome, |worst| worst.worst(outcome)));
    }

    fn document(&self, object: &Map<String, Value>) -> Result<(), CommandError> {
        self.json(serde_json::to_vec_pretty(object))
    }

    fn line(&self, object: &Map<String, Value>) -> Result<(), CommandError> {
        self.json(serde_json::to_vec(object))
    }

    fn json(&self, bytes: serde_json::Result<Vec<u8>>) -> Result<(), CommandError> {
        let mut bytes = bytes.map_err(not_json)?;
        bytes.push(b'\n');
        self.write(&bytes, true)
    }

    fn write(&self, bytes: &[u8], flush: bool) -> Result<(), CommandError> {
        self.screen.around(|| {
            let mut data = self.lock_data();
            if data.closed {
                return Ok(());
            }
            let mut written = data.writer.write_all(bytes);
            if flush && written.is_ok() {
                written = data.writer.flush();
            }
            match written {
                Err(err) if err.kind() == io::ErrorKind::BrokenPipe => {
                    data.closed = true;
                    // What could not be written would be tried again at the end.
                    data.writer = Box::new(io::sink());
                    Ok(())
                }
                written => written.map_err(|err| {
                    CommandError::because(ErrorKind::Failed, "cannot write to standard output", err)
                }),
            }
        })
    }

    fn lock_told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().expect("no holder of this lock can panic")
    }

    fn lock_data(&self) -> MutexGuard<'_, Data> {
        self.data.lock().expect("no holder of this lock can panic")
    }
}

/// Returns a report as the object that programs are given.
fn object(outcome: Option<Outcome>, value: &impl Serialize) -> Result<Map<String, Value>, CommandError> {
    let mut object = Map::from_iter([("schema".to_owned(), SCHEMA.into())]);
    object.extend(outcome.map(|outcome| ("exit_code".to_owned(), outcome.code().into())));
    match serde_json::to_value(value).map_err(not_json)? {
        Value::Object(fields) => object.extend(fields),
        other => object.extend([("items".to_owned(), other)]),
    }
    Ok(object)
}

fn not_json(error: serde_json::Error) -> CommandError {
    CommandError::because(ErrorKind::Failed, "cannot write the report as JSON", error)
}

/// Writes whole lines, each behind the same words: who says so.
pub(super) struct Prefixed<W> {
    prefix: String,
    inner: W,
    line: Vec<u8>,
}

impl<W: Write> Prefixed<W> {
    /// Returns a writer that puts `prefix` before each line.
    pub(super) fn new(prefix: String, inner: W) -> Self {
        Self { prefix, inner, line: Vec::new() }
    }
}

impl<W: Write> Write for Prefixed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(part);
            if part.ends_with(b"\n") {
                // One write a line, so that lines of several runs do not mix.
                let line = [self.prefix.as_bytes(), &std::mem::take(&mut self.line)].concat();
                self.inner.write_all(&line)?;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// What a command shows to people: lines and tables in order.
#[derive(Debug, Default)]
pub struct Page(Vec<Part>);

#[derive(Debug)]
enum Part {
    Line(Text),
    Table(Table),
}

impl Page {
    /// Returns an empty page.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a line.
    #[must_use]
    pub fn line(mut self, text: impl Into<Text>) -> Self {
        self.0.push(Part::Line(text.into()));
        self
    }

    /// Adds a table.
    #[must_use]
    pub fn table(mut self, table: Table) -> Self {
        self.0.push(Part::Table(table));
        self
    }

    /// Adds what is on another page.
    #[must_use]
    pub fn append(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Renders all of it, each line with its line break; tables in `width` columns where that is
    /// known.
    pub fn render(&self, colour: bool, width: Option<usize>) -> String {
        let part = |part: &Part| match part {
            Part::Line(text) => text.render(colour) + "\n",
            Part::Table(table) => table.render(colour, width),
        };
        self.0.iter().map(part).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// A writer that several hold, and that fails from some byte on.
    #[derive(Clone)]
    struct Shared {
        bytes: Arc<Mutex<Vec<u8>>>,
        room: usize,
        failure: io::ErrorKind,
    }

    impl Shared {
        fn new(room: usize, failure: io::ErrorKind) -> Self {
            Self { bytes: Arc::default(), room, failure }
        }

        fn text(&self) -> String {
            String::from_utf8(self.bytes.lock().unwrap().clone()).unwrap()
        }
    }

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut written = self.bytes.lock().unwrap();
            if written.len() + bytes.len() > self.room {
                return Err(self.failure.into());
            }
            written.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn output(options: OutputOptions, room: usize, failure: io::ErrorKind) -> (Output, Shared, Shared) {
        let (data, messages) = (Shared::new(room, failure), Shared::new(usize::MAX, failure));
        let boxes: (Box<dyn Write + Send>, Box<dyn Write + Send>) =
            (Box::new(data.clone()), Box::new(messages.clone()));
        (Output::to(options, Screen::default(), boxes.0, boxes.1), data, messages)
    }

    fn page() -> Page {
        let mut table = Table::new(["name"]);
        table.row(["blog".into()]);
        Page::new().line("1 repository").table(table)
    }

    #[test]
    fn a_report_is_text_for_people_and_one_document_for_programs() {
        let report = serde_json::json!({ "count": 1 });
        let (output, data, _) = output_of(OutputOptions::default());
        output.report(Outcome::Complete, &report, page).unwrap();
        assert_eq!(data.text(), "1 repository\nname\nblog\n");

        let (output, data, messages) = output_of(OutputOptions { json: true, ..OutputOptions::default() });
        output.report(Outcome::Complete, &report, page).unwrap();
        assert_eq!(data.text(), "", "how the command ends is not known yet");
        output.finish(Some(Outcome::Complete)).unwrap();
        output.message("said to people");
        assert_eq!(data.text(), "{\n  \"schema\": 1,\n  \"exit_code\": 0,\n  \"count\": 1\n}\n");
        assert_eq!(messages.text(), "said to people\n");
    }

    #[test]
    fn a_stream_is_one_object_a_line() {
        let (output, data, _) = output_of(OutputOptions { json: true, ..OutputOptions::default() });
        output.item(Some(Outcome::Partial), &serde_json::json!({ "id": "a\nb" }), page).unwrap();
        output.item(None, &["bare"], page).unwrap();
        let expected =
            "{\"schema\":1,\"exit_code\":3,\"id\":\"a\\nb\"}\n{\"schema\":1,\"items\":[\"bare\"]}\n";
        assert_eq!(data.text(), expected);
    }

    #[test]
    fn the_exit_code_is_the_one_of_the_end_whatever_was_thought_before() {
        let json = OutputOptions { json: true, ..OutputOptions::default() };
        let (output, data, _) = output_of(json);
        output.report(Outcome::Complete, &serde_json::json!({}), page).unwrap();
        output.finish(Some(Outcome::Partial)).unwrap();
        assert_eq!(data.text(), "{\n  \"schema\": 1,\n  \"exit_code\": 3\n}\n");
        for (end, more) in [(Outcome::Complete, ""), (Outcome::Partial, "{\"schema\":1,\"exit_code\":3}\n")] {
            let (output, data, _) = output_of(json);
            output.item(Some(Outcome::Complete), &serde_json::json!({}), page).unwrap();
            output.finish(Some(end)).unwrap();
            assert_eq!(data.text(), format!("{{\"schema\":1,\"exit_code\":0}}\n{more}"));
        }
    }

    #[test]
    fn quiet_leaves_warnings_and_errors() {
        let (output, _, messages) = output_of(OutputOptions { quiet: true, ..OutputOptions::default() });
        output.message("chat");
        output.warning("mind the gap");
        output.error(&CommandError::new(ErrorKind::Failed, "it failed"));
        assert_eq!(messages.text(), "warning: mind the gap\nerror: it failed\n");
    }

    #[test]
    fn a_reader_that_went_away_is_no_error() {
        let (output, data, messages) = output(OutputOptions::default(), 4, io::ErrorKind::BrokenPipe);
        output.bytes(b"abcd").unwrap();
        output.bytes(b"efgh").unwrap();
        assert!(output.is_closed());
        output.report(Outcome::Complete, &(), page).unwrap();
        output.finish(None).unwrap();
        assert_eq!((data.text().as_str(), messages.text().as_str()), ("abcd", ""));
    }

    #[test]
    fn a_full_disk_is_an_error() {
        let (output, ..) = output(OutputOptions::default(), 4, io::ErrorKind::StorageFull);
        let error = output.report(Outcome::Complete, &(), page).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Failed);
        assert_eq!(error.to_string(), "cannot write to standard output");
    }

    #[test]
    fn an_error_that_cannot_be_printed_as_json_is_printed_for_people() {
        let options = OutputOptions { json: true, ..OutputOptions::default() };
        let error = CommandError::new(ErrorKind::Failed, "it failed");
        let (output, _, messages) = output(options, 0, io::ErrorKind::StorageFull);
        output.error(&error);
        assert_eq!(messages.text(), "error: it failed\n");
    }

    fn output_of(options: OutputOptions) -> (Output, Shared, Shared) {
        output(options, usize::MAX, io::ErrorKind::Other)
    }
}
