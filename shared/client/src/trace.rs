//! The trace that a call belongs to, on its way out.

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::propagation::Injector;
use opentelemetry::{Context, global};

struct Headers<'a>(&'a mut HeaderMap);

impl Injector for Headers<'_> {
    fn set(&mut self, key: &str, value: String) {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(key), HeaderValue::try_from(value)) {
            self.0.insert(name, value);
        }
    }
}

/// Writes the context of now; nothing where there is none.
pub(crate) fn inject(headers: &mut HeaderMap) {
    global::get_text_map_propagator(|propagator| propagator.inject_context(&Context::current(), &mut Headers(headers)));
}
