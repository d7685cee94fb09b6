//! A SQLite file in a folder of its own.

use std::path::{Path, PathBuf};

use anyhow::Result;
use tempfile::TempDir;

/// A place for a new SQLite file; dropping it removes the folder with all that SQLite put beside the file.
pub struct SqliteDatabase {
    folder: TempDir,
}

impl SqliteDatabase {
    /// Makes an empty folder; the file comes into being when somebody opens it.
    pub fn create() -> Result<Self> {
        Ok(Self { folder: tempfile::Builder::new().prefix("auric-sqlite-").tempdir()? })
    }

    /// Gives the path of the database file.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("test.db")
    }

    /// Gives the folder, as a data directory.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Gives a URL that creates the file when it is missing.
    pub fn url(&self) -> String {
        format!("sqlite://{}?mode=rwc", self.path().display())
    }
}
