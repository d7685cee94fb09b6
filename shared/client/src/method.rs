//! Which methods can be asked again: the API says so itself.

use std::collections::HashMap;
use std::sync::LazyLock;

use prost::Message as _;
use prost_types::FileDescriptorSet;

/// How a method is asked and answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    /// One request, one answer.
    Unary,
    /// One request, a stream of answers: its opening can be asked again.
    Answers,
    /// A stream of requests, or a method that the API does not have: sent once, as it comes.
    Stream,
}

static METHODS: LazyLock<HashMap<String, Method>> = LazyLock::new(|| {
    let files = FileDescriptorSet::decode(auric_api::DESCRIPTORS).map(|set| set.file).unwrap_or_default();
    let mut methods = HashMap::new();
    for file in files {
        for service in &file.service {
            for method in &service.method {
                let path = format!("/{}.{}/{}", file.package(), service.name(), method.name());
                let kind = match (method.client_streaming(), method.server_streaming()) {
                    (false, false) => Method::Unary,
                    (false, true) => Method::Answers,
                    (true, _) => Method::Stream,
                };
                methods.insert(path, kind);
            }
        }
    }
    methods
});

impl Method {
    /// Looks a method up by the path of its requests. All that is asked in one message can be asked again: reads change nothing, mutations have a key.
    pub(crate) fn of(path: &str) -> Self {
        METHODS.get(path).copied().unwrap_or(Self::Stream)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_api_says_how_a_method_is_asked() {
        let wallet = |method: &str| Method::of(&format!("/auric.wallet.v1.WalletService/{method}"));
        assert_eq!(wallet("Post"), Method::Unary);
        assert_eq!(wallet("WatchEntries"), Method::Answers);
        assert_eq!(wallet("PostStream"), Method::Stream);
        assert_eq!(Method::of("/elsewhere.v1.Service/Send"), Method::Stream);
    }
}
