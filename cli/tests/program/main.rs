//! The program as a person runs it: started, asked, refused, stopped, killed, and started again.

#[cfg(test)]
mod ask;
#[cfg(test)]
mod collection;
#[cfg(test)]
mod events;
#[cfg(test)]
mod forge;
#[cfg(test)]
mod guide;
#[cfg(test)]
mod holds;
#[cfg(test)]
mod odds;
#[cfg(test)]
mod paid;
#[cfg(test)]
mod reload;
#[cfg(test)]
mod start;
#[cfg(test)]
mod summon;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tamper;
