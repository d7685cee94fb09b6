//! Reads the collection's part of `game/`: species, how rare they are, and the collection's own numbers.

mod numbers;
mod tables;
mod worn;

use std::collections::BTreeMap;
use std::path::Path;

use auric_catalog::{CatalogError, CatalogHash, Source};
use auric_ids::{AssetId, RarityId, SpeciesId};

use crate::domain::{Catalog, Rarity, Species};
use numbers::{CollectionTable, Numbers};
use tables::{RarityTable, SpeciesTable};

/// The file with the species. Coordinators read it too.
const ESPRITS: &str = "esprits.toml";

/// The file with the rarities. Coordinators read it too.
const RARITIES: &str = "rarities.toml";

/// The file with the collection's own numbers.
const COLLECTION: &str = "collection.toml";

/// The file with what can be worn; a game without equipment has none.
const EQUIPMENT: &str = "equipment.toml";

/// The file with what members of a team do for each other; a game without synergies has none.
const SYNERGIES: &str = "synergies.toml";

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
    /// How many kinds of equipment there are.
    pub equipment: usize,
    /// How many synergies there are.
    pub synergies: usize,
    /// Each asset that something costs or gives, behind its place such as `rarities.toml: rare.dissolve_rewards`.
    pub assets: Vec<(String, AssetId)>,
}

impl CatalogSummary {
    /// Sums up `catalog`.
    #[must_use]
    pub fn of(catalog: &Catalog) -> Self {
        Self {
            hash: catalog.hash.to_string(),
            species: catalog.species.len(),
            rarities: catalog.rarities.len(),
            equipment: catalog.equipment.len(),
            synergies: catalog.synergies.len(),
            assets: named_assets(catalog),
        }
    }
}

fn named_assets(catalog: &Catalog) -> Vec<(String, AssetId)> {
    let costs = catalog.upgrades.iter().flat_map(|(rarity, costs)| {
        costs.iter().map(move |cost| (format!("{COLLECTION}: upgrade.costs.{rarity}"), cost.asset.clone()))
    });
    let rewards = catalog.rarities.iter().flat_map(|(id, rarity)| {
        let rewards = rarity.dissolve_rewards.iter();
        rewards.map(move |reward| (format!("{RARITIES}: rarities.{id}.dissolve_rewards"), reward.asset.clone()))
    });
    costs.chain(rewards).collect()
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
    let shared = [Source::read(folder, ESPRITS)?, Source::read(folder, RARITIES)?];
    let mut whole = shared.to_vec();
    whole.push(Source::read(folder, COLLECTION)?);
    for name in [EQUIPMENT, SYNERGIES] {
        if folder.join(name).exists() {
            whole.push(Source::read(folder, name)?);
        }
    }
    let kept = [kept(Kind::Esprits, &shared)?, kept(Kind::Collection, &whole)?];
    let catalog = catalog(&whole, [kept[1].hash, kept[0].hash])?;
    Ok(Loaded { catalog, kept })
}

/// Reads all files, and tests what must hold between them.
fn catalog(sources: &[Source], [hash, esprits_hash]: [CatalogHash; 2]) -> Result<Catalog, CatalogError> {
    let (rarities, species) = esprits(sources)?;
    let numbers = source(sources, COLLECTION)?.parse::<CollectionTable>()?.numbers(&rarities)?;
    for (id, one) in &species {
        let fault = |key: &str, found: &str| {
            Err(CatalogError::new(ESPRITS, format!("{id}.{key}"), format!("{found} is not in {COLLECTION}")))
        };
        if !numbers.elements.contains_key(&one.element) {
            return fault("element", one.element.as_str());
        }
        if !numbers.classes.contains_key(&one.class) {
            return fault("class", one.class.as_str());
        }
    }
    let equipment = match source(sources, EQUIPMENT) {
        Ok(source) => worn::equipment(source.parse()?)?,
        Err(_) => BTreeMap::new(),
    };
    let synergies = match source(sources, SYNERGIES) {
        Ok(source) => worn::synergies(source.parse()?, &numbers)?,
        Err(_) => BTreeMap::new(),
    };
    let Numbers { settings, growth, upgrades, elements, classes } = numbers;
    Ok(Catalog {
        hash,
        esprits_hash,
        rarities,
        species,
        elements,
        classes,
        equipment,
        synergies,
        growth,
        upgrades,
        settings,
    })
}

fn source<'a>(sources: &'a [Source], name: &str) -> Result<&'a Source, CatalogError> {
    let found = sources.iter().find(|source| source.name == name);
    found.ok_or_else(|| CatalogError::new(name, "", "is missing"))
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
    let rarities: BTreeMap<RarityId, RarityTable> = source(sources, RARITIES)?.parse()?;
    let species: BTreeMap<SpeciesId, SpeciesTable> = source(sources, ESPRITS)?.parse()?;
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
