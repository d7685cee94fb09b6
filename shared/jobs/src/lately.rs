//! What was done lately, so that a firing whose answer was lost is not done again.

use std::collections::{HashMap, VecDeque};

/// Firings that are remembered of each handler; older ones are done again, which is harmless.
const FIRINGS_MAX: usize = 256;

/// The last firings that were done, and what was said of each.
#[derive(Debug, Default)]
pub struct Lately {
    said: HashMap<String, String>,
    order: VecDeque<String>,
}

impl Lately {
    /// What was said of `key` when it was done.
    pub fn of(&self, key: &str) -> Option<&str> {
        self.said.get(key).map(String::as_str)
    }

    /// Remembers `key` until enough others were done.
    pub fn remember(&mut self, key: &str, message: &str) {
        if self.said.insert(key.to_owned(), message.to_owned()).is_some() {
            return;
        }
        self.order.push_back(key.to_owned());
        if self.order.len() > FIRINGS_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.said.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_are_forgotten() {
        let mut lately = Lately::default();
        for number in 0..=FIRINGS_MAX {
            lately.remember(&number.to_string(), "done");
            lately.remember(&number.to_string(), "done");
        }
        assert_eq!((lately.of("0"), lately.of("1")), (None, Some("done")));
        assert_eq!((lately.said.len(), lately.order.len()), (FIRINGS_MAX, FIRINGS_MAX));
    }
}
