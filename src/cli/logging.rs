//! Logs, on standard error.
//!
//! What is logged is decided by `RUST_LOG` where it is set, else by `-v` and `--quiet`. Other
//! crates are kept to warnings even with `-vv`, and those of AWS are silent below it: HTTP and S3 clients print requests at their finer
//! levels, and requests carry tokens.

use std::io::{self, Write};

use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

use super::error::{CommandError, ErrorKind};
use super::output::Screen;
use super::traces::{self, Traces};

/// Form of the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// Lines for people
    #[default]
    Text,
    /// One JSON object a line
    Json,
}

/// What is logged, and how.
#[derive(Debug, Clone, Copy, Default)]
pub struct LogOptions {
    /// How often `-v` was given.
    pub verbose: u8,
    /// Errors only.
    pub quiet: bool,
    /// Form of the log.
    pub format: LogFormat,
    /// Colour.
    pub colour: bool,
}

impl LogOptions {
    fn directives(self) -> &'static str {
        match (self.quiet, self.verbose) {
            // What the AWS SDK says of missing settings is in our error, in fewer words.
            (true, _) => "error,aws=off",
            (false, 0) => "warn,aws=off",
            (false, 1) => "warn,aws=off,prismvault=info",
            (false, _) => "warn,prismvault=debug",
        }
    }
}

/// Starts logging for this process, and traces where they are asked for.
///
/// # Errors
///
/// When `RUST_LOG` is set to something that is not a filter: a log that is silently empty is
/// found out when it is needed.
pub(super) fn start(options: LogOptions, screen: Screen) -> Result<Traces, CommandError> {
    let wanted = std::env::var("RUST_LOG").ok().filter(|wanted| !wanted.is_empty());
    let filter = filter(options, wanted.as_deref())?;
    let lines = tracing_subscriber::fmt::layer().with_writer(ScreenWriter(screen)).with_ansi(options.colour);
    let lines = match options.format {
        LogFormat::Text => lines.with_target(false).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    let (spans, traces) = traces::start();
    let started = tracing_subscriber::registry().with(lines.with_filter(filter)).with(spans).try_init();
    started.map_err(|err| CommandError::because(ErrorKind::Failed, "cannot start logging", err))?;
    Ok(traces)
}

fn filter(options: LogOptions, wanted: Option<&str>) -> Result<EnvFilter, CommandError> {
    let directives = wanted.unwrap_or(options.directives());
    EnvFilter::builder().parse(directives).map_err(|err| {
        CommandError::because(ErrorKind::Usage, "RUST_LOG is not a filter of logs", err)
            .hint("for example RUST_LOG=prismvault=debug")
    })
}

/// Writes each event between two drawings of the progress bars.
struct ScreenWriter(Screen);

impl<'a> MakeWriter<'a> for ScreenWriter {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> &'a Self {
        self
    }
}

impl Write for &ScreenWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.around(|| io::stderr().write_all(bytes))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_of_verbosity_is_a_valid_filter() {
        for (quiet, verbose) in [(true, 0), (false, 0), (false, 1), (false, 2), (false, 9)] {
            let options = LogOptions { quiet, verbose, ..LogOptions::default() };
            assert!(filter(options, None).is_ok(), "{options:?}");
        }
    }

    #[test]
    fn the_environment_wins_and_nonsense_in_it_is_refused() {
        let options = LogOptions { quiet: true, ..LogOptions::default() };
        assert_eq!(filter(options, Some("prismvault=trace")).unwrap().to_string(), "prismvault=trace");
        let error = filter(options, Some("prismvault=loud")).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Usage);
    }
}
