//! Parts per billion as a person sees them, in whole numbers throughout.

/// Cells of a bar.
const CELLS: u32 = 20;

const BILLION: u64 = 1_000_000_000;

/// Writes a part as percent with two decimals, such as `0.60 %`; what is cut off is not rounded up, so that only what is full says 100.
pub fn percent(ppb: i32) -> String {
    let hundredths = u64::try_from(ppb).unwrap_or_default() / 100_000;
    format!("{}.{:02} %", hundredths / 100, hundredths % 100)
}

/// Draws a part as a bar; only one that is full has all its cells.
pub fn bar(ppb: i32) -> String {
    let part = u64::try_from(ppb).unwrap_or_default().min(BILLION);
    let full = part.saturating_mul(u64::from(CELLS)) / BILLION;
    (0..u64::from(CELLS)).map(|cell| if cell < full { '█' } else { '░' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_full_says_so() {
        assert_eq!(percent(6_000_000), "0.60 %");
        assert_eq!(percent(999_999_999), "99.99 %");
        assert_eq!(percent(1_000_000_000), "100.00 %");
        assert_eq!(percent(-1), "0.00 %");
        assert_eq!(bar(0), "░░░░░░░░░░░░░░░░░░░░");
        assert_eq!(bar(500_000_000), "██████████░░░░░░░░░░");
        assert_eq!(bar(999_999_999), "███████████████████░");
        assert_eq!(bar(1_000_000_000), "████████████████████");
    }
}
