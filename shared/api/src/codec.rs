//! How messages are read from the wire.

use std::marker::PhantomData;

use prost::Message;
use prost::bytes::Buf as _;
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder};
use tonic_prost::{ProstCodec, ProstEncoder};

/// Protobuf, as [`ProstCodec`] has it, but read from one slice: a message lies in one piece anyway, and a slice is cheaper to go forward in than the
/// buffer that it lies in, which every field would have to ask several times.
#[derive(Clone, Debug)]
pub struct SliceCodec<T, U>(PhantomData<(T, U)>);

/// Reads messages for [`SliceCodec`].
#[derive(Clone, Debug)]
pub struct SliceDecoder<U>(PhantomData<U>);

impl<T, U> Default for SliceCodec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> Codec for SliceCodec<T, U>
where
    T: Message + Send + 'static,
    U: Message + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = SliceDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstCodec::<T, U>::default().encoder()
    }

    fn decoder(&mut self) -> Self::Decoder {
        SliceDecoder(PhantomData)
    }
}

impl<U: Message + Default> Decoder for SliceDecoder<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, source: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        let whole = source.remaining();
        let message = match source.chunk() {
            slice if slice.len() == whole => U::decode(slice),
            _ => U::decode(source.copy_to_bytes(whole)),
        };
        source.advance(source.remaining());
        message.map(Some).map_err(|error| Status::internal(error.to_string()))
    }
}
