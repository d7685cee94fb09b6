//! Upgrades and dissolves over the collection and the wallet: paid if and only if done.

mod edge;
mod estate;
mod faulty;
mod history;
mod matrix;
mod races;
