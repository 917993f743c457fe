//! Notifications: tells people and programs what is wrong, once, again, and when it is over.
//!
//! Silence must never mean success by accident, and a message that comes every five minutes is
//! silence too. So messages go out on a change of state and as reminders; what was said is kept in
//! the vault, so that another machine goes on where this one ended. Pings and hooks go with each
//! run.
//!
//! - What is to be said is decided by a pure function, [`due`]. [`Notifier`] asks it, sends, and
//!   remembers what arrived.
//! - **A message is made of our own words, names, numbers and times.** Nothing that a server, a
//!   document or a person wrote is in it, nor any error of a layer below.
//! - Addresses of receivers are secrets: no error, log or report of this module holds one.
//! - One receiver that fails or hangs does not hold up another, and what did not arrive counts as
//!   not said. That it did not arrive is a [`Problem`](crate::progress::Problem) for the caller.
//! - Of several schedulers on one vault one tells at a time, and knows what the others said.
//! - A crash between sending and remembering makes a message come twice, never not at all.

mod due;
mod email;
mod error;
mod hooks;
mod http;
mod message;
mod notice;
mod notifier;
mod routes;
mod run;
mod turn;

pub use due::{Pace, Step, due};
pub use error::{SendError, SendErrorKind};
pub use message::Message;
pub use notice::{Change, Notice};
pub use notifier::{Delivery, Memory, Notifier};
pub use routes::Routes;
pub use run::{RunEnd, RunFacts, Stopped};
