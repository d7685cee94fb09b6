//! The gRPC API of every Auric service, generated from `proto/`.
//!
//! Only the `grpc/` folder of a service and its clients name these types; a service's `domain/` has its own.

#![allow(
    missing_docs,
    clippy::all,
    clippy::pedantic,
    reason = "generated code; the proto files carry the documentation"
)]

pub mod codec;

/// What `auric bench` measures against.
pub mod bench {
    /// Version 1.
    pub mod v1 {
        tonic::include_proto!("auric.bench.v1");
    }
}

/// The collection's API.
pub mod collection {
    /// Version 1.
    pub mod v1 {
        tonic::include_proto!("auric.collection.v1");

        pub mod encoded;
    }
}

/// What happened, for others to follow.
pub mod events {
    /// Version 1.
    pub mod v1 {
        tonic::include_proto!("auric.events.v1");
    }
}

/// The gateway's API, for its operators.
pub mod gateway {
    /// Version 1.
    pub mod v1 {
        tonic::include_proto!("auric.gateway.v1");
    }
}

/// What a service speaks that takes part in operations of others.
pub mod participant {
    /// Version 1.
    pub mod v1 {
        tonic::include_proto!("auric.participant.v1");
    }
}

/// The scheduler's API, and what its targets speak.
pub mod scheduler {
    /// Version 1.
    pub mod v1 {
        tonic::include_proto!("auric.scheduler.v1");
    }
}

/// Summon's API.
pub mod summon {
    /// Version 1.
    pub mod v1 {
        tonic::include_proto!("auric.summon.v1");
    }
}

/// The wallet's API.
pub mod wallet {
    /// Version 1.
    pub mod v1 {
        tonic::include_proto!("auric.wallet.v1");
    }
}

/// The encoded `google.protobuf.FileDescriptorSet` of everything above, with imports: what reflection serves.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.binpb"));

/// Every RPC's path with the scope that it asks for, such as `("/auric.wallet.v1.WalletService/Post", "wallet.post")`.
///
/// # Shape
///
/// In order of paths. An RPC without a scope does not build.
pub const SCOPES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/scopes.rs"));
