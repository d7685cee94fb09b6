//! What an operator sees of a batch: its span, its links, its errors.
#![expect(clippy::unwrap_used, reason = "a test ends where something is not as it should be")]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex, OnceLock};

use async_trait::async_trait;
use auric_lanes::{BatchError, Batcher, LaneId, LaneSettings, Lanes, Refused};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Instrument, Level, Subscriber, info_span};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

/// What was traced: the name of every span by id, the links between spans, the messages of errors.
#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<Recorded>>);

#[derive(Default)]
struct Recorded {
    names: BTreeMap<u64, &'static str>,
    links: Vec<(&'static str, &'static str)>,
    errors: Vec<String>,
}

struct Text<'a>(&'a mut String);

impl Visit for Text<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        write!(self.0, "{}={value:?} ", field.name()).unwrap();
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let source = value.source().map(ToString::to_string);
        write!(self.0, "{}={value}: {source:?} ", field.name()).unwrap();
    }
}

impl<S: Subscriber> Layer<S> for Recorder {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, _: Context<'_, S>) {
        self.0.lock().unwrap().names.insert(id.into_u64(), attributes.metadata().name());
    }

    fn on_follows_from(&self, span: &Id, follows: &Id, _: Context<'_, S>) {
        let mut recorded = self.0.lock().unwrap();
        let link = (recorded.names[&span.into_u64()], recorded.names[&follows.into_u64()]);
        recorded.links.push(link);
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if *event.metadata().level() == Level::ERROR {
            let mut text = String::new();
            event.record(&mut Text(&mut text));
            self.0.lock().unwrap().errors.push(text);
        }
    }
}

/// Returns the one recorder of this process: callsites remember whether anybody listened, so a recorder a test would miss some.
fn recorder() -> &'static Recorder {
    static RECORDER: OnceLock<Recorder> = OnceLock::new();
    RECORDER.get_or_init(|| {
        let recorder = Recorder::default();
        tracing::subscriber::set_global_default(tracing_subscriber::registry().with(recorder.clone())).unwrap();
        recorder
    })
}

/// What a mutation does to the batch that it is in.
#[derive(PartialEq, Eq)]
enum Work {
    Fine,
    Panics,
    Faults,
}

struct DoesAsTold;

#[async_trait]
impl Batcher for DoesAsTold {
    type Work = Work;
    type Answer = ();

    async fn run(&self, _: LaneId, batch: &[Work]) -> Result<Vec<()>, BatchError> {
        assert!(!batch.contains(&Work::Panics), "a broken invariant");
        if batch.contains(&Work::Faults) {
            return Err(BatchError::Fault("division by zero".into()));
        }
        Ok(batch.iter().map(|_| ()).collect())
    }
}

fn start() -> Lanes<Work, ()> {
    Lanes::start(DoesAsTold, LaneSettings::default(), &mut SmallRng::seed_from_u64(7))
}

#[tokio::test]
async fn a_batch_has_a_span_that_links_to_every_mutation_in_it_that_has_one() {
    let recorder = recorder();
    let lanes = start();

    // Nobody asks for a span: there is none, not even the batch's.
    lanes.submit(b"player", Work::Fine, None).await.unwrap();
    assert!(recorder.0.lock().unwrap().names.values().all(|name| *name != "batch"));

    let post = lanes.submit(b"player", Work::Fine, None).instrument(info_span!("post"));
    let claim = lanes.submit(b"player", Work::Fine, None).instrument(info_span!("claim"));
    let (posted, claimed) = tokio::join!(post, claim);

    posted.unwrap();
    claimed.unwrap();
    // Both ways: from a mutation's trace one finds what was done for it.
    let links = [("batch", "post"), ("post", "batch"), ("batch", "claim"), ("claim", "batch")];
    assert_eq!(recorder.0.lock().unwrap().links, links);
}

#[tokio::test]
async fn a_panic_and_a_fault_are_logged_with_their_cause() {
    let recorder = recorder();
    let lanes = start();

    assert_eq!(lanes.submit(b"player", Work::Panics, None).await, Err(Refused::Unknown));
    assert_eq!(lanes.submit(b"player", Work::Faults, None).await, Err(Refused::Fault));

    let errors = &recorder.0.lock().unwrap().errors;
    assert_eq!(errors.len(), 2, "{errors:?}");
    assert!(errors[0].contains("a broken invariant"), "{errors:?}");
    assert!(errors[1].contains("division by zero"), "{errors:?}");
}
