//! Pity groups: each tier's scheme has all of its own keys and no other's.

use auric_catalog::CatalogError;

use super::BANNERS;
use super::tables::{SchemeName, TrackTable};
use crate::domain::Ppb;
use crate::domain::pity::{Hard, Hazard as _, Meter, Scheme, Soft, Table};

/// The most pulls that a scheme counts; a bar that takes more misses than this to fill is refused too.
pub const PULLS_MAX: u32 = 1_000;

/// Builds the scheme that `table` at `key` describes, for a tier with the rate `base`.
pub fn scheme(key: &str, table: &TrackTable, base: Ppb) -> Result<Scheme, CatalogError> {
    let fault = |field: &str, reason: String| CatalogError::new(BANNERS, format!("{key}.{field}"), reason);
    let fields = [
        ("hard_at", table.hard_at.is_some()),
        ("soft_from", table.soft_from.is_some()),
        ("soft_step_ppb", table.soft_step_ppb.is_some()),
        ("rates_ppb", table.rates_ppb.is_some()),
        ("gain_ppb", table.gain_ppb.is_some()),
    ];
    let (word, own): (_, &[&str]) = match table.scheme {
        SchemeName::Hard => ("hard", &["hard_at"]),
        SchemeName::Soft => ("soft", &["hard_at", "soft_from", "soft_step_ppb"]),
        SchemeName::Table => ("table", &["rates_ppb"]),
        SchemeName::Meter => ("meter", &["gain_ppb"]),
    };
    for (field, is_there) in fields {
        match (own.contains(&field), is_there) {
            (true, false) => return Err(fault(field, format!("is missing: the scheme is {word}"))),
            (false, true) => return Err(fault(field, format!("is no key of the scheme {word}"))),
            _ => {}
        }
    }
    let hard_at = table.hard_at.unwrap_or_default();
    if table.hard_at.is_some() && !(2..=PULLS_MAX).contains(&hard_at) {
        return Err(fault("hard_at", format!("must be 2 to {PULLS_MAX}, is {hard_at}")));
    }
    let chance = |field: &str, parts: u64, least: u64| match Ppb::new(parts) {
        Some(chance) if parts >= least => Ok(chance),
        _ => Err(fault(field, format!("must be {least} to 1_000_000_000, is {parts}"))),
    };
    let scheme = match table.scheme {
        SchemeName::Hard => Scheme::Hard(Hard { at: hard_at }),
        SchemeName::Soft => {
            let from = table.soft_from.unwrap_or_default();
            if !(2..=hard_at).contains(&from) {
                let reason = format!("must be 2 to hard_at, which is {hard_at}; is {from}");
                return Err(fault("soft_from", reason));
            }
            let step = chance("soft_step_ppb", table.soft_step_ppb.unwrap_or_default(), 1)?;
            Scheme::Soft(Soft { from, step, hard: hard_at })
        }
        SchemeName::Table => {
            let parts = table.rates_ppb.clone().unwrap_or_default();
            if parts.is_empty() || parts.len() > usize::try_from(PULLS_MAX).unwrap_or(usize::MAX) {
                return Err(fault("rates_ppb", format!("must have 1 to {PULLS_MAX} rates, has {}", parts.len())));
            }
            let rates = parts.into_iter().map(|parts| chance("rates_ppb", parts, 0)).collect::<Result<Vec<_>, _>>()?;
            if rates.first() != Some(&base) {
                let reason = format!("begins with another rate than the rate_ppb of the loot table, {}", base.parts());
                return Err(fault("rates_ppb", reason));
            }
            Scheme::Table(Table::new(rates).ok_or_else(|| fault("rates_ppb", "is empty".to_owned()))?)
        }
        SchemeName::Meter => {
            let least = u64::from(Ppb::ONE.parts() / PULLS_MAX);
            Scheme::Meter(Meter { gain: chance("gain_ppb", table.gain_ppb.unwrap_or_default(), least)? })
        }
    };
    if scheme.counts().all(|count| scheme.rate(base, count) == Ppb::ZERO) {
        return Err(fault("scheme", "never gives the tier any chance".to_owned()));
    }
    Ok(scheme)
}
