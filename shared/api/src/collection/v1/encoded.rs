//! The collection's server, whose pages of esprits are encoded already.

use prost::DecodeError;
use prost::bytes::{Buf, BufMut, Bytes};
use prost::encoding::{DecodeContext, WireType, skip_field};

include!(concat!(env!("OUT_DIR"), "/encoded/auric.collection.v1.rs"));

/// What a [`ListEspritsResponse`](super::ListEspritsResponse) encodes to: a server sends it again and again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListEspritsResponse(pub Bytes);

impl prost::Message for ListEspritsResponse {
    fn encode_raw(&self, buffer: &mut impl BufMut) {
        buffer.put_slice(&self.0);
    }

    fn encoded_len(&self) -> usize {
        self.0.len()
    }

    /// Nothing: a server reads none of its answers.
    fn merge_field(
        &mut self,
        tag: u32,
        wire_type: WireType,
        buffer: &mut impl Buf,
        context: DecodeContext,
    ) -> Result<(), DecodeError> {
        skip_field(wire_type, tag, buffer, context)
    }

    fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::super as api;

    #[test]
    fn the_encoded_answer_is_the_answer() {
        let esprit = |number: i64| api::Esprit {
            esprit_id: format!("e{number}"),
            version: number,
            stats: Some(api::Stats { hp: number, ..api::Stats::default() }),
            ..api::Esprit::default()
        };
        for esprits in [vec![], vec![api::Esprit::default()], (1..=50).map(esprit).collect()] {
            let answer = api::ListEspritsResponse { esprits, next_page_token: "t".to_owned(), total_size: 5_000 };
            let encoded = super::ListEspritsResponse(answer.encode_to_vec().into());
            assert_eq!(encoded.encode_to_vec(), answer.encode_to_vec());
            assert_eq!(api::ListEspritsResponse::decode(&*encoded.encode_to_vec()).unwrap(), answer);
        }
    }
}
