//! Measures what the lanes themselves cost: submissions a second with a batcher that does nothing.
//!
//! `cargo run --release -p auric-lanes --example throughput -- [CALLERS] [LANES] [SUBMISSIONS]`

use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use auric_lanes::{BatchError, Batcher, LaneId, LaneSettings, Lanes};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use tokio::task::JoinSet;

struct DoesNothing;

/// As large as a small mutation.
struct Work([u64; 16]);

#[async_trait]
impl Batcher for DoesNothing {
    type Work = Work;
    type Answer = u64;

    async fn run(&self, _: LaneId, batch: &[Work]) -> Result<Vec<u64>, BatchError> {
        // Other tasks get their turn, as they do while a database commits.
        tokio::task::yield_now().await;
        Ok(batch.iter().map(|work| work.0[0]).collect())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut argument = |default: u64| arguments.next().map_or(Ok(default), |text| text.parse());
    let callers = argument(256)?.max(1);
    let lanes = u16::try_from(argument(1)?)?;
    let each = argument(2_000_000)? / callers;

    let settings = LaneSettings { lanes: NonZeroU16::new(lanes).ok_or("no lanes")?, ..LaneSettings::default() };
    let lanes = Arc::new(Lanes::start(DoesNothing, settings, &mut SmallRng::seed_from_u64(1)));

    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for caller in 0..callers {
        let lanes = Arc::clone(&lanes);
        tasks.spawn(async move {
            for number in 0..each {
                lanes.submit(&caller.to_le_bytes(), Work([number; 16]), None).await?;
            }
            Ok::<(), auric_lanes::Refused>(())
        });
    }
    while let Some(task) = tasks.join_next().await {
        task??;
    }
    let elapsed = begun.elapsed();

    let runs: u64 = lanes.stats().iter().map(|stats| stats.batch_size.count()).sum();
    let answers = callers * each;
    println!("{answers} submissions of {callers} callers in {runs} batches took {elapsed:?}");
    println!("{} submissions/s", u128::from(answers) * 1_000_000 / elapsed.as_micros().max(1));
    Ok(lanes.drain().await?)
}
