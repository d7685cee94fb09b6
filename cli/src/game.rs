//! Where the catalog is: the folder that is named, `game/` where the program is run, or the one that the program brings.

use std::io;
use std::path::{Path, PathBuf};

use include_dir::{Dir, include_dir};

use crate::config::Settings;
use crate::fault::Fault;

/// The catalog of the checkout that the program was built from.
static BUILT_IN: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../game");

/// The folder's name, in the checkout and in the data folder.
const NAME: &str = "game";

/// Finds the catalog's folder without making anything.
///
/// # Errors
///
/// [`Fault::Catalog`] when there is none.
pub fn find(settings: &Settings) -> Result<PathBuf, Fault> {
    if let Some(named) = &settings.game {
        return Ok(named.clone());
    }
    let kept = settings.data.join(NAME);
    match [PathBuf::from(NAME), kept.clone()].into_iter().find(|folder| folder.is_dir()) {
        Some(folder) => Ok(folder),
        None => Err(Fault::Catalog {
            folder: PathBuf::from(NAME),
            reason: format!("there is no such folder, nor {}; name one with --game", kept.display()),
        }),
    }
}

/// The same; where there is none, writes the built-in catalog into the data folder, where it is the user's to change.
///
/// A catalog that an earlier version wrote there gets the files that it has not; what is there stays as it is.
///
/// # Errors
///
/// [`Fault::Data`] when it cannot be written.
pub fn find_or_complete(settings: &Settings) -> Result<PathBuf, Fault> {
    let folder = settings.data.join(NAME);
    let found = find(settings).ok();
    if let Some(found) = found.filter(|found| *found != folder) {
        return Ok(found);
    }
    let written = if folder.is_dir() { complete(&folder) } else { write_built_in(&folder) };
    written.map_err(|error| Fault::Data {
        folder: settings.data.clone(),
        reason: format!("the built-in catalog cannot be written to {}: {error}", folder.display()),
    })?;
    Ok(folder)
}

/// Writes beside the folder first: half a catalog is never found under its name.
fn write_built_in(folder: &Path) -> io::Result<()> {
    let unfinished = folder.with_extension("unfinished");
    std::fs::create_dir_all(&unfinished)?;
    BUILT_IN.extract(&unfinished)?;
    std::fs::rename(&unfinished, folder)
}

/// Writes the files that are absent, each under its name only when it is whole.
fn complete(folder: &Path) -> io::Result<()> {
    for file in BUILT_IN.files().filter(|file| !folder.join(file.path()).exists()) {
        let unfinished = folder.join(file.path()).with_extension("unfinished");
        std::fs::write(&unfinished, file.contents())?;
        std::fs::rename(&unfinished, folder.join(file.path()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_catalog_is_valid_once_written() {
        let folder = tempfile::tempdir().unwrap();
        let game = folder.path().join(NAME);
        write_built_in(&game).unwrap();
        assert!(!auric_wallet::check_catalog(&game).unwrap().assets.is_empty());
        assert!(!folder.path().join("game.unfinished").exists());
    }

    #[test]
    fn a_catalog_of_an_earlier_version_gets_what_it_has_not() {
        let folder = tempfile::tempdir().unwrap();
        let own = "[lumees]\nkind = \"currency\"\n";
        std::fs::write(folder.path().join("assets.toml"), own).unwrap();
        complete(folder.path()).unwrap();
        assert_eq!(std::fs::read_to_string(folder.path().join("assets.toml")).unwrap(), own);
        assert!(auric_summon::check_catalog(folder.path()).unwrap().banners > 0);
        assert!(auric_collection::check_catalog(folder.path()).unwrap().species > 0);
    }
}
