//! The program as a person runs it: started, asked, refused, stopped, killed, and started again.

#[cfg(test)]
mod ask;
#[cfg(test)]
mod start;
#[cfg(test)]
mod support;
