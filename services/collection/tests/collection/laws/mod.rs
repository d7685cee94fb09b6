//! What must hold, on whichever store.

mod concurrency;
mod faults;
mod keyed;
mod operations;
mod parts;
mod reads;
mod reload;
mod shown;
mod table;
mod wire;
