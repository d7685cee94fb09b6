//! The files of the repository, as a fresh clone has them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::code::Code;

/// One text file of the repository.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct File {
    /// From the root, with `/`, such as `services/wallet/src/lib.rs`.
    pub path: String,
    /// What it holds.
    pub text: String,
}

impl File {
    /// Makes a file that is not on the disk, to show that a rule catches it.
    pub fn planted(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    /// Tells whether one of its folders has this name.
    pub fn is_in_folder(&self, name: &str) -> bool {
        self.path.rsplit_once('/').is_some_and(|(folders, _)| folders.split('/').any(|folder| folder == name))
    }

    /// Tells whether it is below one of these folders, each named from the root and without a closing slash.
    pub fn is_below(&self, folders: &[&str]) -> bool {
        folders.iter().any(|folder| self.path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/')))
    }

    /// Gives its last part.
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// Tells whether it is Rust.
    pub fn is_rust(&self) -> bool {
        Path::new(&self.path).extension().is_some_and(|extension| extension == "rs")
    }
}

/// All text files of the repository, in the order of their paths; what git ignores is left out.
#[derive(Debug)]
pub struct Tree {
    files: Vec<File>,
    /// Modules that some file declares under `#[cfg(test)]`, as paths without their extension.
    test_modules: BTreeSet<String>,
}

impl Tree {
    /// Reads the repository that this crate was built from.
    pub fn read() -> Result<Self> {
        let root = root();
        let mut files = Vec::new();
        // Hidden folders belong to the project (.ci, .github), except for git's own.
        let walk = ignore::WalkBuilder::new(&root)
            .hidden(false)
            .require_git(false)
            .filter_entry(|it| it.file_name() != ".git")
            .build();
        for entry in walk {
            let entry = entry?;
            if !entry.file_type().is_some_and(|kind| kind.is_file()) {
                continue;
            }
            // What is not text has no rules.
            let Ok(text) = fs::read_to_string(entry.path()) else { continue };
            let path = entry.path().strip_prefix(&root).context("a file outside its root")?;
            files.push(File { path: path.to_string_lossy().replace('\\', "/"), text });
        }
        Ok(Self::of(files))
    }

    /// Makes a tree of planted files.
    pub fn of(mut files: Vec<File>) -> Self {
        files.sort();
        let test_modules = files.iter().filter(|file| file.is_rust()).flat_map(test_modules).collect();
        Self { files, test_modules }
    }

    /// Gives every file.
    pub fn files(&self) -> &[File] {
        &self.files
    }

    /// Gives every Rust file, tests included.
    pub fn rust(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.is_rust())
    }

    /// Gives every Rust file that is built into something that runs: neither a test, nor an example, nor a bench.
    pub fn product(&self) -> impl Iterator<Item = &File> {
        self.rust().filter(|file| !self.is_test(file))
    }

    /// Tells whether all of `file` is only there for tests.
    pub fn is_test(&self, file: &File) -> bool {
        let in_test_folder = ["tests", "benches", "examples"].iter().any(|name| file.is_in_folder(name));
        let module = file.path.strip_suffix(".rs").unwrap_or(&file.path);
        let module = module.strip_suffix("/mod").unwrap_or(module);
        in_test_folder
            || module.match_indices('/').any(|(at, _)| self.test_modules.contains(&module[..at]))
            || self.test_modules.contains(module)
    }

    /// Gives the names of the folders right below `folder`.
    pub fn folders_in(&self, folder: &str) -> BTreeSet<String> {
        let below =
            self.files.iter().filter_map(|file| file.path.strip_prefix(folder)?.strip_prefix('/')?.split_once('/'));
        below.map(|(name, _)| name.to_owned()).collect()
    }
}

/// Gives the root of the repository.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

fn test_modules(file: &File) -> Vec<String> {
    let Ok(code) = Code::read(&file.text) else { return Vec::new() };
    let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let base = match file.name() {
        "mod.rs" | "lib.rs" | "main.rs" => folder.to_owned(),
        name => format!("{folder}/{}", name.trim_end_matches(".rs")),
    };
    code.test_modules().iter().map(|name| format!("{base}/{name}")).collect()
}
