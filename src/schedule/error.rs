//! What is wrong with a cron expression.

/// An expression that cannot be used. Whoever reads it from a file adds the place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CronError {
    /// Not as many fields as a form has.
    #[error(
        "has {0} fields; write 5 (minute, hour, day of month, month, weekday), 6 (seconds first) or 7 (years last)"
    )]
    FieldCount(usize),
    /// A word with `@` that is none of those known.
    #[error("{text:?} is no short form{}", suggestion(*.closest))]
    Shorthand {
        /// What was written.
        text: String,
        /// What was probably meant.
        closest: Option<&'static str>,
    },
    /// One field is not as crontab(5) has it.
    #[error("{text:?} in the field of {field} {reason}")]
    Field {
        /// The field: `minutes`, `weekdays`.
        field: &'static str,
        /// The part of it that is wrong.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Every field is fine, and no date has all of them: 30 February.
    #[error("{0:?} never comes: no date from 1970 to 2100 is so")]
    Never(String),
}

fn suggestion(closest: Option<&str>) -> String {
    let known = "known: @hourly, @daily, @midnight, @weekly, @monthly, @yearly, @annually";
    match closest {
        Some(word) => format!(", did you mean {word:?}? ({known})"),
        None => format!(" ({known})"),
    }
}
