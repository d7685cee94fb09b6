//! The gateway's laws on both stores, and what strangers can send it.

#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod inbox;
#[cfg(test)]
mod signer;
#[cfg(test)]
mod stripe;
#[cfg(test)]
mod work;
