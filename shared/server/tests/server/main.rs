//! Who is let in, and that nobody who misbehaves disturbs the others: over real connections to a service that says who called.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod door;
mod hostile;
mod house;
