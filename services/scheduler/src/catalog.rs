//! Reads the scheduler's part of `game/`: the zones, and when the nightstorm comes to each.
//!
//! A file that is no file of zones is refused as a whole. A storm that can never come is a fault of its zone alone: it is named, and the storms of all
//! others come.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use auric_catalog::{CatalogError, CatalogHash, Source};
use auric_ids::{HandlerId, IdError, JobId, TargetId, ZoneId};
use auric_time::Timestamp;
use serde::Deserialize;

use crate::domain::{BadField, DesiredJob, JobSpec, Misfire, Schedule, Timetable};

/// The file with the zones; a game without a world has none.
const ZONES: &str = "zones.toml";

/// The collection's file, which has the names of the elements.
const COLLECTION: &str = "collection.toml";

/// The highest level that a zone may be made for.
const LEVEL_MAX: u32 = 10_000;

/// The longest name of a zone, in characters.
const NAME_CHARACTERS_MAX: usize = 64;

/// The most zones: each is a job that is looked at every minute.
const ZONES_MAX: usize = 10_000;

/// How late a nightstorm that was missed still comes.
const LATE_MAX_MS: u64 = 3 * 3_600 * 1_000;

/// The group that the nightstorms of all zones are in.
pub const NIGHTSTORM_GROUP: &str = "nightstorm-group";

/// The zones of a game.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Zones {
    /// By id; those too whose storm cannot come.
    pub zones: BTreeMap<ZoneId, Zone>,
    /// Which file it was.
    pub hash: String,
}

/// One zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    /// What players call it.
    pub name: String,
    /// A name of `collection.toml`.
    pub element: String,
    /// The lowest and the highest level that it is made for.
    pub levels: (u32, u32),
    /// When the nightstorm comes; or what is wrong with what the file says.
    pub nightstorm: Result<Schedule, CatalogError>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ZonesTable {
    nightstorm: StormTable,
    zones: BTreeMap<ZoneId, ZoneTable>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ZoneTable {
    name: String,
    element: String,
    levels: [u32; 2],
    #[serde(default)]
    nightstorm: StormPart,
}

/// When it comes to a zone that says nothing else.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct StormTable {
    cron: String,
    time_zone: String,
}

/// What a zone says for itself.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct StormPart {
    cron: Option<String>,
    time_zone: Option<String>,
}

/// What the scheduler must know of `collection.toml`; everything else is the collection's.
#[derive(Debug, Deserialize)]
struct CollectionTable {
    elements: BTreeMap<String, toml::Value>,
}

/// The name of the job that brings the nightstorm to `zone`.
///
/// # Errors
///
/// Never: a zone's id is short enough for it.
pub fn nightstorm(zone: &ZoneId) -> Result<JobId, IdError> {
    JobId::parse(&format!("nightstorm_{zone}"))
}

/// What is in the zones, for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogSummary {
    /// How many there are.
    pub zones: usize,
    /// Storms that can never come.
    pub broken: Vec<CatalogError>,
}

impl Zones {
    /// The jobs that bring the nightstorms, in the order of the zones: `handler` of `target`, told which zone it is. A storm that can never come is a job
    /// that cannot be.
    ///
    /// A storm that was missed comes late within three hours, and then not at all: players who come in the morning shall not find the night.
    #[must_use]
    pub fn nightstorms(&self, target: &TargetId, handler: &HandlerId) -> Vec<DesiredJob> {
        let job = |(id, zone): (&ZoneId, &Zone)| {
            let spec = zone.nightstorm.clone().map(|schedule| {
                let misfire = Misfire { window_ms: LATE_MAX_MS, ..Misfire::default() };
                let payload = serde_json::json!({ "zone": id.as_str() }).to_string().into_bytes();
                Arc::new(JobSpec { misfire, payload, ..JobSpec::new(schedule, target.clone(), handler.clone()) })
            });
            let spec =
                spec.map_err(|fault| vec![BadField::new(format!("{}: {}", fault.file, fault.key), fault.reason)]);
            Some(DesiredJob { job: nightstorm(id).ok()?, spec })
        };
        self.zones.iter().filter_map(job).collect()
    }

