//! Takes the port.

use std::io;
use std::net::SocketAddr;

use auric_auth::Door;
use thiserror::Error;
use tokio::net::TcpListener;

/// Why a service cannot listen where it was told to.
#[derive(Debug, Error)]
pub enum ListenError {
    /// Others could reach it, and there are no credentials to ask them for.
    #[error("refusing to listen on {address}: without TLS and callers only a loopback address is allowed, such as 127.0.0.1:{}", address.port())]
    NotLoopback {
        /// The address that was asked for.
        address: SocketAddr,
    },
    /// Somebody else listens there.
    #[error("port {} is taken: another process listens on {address}", address.port())]
    Taken {
        /// The address that was asked for.
        address: SocketAddr,
    },
    /// The system says no.
    #[error("cannot listen on {address}")]
    System {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
}

/// Binds `address`; port 0 takes a free one. An address beyond loopback needs a door that asks who comes, over TLS.
///
/// # Errors
///
/// [`ListenError`]; nothing is bound.
pub async fn listen(address: SocketAddr, door: &Door) -> Result<TcpListener, ListenError> {
    if !address.ip().is_loopback() && !door.is_guarded() {
        return Err(ListenError::NotLoopback { address });
    }
    TcpListener::bind(address).await.map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => ListenError::Taken { address },
        _ => ListenError::System { address, source },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_that_others_reach_is_refused() {
        let fault = listen("0.0.0.0:7401".parse().unwrap(), &Door::open()).await.unwrap_err();
        assert_eq!(
            fault.to_string(),
            "refusing to listen on 0.0.0.0:7401: without TLS and callers only a loopback address is allowed, such as 127.0.0.1:7401"
        );
    }

    #[tokio::test]
    async fn a_taken_port_is_named() {
        let first = listen("127.0.0.1:0".parse().unwrap(), &Door::open()).await.unwrap();
        let address = first.local_addr().unwrap();
        let fault = listen(address, &Door::open()).await.unwrap_err();
        assert!(matches!(fault, ListenError::Taken { .. }));
        assert_eq!(
            fault.to_string(),
            format!("port {} is taken: another process listens on {address}", address.port())
        );
    }
}
