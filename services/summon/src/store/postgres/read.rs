//! What is read besides a batch's own rows: pulls, seeds out of use, and keys.

use std::collections::BTreeSet;

use auric_db::{DbTime, StoreError, Traced as _};
use auric_ids::{BannerId, PlayerId, RarityId, SpeciesId};
use auric_keys::MutationKey;
use sqlx::PgPool;

use super::super::rows::{PullRow, RecordRow, SeedsRow, bigint};
use super::super::{PullRange, PullsWanted};
use super::{Tx, sql};
use crate::domain::{EndedSeeds, LoggedPull, Record};

/// Along the primary key, in either order.
const NEWEST_FIRST: &str = "
    SELECT *
    FROM pulls
    WHERE player_id = $1
      AND pity_group_id = $2
      AND number BETWEEN $3 AND $4
      AND ($5::text IS NULL OR banner_id = $5)
      AND ($6::text IS NULL OR rarity = $6)
      AND ($7::text IS NULL OR species_id = $7)
      AND ($8::boolean IS NULL OR featured = $8)
      AND ($9::timestamptz IS NULL OR created_at >= $9)
      AND ($10::timestamptz IS NULL OR created_at < $10)
    ORDER BY number DESC
    LIMIT $11";

const OLDEST_FIRST: &str = "
    SELECT *
    FROM pulls
    WHERE player_id = $1
      AND pity_group_id = $2
      AND number BETWEEN $3 AND $4
      AND ($5::text IS NULL OR banner_id = $5)
      AND ($6::text IS NULL OR rarity = $6)
      AND ($7::text IS NULL OR species_id = $7)
      AND ($8::boolean IS NULL OR featured = $8)
      AND ($9::timestamptz IS NULL OR created_at >= $9)
      AND ($10::timestamptz IS NULL OR created_at < $10)
    ORDER BY number
    LIMIT $11";

pub async fn pulls(pool: &PgPool, wanted: &PullsWanted, limit: u32) -> Result<Vec<LoggedPull>, StoreError> {
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
        .bind(wanted.from.map(DbTime))
        .bind(wanted.until.map(DbTime))
        .bind(i64::from(limit))
        .fetch_all(pool)
        .traced(sql("SELECT pulls"))
        .await?;
    rows.into_iter().map(PullRow::into_domain).collect()
}

pub async fn pulls_at(pool: &PgPool, ranges: &[PullRange]) -> Result<Vec<LoggedPull>, StoreError> {
    let rows: Vec<PullRow> = sqlx::query_as(
        "SELECT pulls.*
         FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[]) AS wanted (player_id, pity_group_id, first, last)
         JOIN pulls ON pulls.player_id = wanted.player_id
             AND pulls.pity_group_id = wanted.pity_group_id
             AND pulls.number BETWEEN wanted.first AND wanted.last",
    )
    .bind(ranges.iter().map(|range| range.player.as_str()).collect::<Vec<_>>())
    .bind(ranges.iter().map(|range| range.group.as_str()).collect::<Vec<_>>())
    .bind(ranges.iter().map(|range| bigint(range.first)).collect::<Vec<_>>())
    .bind(ranges.iter().map(|range| bigint(range.last)).collect::<Vec<_>>())
    .fetch_all(pool)
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
         WHERE player_id = $1
           AND epoch < $2
         ORDER BY epoch DESC
         LIMIT $3",
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
         FROM unnest($1::text[], $2::text[]) AS wanted (caller, idempotency_key)
         JOIN mutations USING (caller, idempotency_key)",
    )
    .bind(keys.iter().map(|key| key.caller.as_str()).collect::<Vec<_>>())
    .bind(keys.iter().map(|key| key.key.as_str()).collect::<Vec<_>>())
    .fetch_all(&mut **transaction)
    .traced(sql("SELECT mutations"))
    .await?;
    rows.into_iter().map(RecordRow::into_domain).collect()
}