    /// What is in them.
    #[must_use]
    pub fn summary(&self) -> CatalogSummary {
        let broken = self.zones.values().filter_map(|zone| zone.nightstorm.clone().err());
        CatalogSummary { zones: self.zones.len(), broken: broken.collect() }
    }
}

/// Reads and validates the zones in `folder`; none where there is no such file.
///
/// # Errors
///
/// [`CatalogError`] with the file, the key and the reason, for what makes the file as a whole worthless.
pub fn load(folder: &Path) -> Result<Zones, CatalogError> {
    if !folder.join(ZONES).exists() {
        return Ok(Zones::default());
    }
    let source = Source::read(folder, ZONES)?;
    let elements = Source::read(folder, COLLECTION)?.parse::<CollectionTable>()?.elements;
    let table: ZonesTable = source.parse()?;
    if table.zones.len() > ZONES_MAX {
        let reason = format!("has {} zones; at most {ZONES_MAX} there can be", table.zones.len());
        return Err(CatalogError::new(ZONES, "zones", reason));
    }
    // Said once, for the file, and not for each zone that follows it.
    when(&table.nightstorm.cron, &table.nightstorm.time_zone)
        .map_err(|(key, reason)| CatalogError::new(ZONES, format!("nightstorm.{key}"), reason))?;
    let mut loaded = Zones { hash: CatalogHash::of(&[source]).to_string(), ..Zones::default() };
    for (id, zone) in table.zones {
        check(&id, &zone, &elements)?;
        let cron = zone.nightstorm.cron.as_ref().unwrap_or(&table.nightstorm.cron);
        let time_zone = zone.nightstorm.time_zone.as_ref().unwrap_or(&table.nightstorm.time_zone);
        let storm = when(cron, time_zone)
            .map_err(|(key, reason)| CatalogError::new(ZONES, format!("zones.{id}.nightstorm.{key}"), reason));
        let ZoneTable { name, element, levels: [lowest, highest], .. } = zone;
        loaded.zones.insert(id, Zone { name, element, levels: (lowest, highest), nightstorm: storm });
    }
    Ok(loaded)
}

/// Reads when a storm comes; else says which key is wrong, and why.
fn when(cron: &str, time_zone: &str) -> Result<Schedule, (&'static str, String)> {
    let schedule = Schedule::Cron { expression: cron.to_owned(), time_zone: time_zone.to_owned() };
    match Timetable::of(&schedule) {
        // From any time on: a day that comes at all comes again.
        Ok(timetable) if timetable.after(Timestamp::EPOCH).is_some() => Ok(schedule),
        Ok(_) => Err(("cron", "never comes".to_owned())),
        Err(bad) if bad.path == "cron.time_zone" => Err(("time_zone", bad.fault)),
        Err(bad) => Err(("cron", bad.fault)),
    }
}

fn check(id: &ZoneId, zone: &ZoneTable, elements: &BTreeMap<String, toml::Value>) -> Result<(), CatalogError> {
    let fault = |key: &str, reason: String| Err(CatalogError::new(ZONES, format!("zones.{id}.{key}"), reason));
    let characters = zone.name.chars().count();
    if !(1..=NAME_CHARACTERS_MAX).contains(&characters) {
        return fault("name", format!("must have 1 to {NAME_CHARACTERS_MAX} characters, has {characters}"));
    }
    if !elements.contains_key(&zone.element) {
        return fault("element", format!("{} is not in {COLLECTION}", zone.element));
    }
    let [lowest, highest] = zone.levels;
    if lowest < 1 || highest < lowest || highest > LEVEL_MAX {
        return fault(
            "levels",
            format!("must be two of 1 to {LEVEL_MAX}, the lower first, are {lowest} and {highest}"),
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests;
