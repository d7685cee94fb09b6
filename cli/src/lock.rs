//! The data folder, and the lock that keeps a second process out of its files.
//!
//! SQLite's own locks are held for a moment at a time; two processes would take turns, each believing that it knows what is in the file.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use crate::fault::Fault;

/// An exclusive hold on one SQLite file; the system ends it with the process, however that ends.
#[derive(Debug)]
#[must_use = "the file is free again when this is dropped"]
pub struct FileLock(#[expect(dead_code, reason = "holding the file open is holding the lock")] File);

/// Makes `folder` where it is absent, for this user alone.
///
/// # Errors
///
/// [`Fault::Data`] when that cannot be done.
pub fn make_folder(folder: &Path) -> Result<(), Fault> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|error| fault(folder, &format!("cannot be made: {error}")))
}

/// Locks the SQLite file of `database`; a server needs no lock.
///
/// # Errors
///
/// [`Fault::Data`] when another process holds it, or the folder cannot be written.
pub fn lock(database: &str) -> Result<Option<FileLock>, Fault> {
    let Some(path) = sqlite_path(database) else { return Ok(None) };
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".lock");
    let lock_path = folder.join(name);
    let cannot = |error: io::Error| fault(folder, &format!("cannot be written: {}: {error}", lock_path.display()));
    // Not truncated: until the lock is ours, the text is the other process's.
    let mut file =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&lock_path).map_err(cannot)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(fault(folder, &in_use(&mut file))),
        Err(TryLockError::Error(error)) => return Err(cannot(error)),
    }
    let write = |file: &mut File| {
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{}", std::process::id())
    };
    write(&mut file).map_err(cannot)?;
    Ok(Some(FileLock(file)))
}

/// The file of a `sqlite://` URL.
pub fn sqlite_path(database: &str) -> Option<PathBuf> {
    database.strip_prefix("sqlite://").map(PathBuf::from)
}

fn in_use(file: &mut File) -> String {
    let mut text = String::new();
    // What cannot be read is not told.
    let _ = file.read_to_string(&mut text);
    let whose = match text.trim() {
        "" => String::new(),
        process => format!(" (process {process})"),
    };
    format!("in use by another process{whose}; stop it, or choose another folder with --data")
}

fn fault(folder: &Path, reason: &str) -> Fault {
    Fault::Data { folder: folder.to_owned(), reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_holder_is_told_who_holds_it_until_the_first_lets_go() {
        let folder = tempfile::tempdir().unwrap();
        let database = format!("sqlite://{}/wallet.db", folder.path().display());
        let first = lock(&database).unwrap();
        assert!(first.is_some());
        let fault = lock(&database).unwrap_err().to_string();
        let expected = format!(
            "data folder {}: in use by another process (process {}); stop it, or choose another folder with --data",
            folder.path().display(),
            std::process::id()
        );
        assert_eq!(fault, expected);
        drop(first);
        assert!(lock(&database).unwrap().is_some());
    }

    #[test]
    fn a_server_needs_no_lock() {
        assert!(lock("postgres://localhost/wallet").unwrap().is_none());
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let fault = make_folder(&file.join("data")).unwrap_err();
        assert!(matches!(fault, Fault::Data { .. }), "{fault}");
        assert!(
            lock(&format!("sqlite://{}/wallet.db", file.display()))
                .unwrap_err()
                .to_string()
                .contains("cannot be written")
        );
    }
}
