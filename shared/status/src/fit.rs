//! Cuts a problem to the size that every gRPC client accepts.
//!
//! A refusal of a thousand legs names a thousand fields. Trailers that are longer than a client's limit are not shown to the caller at all: the call
//! ends as INTERNAL or CANCELLED, and a final refusal looks like an accident.

use crate::{BadField, Problem};

/// What `grpc-message` and `grpc-status-details-bin` may take together: the default limit of grpc-java, 8,192, less what other trailers need.
pub const TRAILER_BYTES_MAX: usize = 7_168;

/// What the message may take of it: it is sent twice, once readable and once inside the details.
const MESSAGE_BYTES_MAX: usize = 1_024;

/// The metadata entry that says how many fields and entries were left out.
const OMITTED: &str = "omitted";

/// Room for the sentence and the metadata entry that tell of a cut.
const NOTICE_BYTES: usize = 192;

/// The tags and lengths around one field of `BadRequest`.
const FIELD_FRAME_BYTES: usize = 12;

pub(crate) fn cut(mut problem: Problem) -> Problem {
    if encoded_bytes(&problem.message) > MESSAGE_BYTES_MAX {
        shorten(&mut problem.message, MESSAGE_BYTES_MAX.saturating_sub(NOTICE_BYTES));
    }
    if trailer_bytes(&problem) <= TRAILER_BYTES_MAX {
        return problem;
    }
    let mut fields = std::mem::take(&mut problem.bad_fields);
    let mut omitted: usize = 0;
    while trailer_bytes(&problem) > TRAILER_BYTES_MAX.saturating_sub(NOTICE_BYTES)
        && problem.metadata.pop_last().is_some()
    {
        omitted = omitted.saturating_add(1);
    }
    let mut room = TRAILER_BYTES_MAX.saturating_sub(NOTICE_BYTES).saturating_sub(trailer_bytes(&problem));
    let fits = |field: &BadField| {
        let bytes = field.path.len().saturating_add(field.description.len()).saturating_add(FIELD_FRAME_BYTES);
        let left = room.checked_sub(base64_bytes(bytes));
        room = left.unwrap_or(0);
        left.is_some()
    };
    let kept = fields.iter().map(fits).take_while(|&fits| fits).count();
    omitted = omitted.saturating_add(fields.len().saturating_sub(kept));
    fields.truncate(kept);
    problem.bad_fields = fields;
    problem.message = format!("{} (and {omitted} more details that do not fit)", problem.message);
    problem.metadata.insert(OMITTED.to_owned(), omitted.to_string());
    problem
}

fn trailer_bytes(problem: &Problem) -> usize {
    let status = problem.to_status();
    encoded_bytes(&problem.message).saturating_add(base64_bytes(status.details().len()))
}

fn base64_bytes(bytes: usize) -> usize {
    bytes.div_ceil(3).saturating_mul(4)
}

/// What `grpc-message` takes: everything but visible ASCII is three characters a byte there.
fn encoded_bytes(message: &str) -> usize {
    message.bytes().map(|byte| if matches!(byte, b' '..=b'~') && byte != b'%' { 1 } else { 3 }).sum()
}

fn shorten(message: &mut String, bytes_max: usize) {
    let mut bytes: usize = 0;
    let past = message.char_indices().find(|&(_, character)| {
        bytes = bytes.saturating_add(encoded_bytes(character.encode_utf8(&mut [0; 4])));
        bytes > bytes_max
    });
    if let Some((at, _)) = past {
        message.truncate(at);
        message.push_str(" …");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tonic::Code;

    use super::*;

    #[test]
    fn a_refusal_of_a_thousand_legs_reaches_its_caller() {
        let legs = (0..1_000_usize).map(|leg| BadField::new(format!("legs[{leg}].amount"), "must be 1 or more, is 0"));
        let status = Problem::invalid_argument(legs.collect()).into_status();
        let cut = Problem::from_status(&status);
        assert!(trailer_bytes(&cut) <= TRAILER_BYTES_MAX);
        assert!(cut.bad_fields.len() > 60, "only {} are left", cut.bad_fields.len());
        let omitted = 1_000 - cut.bad_fields.len();
        assert_eq!(cut.metadata["omitted"], omitted.to_string());
        assert!(cut.message.ends_with(&format!("… (and {omitted} more details that do not fit)")), "{}", cut.message);
        assert!(cut.unspoken_numbers().is_empty());
    }

    #[test]
    fn what_fits_is_left_alone() {
        let problem =
            Problem::new(Code::NotFound, "MUTATION_NOT_SEEN", "no mutation of caller a under key k").with("key", "k");
        assert_eq!(cut(problem.clone()), problem);
    }

    proptest! {
        #[test]
        fn everything_fits_after_the_cut(message in "[ -~ñ%]{0,1500}", values in prop::collection::btree_map("[a-z]{1,20}", "[a-zñ]{0,900}", 0..12), fields in 0..400_usize) {
            let mut problem = Problem::new(Code::FailedPrecondition, "X", message);
            problem.metadata = values;
            problem.bad_fields = vec![BadField::new("legs[1].player_id", "ñ is not allowed"); fields];
            let cut = cut(problem);
            prop_assert!(trailer_bytes(&cut) <= TRAILER_BYTES_MAX, "{} bytes", trailer_bytes(&cut));
        }
    }
}
