//! What every gRPC edge needs: decoding that names each bad field, page tokens, and what lanes and stores say instead of an answer.

mod decode;
mod page;
mod said;

use auric_server::metadata::REPLAYED;
use tonic::metadata::MetadataValue;
use tonic::{Response, Status};

pub use decode::{Decoder, key};
pub use page::Cursor;
pub use said::{RETRY_AFTER, key_reused, of_read, of_refused, said};

/// Says of an answer that it is the first one, given again.
pub fn mark_replayed<T>(answer: &mut Result<Response<T>, Status>) {
    let mark = MetadataValue::from_static("true");
    match answer {
        Ok(response) => response.metadata_mut().insert(REPLAYED, mark),
        Err(status) => status.metadata_mut().insert(REPLAYED, mark),
    };
}
