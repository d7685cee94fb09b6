//! What one summon writes: each table in a statement, every row counted.

use auric_db::{DbTime, StoreError, Traced as _};
use auric_keys::Fingerprint;
use auric_summon::domain::{Ask, Pull};
use auric_time::Timestamp;

use super::{MonolithTx, corrupt, sql};
use crate::monolith::{Answer, Delivery, Written};

/// What the audit and the counters call a summon.
const REASON: &str = "summon";

impl MonolithTx {
    /// Writes the answer under its key, with all that it did, and makes it durable.
    ///
    /// # Errors
    ///
    /// [`StoreError::Contended`] when the key was used by another player's summon meanwhile: run it again.
    pub async fn commit(mut self, ask: &Ask, written: &Written) -> Result<(), StoreError> {
        if let Some(delivery) = &written.delivery {
            self.pay(ask, written, delivery).await?;
            self.deliver(ask, written, delivery).await?;
            self.count(delivery, written.answer.time).await?;
        }
        self.keep(ask, &written.answer).await?;
        // From here on a failure says nothing about the outcome.
        self.transaction.commit().traced(sql("COMMIT")).await.map_err(StoreError::Lost)
    }

    async fn pay(&mut self, ask: &Ask, written: &Written, delivery: &Delivery) -> Result<(), StoreError> {
        let Delivery { price, available_after, number, hash, trace_id, .. } = delivery;
        let (time, player) = (DbTime(written.answer.time), ask.player.as_str());
        let debited = sqlx::query(
            "UPDATE balances
             SET available = $3, version = version + 1, updated_at = $4
             WHERE player_id = $1 AND asset_id = $2",
        )
        .bind(player)
        .bind(price.asset.as_str())
        .bind(bigint(*available_after))
        .bind(time)
        .execute(&mut *self.transaction)
        .traced(sql("UPDATE balances"))
        .await?;
        expect_rows(1, debited.rows_affected())?;
        sqlx::query(
            "INSERT INTO entries (player_id, number, asset_id, kind, available_change, available_after, reason, context, caller,
                 idempotency_key, trace_id, catalog_hash, created_at, hash)
             VALUES ($1, $2, $3, 'summoned', $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        )
        .bind(player)
        .bind(bigint(*number))
        .bind(price.asset.as_str())
        .bind(-bigint(price.amount.units()))
        .bind(bigint(*available_after))
        .bind(REASON)
        .bind(format!(r#"{{"operation":"{}"}}"#, written.answer.operation))
        .bind(ask.key.caller.as_str())
        .bind(ask.key.key.as_str())
        .bind(trace_id.as_str())
        .bind(delivery.catalog.as_bytes().as_slice())
        .bind(time)
        .bind(hash.as_slice())
        .execute(&mut *self.transaction)
        .traced(sql("INSERT entries"))
        .await?;
        Ok(())
    }

    async fn deliver(&mut self, ask: &Ask, written: &Written, delivery: &Delivery) -> Result<(), StoreError> {
        let (time, player) = (DbTime(written.answer.time), ask.player.as_str());
        self.log_pulls(ask, written, delivery).await?;
        sqlx::query(
            "INSERT INTO pity (player_id, pity_group_id, pity, pulls, version, created_at, updated_at)
             VALUES ($1, $2, $3, $4, 1, $5, $5)
             ON CONFLICT (player_id, pity_group_id) DO UPDATE
             SET pity = excluded.pity, pulls = excluded.pulls, version = pity.version + 1, updated_at = excluded.updated_at",
        )
        .bind(player)
        .bind(delivery.group.as_str())
        .bind(&delivery.pity)
        .bind(bigint(delivery.pulls_after))
        .bind(time)
        .execute(&mut *self.transaction)
        .traced(sql("INSERT pity"))
        .await?;
        let pulls = &delivery.pulls;
        let first = delivery.esprits_after.saturating_sub(len(pulls)).saturating_add(1);
        let inserted = sqlx::query(
            "INSERT INTO esprits (player_id, esprit_id, number, species_id, level, version, operation_id, locked, created_at, updated_at)
             SELECT $1, esprit_id, number, species_id, 1, 1, $5, false, $6, $6
             FROM unnest($2::text[], $3::bigint[], $4::text[]) AS new (esprit_id, number, species_id)",
        )
        .bind(player)
        .bind(column(pulls, |pull| pull.esprit.as_str()))
        .bind((first..=delivery.esprits_after).map(bigint).collect::<Vec<_>>())
        .bind(column(pulls, |pull| pull.species.as_str()))
        .bind(written.answer.operation.as_str())
        .bind(time)
        .execute(&mut *self.transaction)
        .traced(sql("INSERT esprits"))
        .await?;
        expect_rows(pulls.len(), inserted.rows_affected())?;
        let moved = sqlx::query(
            "UPDATE players
             SET nonce = $2, last_number = $3, last_hash = $4, last_time = $5, esprits = $6, version = version + 1, updated_at = $5
             WHERE player_id = $1",
        )
        .bind(player)
        .bind(bigint(delivery.nonce_after))
        .bind(bigint(delivery.number))
        .bind(delivery.hash.as_slice())
        .bind(time)
        .bind(bigint(delivery.esprits_after))
        .execute(&mut *self.transaction)
        .traced(sql("UPDATE players"))
        .await?;
        expect_rows(1, moved.rows_affected())
    }

    async fn log_pulls(&mut self, ask: &Ask, written: &Written, delivery: &Delivery) -> Result<(), StoreError> {
        let pulls = &delivery.pulls;
        let logged = sqlx::query(
            "INSERT INTO pulls (player_id, pity_group_id, number, banner_id, operation_id, slot, esprit_id, species_id, rarity, featured,
                 pity_before, pity_after, draws, nonce, catalog_hash, created_at)
             SELECT $1, $2, number, $3, $4, slot, esprit_id, species_id, rarity, featured, pity_before, pity_after, draws, $5, $6, $7
             FROM unnest($8::bigint[], $9::bigint[], $10::text[], $11::text[], $12::text[], $13::boolean[], $14::text[], $15::text[],
                     $16::text[])
                 AS new (number, slot, esprit_id, species_id, rarity, featured, pity_before, pity_after, draws)",
        )
        .bind(ask.player.as_str())
        .bind(delivery.group.as_str())
        .bind(ask.banner.as_str())
        .bind(written.answer.operation.as_str())
        .bind(bigint(delivery.nonce_after.saturating_sub(1)))
        .bind(delivery.catalog.as_bytes().as_slice())
        .bind(DbTime(written.answer.time))
        .bind(column(pulls, |pull| bigint(pull.number)))
        .bind(column(pulls, |pull| i64::from(pull.slot)))
        .bind(column(pulls, |pull| pull.esprit.as_str()))
        .bind(column(pulls, |pull| pull.species.as_str()))
        .bind(column(pulls, |pull| pull.rarity.as_str()))
        .bind(column(pulls, |pull| pull.featured))
        .bind(column(pulls, |pull| pull.before.as_str()))
        .bind(column(pulls, |pull| pull.after.as_str()))
        .bind(column(pulls, draws))
        .execute(&mut *self.transaction)
        .traced(sql("INSERT pulls"))
        .await?;
        expect_rows(pulls.len(), logged.rows_affected())
    }

    /// Each connection has a line of its own, so that no summon waits for another one's end.
    async fn count(&mut self, delivery: &Delivery, time: Timestamp) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO flows (asset_id, reason, day, slot, issued, burned)
             VALUES ($1, $2, $3, (pg_backend_pid() % 1024)::smallint, 0, $4)
             ON CONFLICT (asset_id, reason, day, slot) DO UPDATE
             SET burned = flows.burned + excluded.burned",
        )
        .bind(delivery.price.asset.as_str())
        .bind(REASON)
        .bind(time.day())
        .bind(bigint(delivery.price.amount.units()))
        .execute(&mut *self.transaction)
        .traced(sql("INSERT flows"))
        .await?;
        Ok(())
    }

    async fn keep(&mut self, ask: &Ask, answer: &Answer) -> Result<(), StoreError> {
        let Fingerprint { digest, fields } = ask.fingerprint();
        sqlx::query(
            "INSERT INTO summons (caller, idempotency_key, fingerprint, fields, player_id, operation_id, answer, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(ask.key.caller.as_str())
        .bind(ask.key.key.as_str())
        .bind(digest.as_slice())
        .bind(fields)
        .bind(ask.player.as_str())
        .bind(answer.operation.as_str())
        .bind(serde_json::to_string(answer).map_err(corrupt)?)
        .bind(DbTime(answer.time))
        .execute(&mut *self.transaction)
        .traced(sql("INSERT summons"))
        .await?;
        Ok(())
    }
}

fn draws(pull: &Pull) -> String {
    pull.draws.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

fn column<'a, T>(pulls: &'a [Pull], of: impl Fn(&'a Pull) -> T) -> Vec<T> {
    pulls.iter().map(of).collect()
}

fn len(pulls: &[Pull]) -> u64 {
    u64::try_from(pulls.len()).unwrap_or(u64::MAX)
}

fn bigint(units: u64) -> i64 {
    i64::try_from(units).unwrap_or(i64::MAX)
}

fn expect_rows(expected: usize, written: u64) -> Result<(), StoreError> {
    if usize::try_from(written) == Ok(expected) { Ok(()) } else { Err(StoreError::version(expected, written)) }
}
