//! Everything that is drawn, and everything that is told about it.

#[cfg(test)]
mod catalogs;
#[cfg(test)]
mod engine;
