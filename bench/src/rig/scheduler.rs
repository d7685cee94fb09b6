//! Starting the scheduler: copies on one database, with one target.

use anyhow::{Context as _, Result};

use super::{Rig, Service, Target, words};
use crate::process::Arguments;

impl Rig {
    /// Starts copies of the scheduler on a new database, with `target` as the only one besides the suite's.
    ///
    /// # Errors
    ///
    /// One does not start; the end of its log says why.
    pub async fn scheduler(&mut self, name: &str, (target, url): (&str, &str), copies: usize) -> Result<Target> {
        let service = Service::Scheduler;
        let database = self.database_of(service, name).await?;
        let config = self.folder.path().join(format!("{name}.toml"));
        std::fs::write(&config, format!("[scheduler.targets.{target}]\nurl = \"{url}\"\n"))
            .with_context(|| format!("{} cannot be written", config.display()))?;
        // A game without zones: what is measured is what is asked for.
        let game = self.folder.path().join("no-game");
        std::fs::create_dir_all(&game)?;
        let mut serve = words(&["serve", service.name(), "--listen", "{address}", "--log", "info", "--log-format"]);
        serve.extend(["json".into(), "--game".into(), game.into(), "--config".into(), config.into()]);
        let variables = vec![
            (service.database_variable(), database),
            ("AURIC_SCHEDULER_MAINTENANCE".to_owned(), "false".to_owned()),
        ];
        let arguments = Arguments { words: serve, variables };
        let mut processes = Vec::new();
        for _ in 0..copies {
            processes.push(self.start(service.name(), &arguments).await?);
        }
        Ok(Target::of(service.name(), processes))
    }
}
