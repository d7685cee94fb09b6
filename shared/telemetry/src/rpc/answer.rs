//! The body of an answer, whose trailers say how the call ended.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http_body::{Frame, SizeHint};
use hyper::body::Bytes;
use tonic::body::Body;
use tonic::{Code, Status};

use super::call::{Call, code_of};

/// Passes a body on, and ends its call with it. What a stream does on the way belongs to the call's span.
pub struct Answer {
    body: Body,
    call: Call,
}

impl Answer {
    pub fn new(body: Body, call: Call) -> Self {
        Self { body, call }
    }
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Self { body, call } = self.get_mut();
        let frame = ready!(call.work(|| Pin::new(body).poll_frame(context)));
        match &frame {
            Some(Ok(frame)) => {
                if let Some(trailers) = frame.trailers_ref() {
                    call.end(code_of(trailers).unwrap_or(Code::Unknown));
                }
            }
            Some(Err(status)) => call.end(status.code()),
            None => call.end(Code::Unknown),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
