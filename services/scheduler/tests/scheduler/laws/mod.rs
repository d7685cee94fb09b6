//! What must hold, on whichever store.

mod changes;
mod firing;
mod turns;
mod wire;
