//! What the events of summon are about, read from the log of pulls.

use std::collections::HashMap;

use auric_db::StoreError;
use auric_events::Happened;
use auric_ids::{PityGroupId, PlayerId};

use super::Handlers;
use crate::domain::{LoggedPull, News};
use crate::store::PullRange;

impl Handlers {
    /// Reads what `events` are about: the pulls of each, by their numbers.
    ///
    /// # Shape
    ///
    /// One list for each event, in order; none is empty.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`] when pulls that were told of are not in the log.
    pub async fn news(&self, events: &[Happened<News>]) -> Result<Vec<Vec<LoggedPull>>, StoreError> {
        if events.is_empty() {
            return Ok(Vec::new());
        }
        let ranges: Vec<PullRange> = events.iter().map(range).collect();
        let pulls = self.store.pulls_at(&ranges).await?;
        let of_number = |row: LoggedPull| ((row.player.clone(), row.group.clone(), row.pull.number), row);
        let pulls: HashMap<(PlayerId, PityGroupId, u64), LoggedPull> = pulls.into_iter().map(of_number).collect();
        let told = |(event, range): (&Happened<News>, &PullRange)| {
            let pull = |number| pulls.get(&(range.player.clone(), range.group.clone(), number)).cloned();
            let missing = || StoreError::Corrupt(format!("the event {} tells of pulls that are not there", event.id));
            (range.first..=range.last).map(pull).collect::<Option<Vec<_>>>().ok_or_else(missing)
        };
        events.iter().zip(&ranges).map(told).collect()
    }
}

fn range(event: &Happened<News>) -> PullRange {
    let News::Pulls { group, first, last } = &event.what;
    PullRange { player: event.player.clone(), group: group.clone(), first: *first, last: *last }
}
