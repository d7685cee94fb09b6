//! How far a reader has come in each lane.

use std::collections::BTreeMap;

use auric_time::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use thiserror::Error;

/// Lanes of one source at most.
pub const LANES_MAX: usize = 256;

/// Bytes of a cursor as text at most: what a full one takes, and some.
const TEXT_BYTES_MAX: usize = LANES_MAX * 96;

/// What a cursor as text begins with, before it is encoded: another version of this program may write it otherwise.
const VERSION: &str = "1";

/// How far a reader has come in each lane of one source. As text it is opaque.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    lanes: BTreeMap<i16, Place>,
    /// Whether it comes from a read.
    is_begun: bool,
}

/// How far a reader has come in one lane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The last transaction that was read whole; 0 for none.
    pub seq: u64,
    /// When that was written: a lane with the same number and another time is not the lane that was read.
    pub time: Timestamp,
    /// Events that were read of the transaction after it.
    pub part: u32,
}

/// Why a text is no cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("is not a cursor of an answer before")]
pub struct CursorError;

impl Cursor {
    /// The cursor before the oldest event that is kept.
    #[must_use]
    pub const fn oldest() -> Self {
        Self { lanes: BTreeMap::new(), is_begun: false }
    }

    /// The cursor behind what has been read of each lane.
    #[must_use]
    pub fn at(lanes: impl IntoIterator<Item = (i16, Place)>) -> Self {
        Self { lanes: lanes.into_iter().collect(), is_begun: true }
    }

    /// How far the reader has come in `lane`: a lane that it does not name was not there, and begins with 1.
    #[must_use]
    pub fn place(&self, lane: i16) -> Place {
        self.lanes.get(&lane).copied().unwrap_or_default()
    }

    /// Moves on in one lane.
    pub fn set(&mut self, lane: i16, place: Place) {
        self.lanes.insert(lane, place);
    }

    /// Whether it is [`oldest`](Self::oldest), which no read gave.
    #[must_use]
    pub const fn is_oldest(&self) -> bool {
        !self.is_begun
    }

    /// The lanes that it names, in order.
    pub fn lanes(&self) -> impl Iterator<Item = (i16, Place)> {
        self.lanes.iter().map(|(lane, place)| (*lane, *place))
    }

    /// Reads the text back; the empty text is [`oldest`](Self::oldest).
    ///
    /// # Errors
    ///
    /// [`CursorError`] when no [`to_text`](Self::to_text) gave it.
    pub fn parse(text: &str) -> Result<Self, CursorError> {
        if text.is_empty() {
            return Ok(Self::oldest());
        }
        if text.len() > TEXT_BYTES_MAX {
            return Err(CursorError);
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| CursorError)?;
        let plain = std::str::from_utf8(&bytes).map_err(|_| CursorError)?;
        let mut parts = plain.split(';');
        if parts.next() != Some(VERSION) {
            return Err(CursorError);
        }
        let mut cursor = Self::at([]);
        for lane in parts {
            let (lane, place) = parse_lane(lane).ok_or(CursorError)?;
            if cursor.lanes.insert(lane, place).is_some() || cursor.lanes.len() > LANES_MAX {
                return Err(CursorError);
            }
        }
        Ok(cursor)
    }

    /// The text that stands for it.
    #[must_use]
    pub fn to_text(&self) -> String {
        if !self.is_begun {
            return String::new();
        }
        let lane = |(lane, place): (&i16, &Place)| {
            let Place { seq, time, part } = place;
            format!("{lane}:{seq:x}:{:x}:{part:x}", time.micros())
        };
        let plain: Vec<String> = std::iter::once(VERSION.to_owned()).chain(self.lanes.iter().map(lane)).collect();
        URL_SAFE_NO_PAD.encode(plain.join(";"))
    }
}

fn parse_lane(text: &str) -> Option<(i16, Place)> {
    let mut numbers = text.split(':');
    let lane = numbers.next()?.parse().ok()?;
    let seq = u64::from_str_radix(numbers.next()?, 16).ok()?;
    let time = i64::from_str_radix(numbers.next()?, 16).ok()?;
    let part = u32::from_str_radix(numbers.next()?, 16).ok()?;
    let is_whole = numbers.next().is_none() && i64::try_from(seq).is_ok();
    is_whole.then_some((lane, Place { seq, time: Timestamp::from_micros(time), part }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_cursor_survives_its_text(lanes in prop::collection::btree_map(0_i16..300, (0..u64::MAX / 2, 0..i64::MAX, any::<u32>()), 0..40)) {
            let place = |(seq, micros, part)| Place { seq, time: Timestamp::from_micros(micros), part };
            let cursor = Cursor::at(lanes.into_iter().map(|(lane, numbers)| (lane, place(numbers))));
            prop_assert_eq!(Cursor::parse(&cursor.to_text()), Ok(cursor));
        }
    }

    #[test]
    fn a_full_cursor_is_no_longer_than_what_is_taken() {
        let place = Place { seq: u64::MAX / 2, time: Timestamp::from_micros(i64::MAX), part: u32::MAX };
        let cursor = Cursor::at((0..256).map(|lane| (i16::MAX - lane, place)));
        assert_eq!(cursor.lanes().count(), LANES_MAX);
        assert_eq!(Cursor::parse(&cursor.to_text()), Ok(cursor));
    }

    #[test]
    fn what_no_read_gave_is_no_cursor() {
        assert_eq!(Cursor::parse(""), Ok(Cursor::oldest()));
        let text = |plain: &str| URL_SAFE_NO_PAD.encode(plain);
        let long = "A".repeat(TEXT_BYTES_MAX + 4);
        for bad in [
            "x",
            "1;",
            &text("2"),
            &text("1;a"),
            &text("1;1:1:1"),
            &text("1;1:1:1:1:1"),
            &text("1;1:1:1:0;1:1:1:0"),
            &long,
        ] {
            assert_eq!(Cursor::parse(bad), Err(CursorError), "{bad:.40}");
        }
        assert_eq!(Cursor::parse(&text("1;1:ffffffffffffffff:1:0")), Err(CursorError), "no lane comes that far");
    }

    #[test]
    fn a_cursor_of_a_source_where_nothing_happened_is_not_the_oldest() {
        let cursor = Cursor::at([]);
        assert!(!cursor.is_oldest() && cursor.place(3).seq == 0);
        assert_eq!(Cursor::parse(&cursor.to_text()), Ok(cursor));
    }
}
