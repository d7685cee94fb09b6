//! The wallet through `auric-client`, over networks that fail and copies that come and go (R-W2, R-O5).

mod copies;
mod faults;
mod storm;
