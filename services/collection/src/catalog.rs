//! Reads the collection's part of `game/`: species, how rare they are, and the collection's own numbers.

mod tables;

use std::collections::BTreeMap;
use std::path::Path;

use auric_catalog::{CatalogError, CatalogHash, Source};
use auric_ids::{RarityId, SpeciesId};

use crate::domain::{Catalog, Rarity, Species};
use tables::{RarityTable, SettingsTable, SpeciesTable};

/// The file with the species. Coordinators read it too.
const ESPRITS: &str = "esprits.toml";

/// The file with the rarities. Coordinators read it too.
const RARITIES: &str = "rarities.toml";

/// The file with the collection's own numbers.
const COLLECTION: &str = "collection.toml";

/// A valid catalog, and its texts.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What it says.
    pub catalog: Catalog,
    /// The texts, to be kept: what coordinators have too, and the whole.
    pub kept: [Kept; 2],
}

/// Some files of a catalog, to be kept under their hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Of the files, in the order of reading.
    pub hash: CatalogHash,
    /// Which files they are.
    pub kind: Kind,
    /// Their names and texts.
    pub content: String,
}

/// Which files of a catalog are kept together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Species and rarities: what a coordinator has too, and names by its hash.
    Esprits,
    /// All that the collection reads.
    Collection,
}

/// What `auric check` says about a valid catalog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogSummary {
    /// The SHA-256 of all its files, 64 hexadecimal digits.
    pub hash: String,
    /// How many species there are.
    pub species: usize,
    /// How many rarities there are.
    pub rarities: usize,
}

impl CatalogSummary {
    /// Sums up `catalog`.
    #[must_use]
    pub fn of(catalog: &Catalog) -> Self {
        let (species, rarities) = (catalog.species.len(), catalog.rarities.len());
        Self { hash: catalog.hash.to_string(), species, rarities }
    }
}

impl Kind {
    /// The word for it, as the database has it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Esprits => "esprits",
            Self::Collection => "collection",
        }
    }
}

/// Reads and validates the catalog in `folder`.
///
/// # Errors
///
/// [`CatalogError`] with the file, the key and the reason.
pub fn load(folder: &Path) -> Result<Loaded, CatalogError> {
    let [esprits, rarities] = [Source::read(folder, ESPRITS)?, Source::read(folder, RARITIES)?];
    let settings = Source::read(folder, COLLECTION)?;
    let shared = [esprits, rarities];
    let whole = [shared.as_slice(), std::slice::from_ref(&settings)].concat();
    let kept = [kept(Kind::Esprits, &shared)?, kept(Kind::Collection, &whole)?];
    let (rarities, species) = self::esprits(&shared)?;
    let [hash, esprits_hash] = [kept[1].hash, kept[0].hash];
    let settings = settings.parse::<SettingsTable>()?.settings()?;
    Ok(Loaded { catalog: Catalog { hash, esprits_hash, rarities, species, settings }, kept })
}

/// Tests that `next` takes nothing away that players may have, of what `before`, a kept text of species and rarities, had.
///
/// # Errors
///
/// [`CatalogError`] for a species or a rarity that is gone.
pub fn follows(before: &str, next: &Catalog) -> Result<(), CatalogError> {
    // One that this version cannot read any more is no reason to refuse the next.
    let Ok(texts) = serde_json::from_str::<BTreeMap<String, String>>(before) else { return Ok(()) };
    let sources: Vec<Source> = texts.into_iter().map(|(name, text)| Source { name, text }).collect();
    let Ok((rarities, species)) = esprits(&sources) else { return Ok(()) };
    let gone = "was in force and cannot be removed: players may have some";
    if let Some(id) = species.keys().find(|id| !next.species.contains_key(*id)) {
        return Err(CatalogError::new(ESPRITS, id.as_str(), format!("{gone}; set retired = true")));
    }
    if let Some(id) = rarities.keys().find(|id| !next.rarities.contains_key(*id)) {
        return Err(CatalogError::new(RARITIES, id.as_str(), gone));
    }
    Ok(())
}

fn kept(kind: Kind, sources: &[Source]) -> Result<Kept, CatalogError> {
    let texts: BTreeMap<&str, &str> =
        sources.iter().map(|source| (source.name.as_str(), source.text.as_str())).collect();
    let content = serde_json::to_string(&texts)
        .map_err(|error| CatalogError::new(ESPRITS, "", format!("cannot be kept: {error}")))?;
    Ok(Kept { hash: CatalogHash::of(sources), kind, content })
}

type Esprits = (BTreeMap<RarityId, Rarity>, BTreeMap<SpeciesId, Species>);

fn esprits(sources: &[Source]) -> Result<Esprits, CatalogError> {
    let source = |name: &str| {
        let found = sources.iter().find(|source| source.name == name);
        found.ok_or_else(|| CatalogError::new(name, "", "is missing"))
    };
    let rarities: BTreeMap<RarityId, RarityTable> = source(RARITIES)?.parse()?;
    let species: BTreeMap<SpeciesId, SpeciesTable> = source(ESPRITS)?.parse()?;
    if species.is_empty() {
        return Err(CatalogError::new(ESPRITS, "", "has no species"));
    }
    let rarities = tables::rarities(rarities)?;
    let species = species.into_iter().map(|(id, table)| Ok((id.clone(), table.species(&id, &rarities)?)));
    let species = species.collect::<Result<_, CatalogError>>()?;
    Ok((rarities, species))
}

#[cfg(test)]
mod tests;
