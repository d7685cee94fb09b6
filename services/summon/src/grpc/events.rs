//! What happened at banners, for others to follow.

use std::sync::Arc;

use async_trait::async_trait;
use auric_api::events::v1::EventType;
use auric_api::summon::v1 as api;
use auric_db::StoreError;
use auric_events::grpc::{Payload, Source};
use auric_events::{Feed, Happened};

use super::encode;
use crate::domain::{LoggedPull, News};
use crate::handlers::Handlers;

/// Summon as its followers see it.
#[derive(Debug)]
pub struct Events {
    pub handlers: Arc<Handlers>,
}

#[async_trait]
impl Source for Events {
    type What = News;

    fn feed(&self) -> &Feed {
        self.handlers.feed()
    }

    fn kind(what: &News) -> EventType {
        match what {
            News::Pulls { .. } => EventType::PullsDrawn,
        }
    }

    async fn payloads(&self, events: &[Happened<News>]) -> Result<Vec<Payload>, StoreError> {
        let news = self.handlers.news(events).await?;
        Ok(news.iter().map(|pulls| Payload::PullsDrawn(drawn(pulls))).collect())
    }
}

fn drawn(pulls: &[LoggedPull]) -> api::PullsDrawn {
    let first = pulls.first();
    api::PullsDrawn {
        operation_id: first.map(|row| row.operation.to_string()).unwrap_or_default(),
        banner_id: first.map(|row| row.banner.to_string()).unwrap_or_default(),
        pity_group_id: first.map(|row| row.group.to_string()).unwrap_or_default(),
        pulls: pulls.iter().map(encode::logged_pull).collect(),
    }
}
