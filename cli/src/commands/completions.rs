//! `auric completions`: what a shell needs to complete a command.

use std::io;

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::fault::Fault;

/// Prints the completions for a shell.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric completions bash > ~/.local/share/bash-completion/completions/auric
  auric completions zsh > ~/.zfunc/_auric
  auric completions fish > ~/.config/fish/completions/auric.fish")]
pub struct Completions {
    /// Which shell.
    shell: Shell,
}

impl Completions {
    pub fn run(self) -> Result<(), Fault> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut crate::Cli::command(), "auric", &mut script);
        match io::Write::write_all(&mut io::stdout(), &script) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Fault::OutputClosed),
            written => Ok(written.map_err(anyhow::Error::from)?),
        }
    }
}
