//! A collector that takes everything and keeps nothing: what telemetry costs a service, without what it costs a collector.

use std::net::SocketAddr;

use anyhow::Result;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, Response, header};
use axum::response::IntoResponse;
use futures::stream;
use http_body_util::StreamBody;
use hyper::body::Frame;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

/// A gRPC message of nothing: not compressed, no bytes.
const EMPTY: [u8; 5] = [0; 5];

/// A listening collector; gone when it is dropped.
#[derive(Debug)]
pub struct Sink {
    address: SocketAddr,
    _server: JoinSet<()>,
}

impl Sink {
    /// Listens on a free port.
    ///
    /// # Errors
    ///
    /// There is none.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let routes = Routes::from(axum::Router::new().fallback(swallow));
        let mut server = JoinSet::new();
        server.spawn(async move {
            // It ends with the runtime at the latest; a service whose collector is gone goes on.
            drop(Server::builder().add_routes(routes).serve_with_incoming(TcpIncoming::from(listener)).await);
        });
        Ok(Self { address, _server: server })
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// Answers any unary call with an empty message, once all of it has come.
async fn swallow(_all: Bytes) -> impl IntoResponse {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let frames =
        [Ok::<_, std::convert::Infallible>(Frame::data(Bytes::from_static(&EMPTY))), Ok(Frame::trailers(trailers))];
    let mut response = Response::new(Body::new(StreamBody::new(stream::iter(frames))));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    response
}

#[cfg(test)]
mod tests {
    use auric_api::bench::v1::EchoRequest;
    use auric_api::bench::v1::echo_service_client::EchoServiceClient;

    use super::*;

    #[tokio::test]
    async fn any_call_is_answered_with_an_empty_message() {
        let sink = Sink::start().await.expect("a port");
        let mut client = EchoServiceClient::connect(sink.url()).await.expect("it listens");
        client.echo(EchoRequest {}).await.expect("an empty message, and a status that is good");
    }
}
