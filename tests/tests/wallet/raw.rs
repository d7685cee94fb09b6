//! Calls with bytes in place of messages, so that a request may be anything.

use prost::bytes::{Buf as _, BufMut as _, Bytes};
use prost_reflect::DynamicMessage;
use prost_reflect::prost::Message as _;
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::Channel;
use tonic::{Request, Status};

use super::harness::Caller;

/// The bytes of a message.
pub fn bytes(message: &DynamicMessage) -> Vec<u8> {
    message.encode_to_vec()
}

/// Calls the method at `path` with one message, and gives the first answer: nothing when a stream has none at once.
///
/// # Errors
///
/// The status, of the call or of its stream.
pub async fn call(caller: Caller<'_>, path: &str, request: Vec<u8>) -> Result<Option<Bytes>, Status> {
    send(caller.cluster.channel(caller.copy).expect("it is up"), path, Request::new(request)).await
}

/// The same over any channel, with what `request` has beside its message.
///
/// # Errors
///
/// As [`call`].
pub async fn send(channel: Channel, path: &str, request: Request<Vec<u8>>) -> Result<Option<Bytes>, Status> {
    let mut grpc = Grpc::new(channel);
    grpc.ready().await.map_err(|error| Status::unknown(error.to_string()))?;
    let path = path.parse().expect("a path");
    let once = request.map(|message| futures::stream::iter([message]));
    let mut answers = grpc.streaming(once, path, Raw).await?.into_inner();
    // A watch of what is not there yet says nothing; every other stream has something to say.
    let first = tokio::time::timeout(SILENCE, answers.message()).await;
    first.unwrap_or(Ok(None))
}

/// How long a stream may be silent before it is left.
const SILENCE: std::time::Duration = std::time::Duration::from_secs(2);

#[derive(Clone, Copy)]
struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put_slice(&item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}
