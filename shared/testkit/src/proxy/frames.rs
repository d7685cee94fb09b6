//! Finds the answers in what an HTTP/2 server says.

/// The bytes before every frame's payload.
const HEADER_BYTES: usize = 9;

/// The frame that opens an answer, and the one that closes it.
const HEADERS: u8 = 1;

/// Follows the frames of one connection over however many pieces.
///
/// # Source
///
/// RFC 9113 §4.1: three bytes of length, one of type, one of flags, four of the stream's number.
#[derive(Debug, Default)]
pub(super) struct Frames {
    header: Vec<u8>,
    /// What is still to come of the frame's payload.
    payload: usize,
}

impl Frames {
    /// Counts the frames with headers that begin in `piece`.
    pub(super) fn answers_in(&mut self, mut piece: &[u8]) -> u64 {
        let mut answers: u64 = 0;
        while !piece.is_empty() {
            let skipped = self.payload.min(piece.len());
            self.payload -= skipped;
            piece = &piece[skipped..];
            let missing = (HEADER_BYTES - self.header.len()).min(piece.len());
            self.header.extend_from_slice(&piece[..missing]);
            piece = &piece[missing..];
            if let [high, middle, low, kind, ..] = self.header[..]
                && self.header.len() == HEADER_BYTES
            {
                self.payload = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
                self.header.clear();
                answers += u64::from(kind == HEADERS);
            }
        }
        answers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, payload: usize) -> Vec<u8> {
        let length = u32::try_from(payload).unwrap().to_be_bytes();
        let mut frame = vec![length[1], length[2], length[3], kind, 0, 0, 0, 0, 1];
        // A payload that looks like headers is none.
        frame.extend(std::iter::repeat_n(HEADERS, payload));
        frame
    }

    #[test]
    fn answers_are_found_however_the_bytes_are_cut() {
        let said = [frame(4, 18), frame(HEADERS, 40), frame(0, 300), frame(HEADERS, 12), frame(6, 0)].concat();
        for size in 1..=said.len() {
            let mut frames = Frames::default();
            let found: u64 = said.chunks(size).map(|piece| frames.answers_in(piece)).sum();
            assert_eq!(found, 2, "in pieces of {size}");
        }
    }
}
