//! The legs of a posting as flags: `--credit PLAYER ASSET AMOUNT [POOL]` and `--debit` the same, in any order, any number of times.
//!
//! Four words instead of one with signs in it, because a player id may have `:` and `-`, and an asset id `/`.

use auric_api::wallet::v1::{AtMaximum, Direction, Leg};
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgGroup, ArgMatches, Args, Command, Error, FromArgMatches};

/// The largest amount: 2^53 − 1, exact in every JSON reader.
const AMOUNT_MAX: i64 = 9_007_199_254_740_991;

/// What a posting moves, in the order of the command line.
#[derive(Clone, Debug, PartialEq)]
pub struct Legs(Vec<Leg>);

impl Legs {
    /// The legs, each credit with what it does at a maximum.
    pub fn into_legs(self, at_maximum: AtMaximum) -> Vec<Leg> {
        let mut legs = self.0;
        for leg in legs.iter_mut().filter(|leg| leg.direction() == Direction::Credit) {
            leg.set_at_maximum(at_maximum);
        }
        legs
    }
}

impl Args for Legs {
    fn augment_args(command: Command) -> Command {
        let leg = |name: &'static str, help: &'static str| {
            Arg::new(name)
                .long(name)
                .help(help)
                .value_names(["PLAYER", "ASSET", "AMOUNT", "POOL"])
                .num_args(3..=4)
                .action(ArgAction::Append)
        };
        command
            .arg(leg("credit", "Adds units; the pool only for an asset that has pools"))
            .arg(leg("debit", "Takes units; without a pool, pools are emptied in the catalog's order"))
            .group(ArgGroup::new("legs").args(["credit", "debit"]).multiple(true).required(true))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Legs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let mut placed = Vec::new();
        for (name, direction) in [("credit", Direction::Credit), ("debit", Direction::Debit)] {
            let Some(occurrences) = matches.get_occurrences::<String>(name) else { continue };
            let mut indices = matches.indices_of(name).into_iter().flatten();
            for words in occurrences {
                let words: Vec<&String> = words.collect();
                let place = indices.by_ref().take(words.len()).min().unwrap_or_default();
                placed.push((place, parse(name, direction, &words)?));
            }
        }
        placed.sort_by_key(|&(place, _)| place);
        Ok(Self(placed.into_iter().map(|(_, leg)| leg).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

fn parse(name: &str, direction: Direction, words: &[&String]) -> Result<Leg, Error> {
    let (player, asset, amount, pool) = match words {
        [player, asset, amount] => (player, asset, amount, ""),
        [player, asset, amount, pool] => (player, asset, amount, pool.as_str()),
        _ => return Err(refuse(&format!("--{name} wants PLAYER ASSET AMOUNT [POOL], has {} words", words.len()))),
    };
    let bounds = format!("a whole number from 1 to {AMOUNT_MAX}, such as 100 or 1_000");
    let parsed: Option<i64> = amount.replace('_', "").parse().ok();
    let amount = parsed
        .filter(|amount| (1..=AMOUNT_MAX).contains(amount))
        .ok_or_else(|| refuse(&format!("--{name}: the amount must be {bounds}; {amount:?} is not")))?;
    Ok(Leg {
        player_id: (*player).clone(),
        asset_id: (*asset).clone(),
        pool_id: pool.to_owned(),
        direction: direction.into(),
        amount,
        at_maximum: AtMaximum::Unspecified.into(),
    })
}

fn refuse(message: &str) -> Error {
    Error::raw(ErrorKind::ValueValidation, format!("{message}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_line(line: &str) -> Result<Vec<Leg>, String> {
        let command = Legs::augment_args(Command::new("post").no_binary_name(true));
        let matches = command.try_get_matches_from(line.split(' ')).map_err(|error| error.to_string())?;
        Ok(Legs::from_arg_matches(&matches).map_err(|error| error.to_string())?.0)
    }

    #[test]
    fn legs_keep_the_order_of_the_command_line() {
        let legs = parse_line("--credit discord:1 lumees 1_000 --debit a-b:c xp 2 --credit p generation_credit 3 bulk")
            .unwrap();
        let short = |leg: &Leg| {
            format!(
                "{} {} {} {} {}",
                leg.direction().as_str_name(),
                leg.player_id,
                leg.asset_id,
                leg.amount,
                leg.pool_id
            )
        };
        let shown: Vec<String> = legs.iter().map(short).collect();
        assert_eq!(
            shown,
            [
                "DIRECTION_CREDIT discord:1 lumees 1000 ",
                "DIRECTION_DEBIT a-b:c xp 2 ",
                "DIRECTION_CREDIT p generation_credit 3 bulk"
            ]
        );
    }

    #[test]
    fn only_a_credit_has_something_to_do_at_a_maximum() {
        let legs = Legs(parse_line("--debit a xp 1 --credit b xp 1").unwrap()).into_legs(AtMaximum::Clamp);
        assert_eq!(legs[0].at_maximum(), AtMaximum::Unspecified);
        assert_eq!(legs[1].at_maximum(), AtMaximum::Clamp);
    }

    #[test]
    fn an_amount_that_is_no_amount_is_refused_before_anything_is_sent() {
        for amount in ["0", "1.5", "1,000", "9007199254740992", "ten"] {
            let fault = parse_line(&format!("--credit a lumees {amount}")).unwrap_err();
            assert!(fault.contains("must be a whole number from 1 to 9007199254740991"), "{fault}");
            assert!(fault.contains(amount), "{fault}");
        }
    }

    #[test]
    fn a_posting_without_a_leg_is_refused() {
        let command = Legs::augment_args(Command::new("post").no_binary_name(true));
        assert!(command.try_get_matches_from(std::iter::empty::<&str>()).is_err());
    }
}
