//! What must hold, on whichever store.

mod bounded;
mod changes;
mod desired;
mod faults;
mod firing;
mod leases;
mod restore;
mod storm;
mod table;
mod turns;
mod wire;
