//! The collection's server, which puts esprits that it has encoded before into its answers.
//!
//! On the wire there is no difference: a repeated message and a repeated `bytes` of what it encodes to are the same.

use prost::bytes::Bytes;

include!(concat!(env!("OUT_DIR"), "/encoded/auric.collection.v1.rs"));

/// What [`ListEspritsResponse`](super::ListEspritsResponse) encodes to.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct ListEspritsResponse {
    /// An encoded [`Esprit`](super::Esprit) each.
    #[prost(bytes = "bytes", repeated, tag = "1")]
    pub esprits: Vec<Bytes>,
    /// As there.
    #[prost(string, tag = "2")]
    pub next_page_token: String,
    /// As there.
    #[prost(int64, tag = "3")]
    pub total_size: i64,
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
            let encoded = super::ListEspritsResponse {
                esprits: answer.esprits.iter().map(|esprit| esprit.encode_to_vec().into()).collect(),
                next_page_token: answer.next_page_token.clone(),
                total_size: answer.total_size,
            };
            assert_eq!(encoded.encode_to_vec(), answer.encode_to_vec());
        }
        // A field that is new in the answer is missing here: that does not compile.
        let api::ListEspritsResponse { esprits: _, next_page_token: _, total_size: _ } = Default::default();
    }
}
