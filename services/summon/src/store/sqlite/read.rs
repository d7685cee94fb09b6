//! What is read besides a batch's own rows: pulls, seeds out of use, and keys.

use std::collections::BTreeSet;

use auric_db::{StoreError, Traced as _};
use auric_ids::{BannerId, PlayerId, RarityId, SpeciesId};
use auric_keys::MutationKey;
use auric_time::Timestamp;
use serde_json::json;
use sqlx::SqlitePool;

use super::super::rows::{PullRow, RecordRow, SeedsRow, bigint};
use super::super::{PullRange, PullsWanted};
use super::{Tx, array, sql};
use crate::domain::{EndedSeeds, LoggedPull, Record};

/// Along the primary key, in either order.
const NEWEST_FIRST: &str = "
    SELECT *
    FROM pulls
    WHERE player_id = ?1
      AND pity_group_id = ?2
      AND number BETWEEN ?3 AND ?4
      AND (?5 IS NULL OR banner_id = ?5)
      AND (?6 IS NULL OR rarity = ?6)
      AND (?7 IS NULL OR species_id = ?7)
      AND (?8 IS NULL OR featured = ?8)
      AND (?9 IS NULL OR created_at >= ?9)
      AND (?10 IS NULL OR created_at < ?10)
    ORDER BY number DESC
    LIMIT ?11";

const OLDEST_FIRST: &str = "
    SELECT *
    FROM pulls
    WHERE player_id = ?1
      AND pity_group_id = ?2
      AND number BETWEEN ?3 AND ?4
      AND (?5 IS NULL OR banner_id = ?5)
      AND (?6 IS NULL OR rarity = ?6)
      AND (?7 IS NULL OR species_id = ?7)
      AND (?8 IS NULL OR featured = ?8)
      AND (?9 IS NULL OR created_at >= ?9)
      AND (?10 IS NULL OR created_at < ?10)
    ORDER BY number
    LIMIT ?11";

pub async fn pulls(readers: &SqlitePool, wanted: &PullsWanted, limit: u32) -> Result<Vec<LoggedPull>, StoreError> {
    let (first, last) = wanted.numbers();
    let rows: Vec<PullRow> = sqlx::query_as(if wanted.oldest_first { OLDEST_FIRST } else { NEWEST_FIRST })
        .bind(wanted.player.as_str())
        .bind(wanted.group.as_str())
        .bind(first)
        .bind(last)
        .bind(wanted.banner.as_ref().map(BannerId::as_str))
        .bind(wanted.rarity.as_ref().map(RarityId::as_str))
        .bind(wanted.species.as_ref().map(SpeciesId::as_str))
        .bind(wanted.featured)
        .bind(wanted.from.map(Timestamp::micros))
        .bind(wanted.until.map(Timestamp::micros))
        .bind(i64::from(limit))
        .fetch_all(readers)
        .traced(sql("SELECT pulls"))
        .await?;
    rows.into_iter().map(PullRow::into_domain).collect()
}

pub async fn pulls_at(readers: &SqlitePool, ranges: &[PullRange]) -> Result<Vec<LoggedPull>, StoreError> {
    let rows: Vec<PullRow> = sqlx::query_as(
        "SELECT pulls.*
         FROM json_each(?1) AS wanted
         CROSS JOIN pulls ON player_id = wanted.value ->> 0
             AND pity_group_id = wanted.value ->> 1
             AND number BETWEEN wanted.value ->> 2 AND wanted.value ->> 3",
    )
    .bind(array(ranges, |range| json!([range.player, range.group, bigint(range.first), bigint(range.last)])))
    .fetch_all(readers)
    .traced(sql("SELECT pulls"))
    .await?;
    rows.into_iter().map(PullRow::into_domain).collect()
}

pub async fn ended(
    transaction: &mut Tx,
    player: &PlayerId,
    before: Option<u64>,
    limit: u32,
) -> Result<Vec<EndedSeeds>, StoreError> {
    let rows: Vec<SeedsRow> = sqlx::query_as(
        "SELECT *
         FROM seeds
         WHERE player_id = ?1
           AND epoch < ?2
         ORDER BY epoch DESC
         LIMIT ?3",
    )
    .bind(player.as_str())
    .bind(before.map_or(i64::MAX, bigint))
    .bind(i64::from(limit))
    .fetch_all(&mut **transaction)
    .traced(sql("SELECT seeds"))
    .await?;
    rows.into_iter().map(SeedsRow::into_domain).collect()
}

pub async fn records(transaction: &mut Tx, keys: &BTreeSet<MutationKey>) -> Result<Vec<Record>, StoreError> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<RecordRow> = sqlx::query_as(
        "SELECT mutations.*
         FROM json_each(?1) AS wanted
         CROSS JOIN mutations ON caller = wanted.value ->> 0 AND idempotency_key = wanted.value ->> 1",
    )
    .bind(array(keys, |key| json!([key.caller, key.key])))
    .fetch_all(&mut **transaction)
    .traced(sql("SELECT mutations"))
    .await?;
    rows.into_iter().map(RecordRow::into_domain).collect()
}
