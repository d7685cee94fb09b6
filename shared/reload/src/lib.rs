//! Tells when files that are read at start have changed, so that they are read anew: catalogs, callers, certificates.
//!
//! Folders are watched, not files: an editor writes a new file and renames it, and Kubernetes swaps a link beside the files that it mounts.
//! SIGHUP says the same as a change, for file systems that tell nothing.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

pub use notify::Error;

/// How long the folders must be left alone before the files are read: editors write them in several steps.
const QUIET: Duration = Duration::from_millis(150);

/// The longest that a folder which is never left alone keeps a change waiting.
const PATIENCE: Duration = Duration::from_secs(2);

/// Watches until it is dropped.
#[derive(Debug)]
pub struct Watch {
    changes: mpsc::Receiver<()>,
    hangups: Signal,
    _watcher: RecommendedWatcher,
}

impl Watch {
    /// Watches the folders of `files`.
    ///
    /// # Errors
    ///
    /// [`Error`] when one of them cannot be watched.
    pub fn files<'a>(files: impl IntoIterator<Item = &'a Path>) -> Result<Self, Error> {
        let here = Path::new(".");
        let folder = |file: &'a Path| file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(here);
        Self::folders(files.into_iter().map(folder))
    }

    /// Watches what is directly in `folders`.
    ///
    /// # Errors
    ///
    /// As [`Self::files`].
    pub fn folders<'a>(folders: impl IntoIterator<Item = &'a Path>) -> Result<Self, Error> {
        let (changed, changes) = mpsc::channel(1);
        let mut watcher: RecommendedWatcher =
            notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
                if event.is_ok_and(|event| !event.kind.is_access()) {
                    // One that is waiting already says the same.
                    changed.try_send(()).ok();
                }
            })?;
        for folder in folders.into_iter().collect::<BTreeSet<_>>() {
            watcher.watch(folder, RecursiveMode::NonRecursive)?;
        }
        let hangups = signal(SignalKind::hangup()).map_err(Error::io)?;
        Ok(Self { changes, hangups, _watcher: watcher })
    }

    /// Waits for a change, and then until the folders are left alone.
    ///
    /// # Cancellation
    ///
    /// A change that was seen while it waited for quiet is lost; call it again from the same loop only.
    pub async fn changed(&mut self) {
        tokio::select! {
            _ = self.hangups.recv() => {}
            _ = self.changes.recv() => {}
        }
        let patience = Instant::now() + PATIENCE;
        while timeout_at(patience.min(Instant::now() + QUIET), self.changes.recv()).await.is_ok() {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_that_is_written_renamed_or_linked_anew_is_a_change() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("callers.toml");
        std::fs::write(&file, "one").unwrap();
        let mut watch = Watch::files([file.as_path()]).unwrap();

        std::fs::write(&file, "two").unwrap();
        watch.changed().await;

        let other = folder.path().join("callers.new");
        std::fs::write(&other, "three").unwrap();
        std::fs::rename(&other, &file).unwrap();
        watch.changed().await;

        std::os::unix::fs::symlink(&file, folder.path().join("..data")).unwrap();
        watch.changed().await;
    }

    #[tokio::test]
    async fn a_folder_that_is_never_left_alone_does_not_keep_a_change_waiting() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("callers.toml");
        let mut watch = Watch::files([file.as_path()]).unwrap();
        let writing = async {
            loop {
                std::fs::write(&file, "again").unwrap();
                tokio::time::sleep(QUIET / 4).await;
            }
        };
        tokio::select! {
            () = watch.changed() => {}
            () = writing => unreachable!("writes for ever"),
        }
    }
}
