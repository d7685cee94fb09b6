//! `cargo xtask campaign`: what takes too long for every landing, by name. Its results stand in `docs/`.

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;

use crate::test;

/// A set of tests that the suite runs too, with larger numbers.
struct Campaign {
    name: &'static str,
    about: &'static str,
    package: &'static str,
    filter: &'static str,
    /// One run each.
    environments: &'static [&'static [(&'static str, &'static str)]],
}

/// Lanes of 1, 2 and 8, each with batches of 1, 2 and as many as it takes.
const LANES: [&[(&str, &str)]; 9] = [
    &[("AURIC_TEST_LANES", "1"), ("AURIC_TEST_BATCH_MAX", "1")],
    &[("AURIC_TEST_LANES", "1"), ("AURIC_TEST_BATCH_MAX", "2")],
    &[("AURIC_TEST_LANES", "1")],
    &[("AURIC_TEST_LANES", "2"), ("AURIC_TEST_BATCH_MAX", "1")],
    &[("AURIC_TEST_LANES", "2"), ("AURIC_TEST_BATCH_MAX", "2")],
    &[("AURIC_TEST_LANES", "2")],
    &[("AURIC_TEST_LANES", "8"), ("AURIC_TEST_BATCH_MAX", "1")],
    &[("AURIC_TEST_LANES", "8"), ("AURIC_TEST_BATCH_MAX", "2")],
    &[("AURIC_TEST_LANES", "8")],
];

const CAMPAIGNS: [Campaign; 7] = [
    Campaign {
        name: "model",
        about: "20,000 random histories on the wallet's engine and on its reference model",
        package: "auric-wallet",
        filter: "the_engine_does_what_the_specification_says",
        environments: &[&[("PROPTEST_CASES", "20000")]],
    },
    Campaign {
        name: "laws",
        about: "every law of the wallet, with lanes of 1, 2 and 8, and batches of 1, 2 and the most",
        package: "auric-wallet",
        filter: "",
        environments: &LANES,
    },
    Campaign {
        name: "lanes",
        about: "20,000 random scripts of failures on the lanes",
        package: "auric-lanes",
        filter: "",
        environments: &[&[("PROPTEST_CASES", "20000")]],
    },
    Campaign {
        name: "crash",
        about: "200 seeded pairs of blows to real processes in the middle of summons",
        package: "auric-tests",
        filter: "processes_that_are_killed_twice_lose_and_double_nothing",
        environments: &[&[("AURIC_TEST_CRASH_PAIRS", "200")]],
    },
    Campaign {
        name: "hot",
        about: "a million firings through the scheduler's hot table while a reader holds an old snapshot",
        package: "auric-scheduler",
        filter: "the_hot_table_stays_bounded_while_a_reader_stays",
        environments: &[&[("AURIC_TEST_HOT_FIRINGS", "1000000")]],
    },
    Campaign {
        name: "scheduler",
        about: "jobs due at 1,000 a second for a minute, on three copies that are killed every few seconds",
        package: "auric-tests",
        filter: "what_is_due_ends_once_while_copies_are_killed",
        environments: &[&[("AURIC_TEST_STORM_RATE", "1000"), ("AURIC_TEST_STORM_SECONDS", "60")]],
    },
    Campaign {
        name: "odds",
        about: "five million pulls of each pity scheme, by the gaps between hits and by the hits at each count",
        package: "auric-summon",
        filter: "battery",
        environments: &[&[("PROPTEST_CASES", "6400")]],
    },
];

#[derive(Args)]
pub struct Options {
    /// Which campaign; without one, they are listed.
    #[arg(value_name = "NAME")]
    name: Option<String>,
}

/// Runs a campaign, and ends as its tests end.
///
/// # Errors
///
/// There is no such campaign; a server cannot be started.
pub fn run(options: &Options) -> Result<ExitCode> {
    let Some(name) = &options.name else {
        for campaign in &CAMPAIGNS {
            println!("{:<10}{}", campaign.name, campaign.about);
        }
        return Ok(ExitCode::SUCCESS);
    };
    let Some(campaign) = CAMPAIGNS.iter().find(|campaign| campaign.name == name) else {
        let names: Vec<&str> = CAMPAIGNS.iter().map(|campaign| campaign.name).collect();
        bail!("there is no campaign {name:?}; there are {}", names.join(", "));
    };
    eprintln!("{}: {}", campaign.name, campaign.about);
    for environment in campaign.environments {
        let set: Vec<String> = environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
        eprintln!("{} {}", campaign.name, set.join(" "));
        let ended = test::run(&test::Options::of(campaign.package, campaign.filter), environment)?;
        if ended != ExitCode::SUCCESS {
            return Ok(ended);
        }
    }
    Ok(ExitCode::SUCCESS)
}
