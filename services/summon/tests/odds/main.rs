//! Everything that is drawn, and everything that is told about it.

#[cfg(test)]
mod battery;
#[cfg(test)]
mod catalogs;
#[cfg(test)]
mod engine;
#[cfg(test)]
mod exchange;
#[cfg(test)]
mod naive;
#[cfg(test)]
mod readme;
#[cfg(test)]
mod receipts;
#[cfg(test)]
mod refused;
#[cfg(test)]
mod schemes;
#[cfg(test)]
mod told;
