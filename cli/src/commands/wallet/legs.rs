//! Legs as flags: `--credit PLAYER ASSET AMOUNT [POOL]`, `--debit` the same, `--transfer FROM TO ASSET AMOUNT [POOL]`, in any order and number.
//!
//! Words instead of one with signs in it, because a player id may have `:` and `-`, and an asset id `/`.

use auric_api::wallet::v1::{AtMaximum, BalanceRef, Direction, HoldLeg, Leg};
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgGroup, ArgMatches, Args, Command, Error, FromArgMatches};

/// The largest amount: 2^53 − 1, exact in every JSON reader.
const AMOUNT_MAX: i64 = 9_007_199_254_740_991;

/// What a posting moves, in the order of the command line.
#[derive(Clone, Debug, PartialEq)]
pub struct Legs(Vec<Leg>);

/// What a hold sets aside, in the order of the command line.
#[derive(Clone, Debug, PartialEq)]
pub struct HoldLegs(Vec<HoldLeg>);

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

impl HoldLegs {
    /// The legs.
    pub fn into_legs(self) -> Vec<HoldLeg> {
        self.0
    }
}

impl Args for Legs {
    fn augment_args(command: Command) -> Command {
        command
            .arg(one_ended("credit", "Adds units; the pool only for an asset that has pools"))
            .arg(one_ended("debit", "Takes units; without a pool an asset's pools are emptied in order"))
            .group(ArgGroup::new("legs").args(["credit", "debit"]).multiple(true).required(true))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Legs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let leg = |(name, words): (&str, Vec<&str>)| {
            let (player_id, asset_id, amount, pool_id) = one_end(name, &words)?;
            let direction = if name == "debit" { Direction::Debit } else { Direction::Credit };
            let at_maximum = AtMaximum::Unspecified.into();
            Ok(Leg { player_id, asset_id, pool_id, direction: direction.into(), amount, at_maximum })
        };
        in_order(matches, &["credit", "debit"]).into_iter().map(leg).collect::<Result<_, Error>>().map(Self)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for HoldLegs {
    fn augment_args(command: Command) -> Command {
        let transfer = Arg::new("transfer")
            .long("transfer")
            .help("Sets units aside at one player, and room for them at another; the pool is the receiver's")
            .value_names(["FROM", "TO", "ASSET", "AMOUNT", "POOL"])
            .num_args(4..=5)
            .action(ArgAction::Append);
        command
            .arg(one_ended(
                "debit",
                "Sets units aside to be taken; without a pool an asset's pools are emptied in order",
            ))
            .arg(one_ended("credit", "Promises room for units to be added"))
            .arg(transfer)
            .group(ArgGroup::new("legs").args(["debit", "credit", "transfer"]).multiple(true).required(true))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for HoldLegs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let placed = in_order(matches, &["debit", "credit", "transfer"]);
        placed.into_iter().map(|(name, words)| hold_leg(name, &words)).collect::<Result<_, Error>>().map(Self)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// Reads an amount: a whole number in its bounds, with `_` where it helps a person.
pub fn amount(text: &str) -> Result<i64, String> {
    let parsed: Option<i64> = text.replace('_', "").parse().ok();
    parsed.filter(|amount| (1..=AMOUNT_MAX).contains(amount)).ok_or_else(|| {
        format!("the amount must be a whole number from 1 to {AMOUNT_MAX}, such as 100 or 1_000; {text:?} is not")
    })
}

fn one_ended(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .help(help)
        .value_names(["PLAYER", "ASSET", "AMOUNT", "POOL"])
        .num_args(3..=4)
        .action(ArgAction::Append)
}

/// Every occurrence of the flags, with its words, in the order of the command line.
fn in_order<'a>(matches: &'a ArgMatches, names: &[&'static str]) -> Vec<(&'static str, Vec<&'a str>)> {
    let mut placed = Vec::new();
    for &name in names {
        let Some(occurrences) = matches.get_occurrences::<String>(name) else { continue };
        let mut indices = matches.indices_of(name).into_iter().flatten();
        for words in occurrences {
            let words: Vec<&str> = words.map(String::as_str).collect();
            let place = indices.by_ref().take(words.len()).min().unwrap_or_default();
            placed.push((place, name, words));
        }
    }
    placed.sort_by_key(|&(place, ..)| place);
    placed.into_iter().map(|(_, name, words)| (name, words)).collect()
}

/// Reads `PLAYER ASSET AMOUNT [POOL]`.
fn one_end(name: &str, words: &[&str]) -> Result<(String, String, i64, String), Error> {
    let (player, asset, units, pool) = match words {
        [player, asset, units] => (player, asset, units, ""),
        [player, asset, units, pool] => (player, asset, units, *pool),
        _ => return Err(refuse(&format!("--{name} wants PLAYER ASSET AMOUNT [POOL], has {} words", words.len()))),
    };
    let units = amount(units).map_err(|fault| refuse(&format!("--{name}: {fault}")))?;
    Ok(((*player).to_owned(), (*asset).to_owned(), units, pool.to_owned()))
}

fn hold_leg(name: &str, words: &[&str]) -> Result<HoldLeg, Error> {
    if name != "transfer" {
        let (player_id, asset_id, amount, pool_id) = one_end(name, words)?;
        let end = Some(BalanceRef { player_id, asset_id, pool_id });
        let (from, to) = if name == "debit" { (end, None) } else { (None, end) };
        return Ok(HoldLeg { from, to, amount });
    }
    let [giver, receiving @ ..] = words else {
        return Err(refuse("--transfer wants FROM TO ASSET AMOUNT [POOL], has no words"));
    };
    let (player_id, asset_id, amount, pool_id) = one_end(name, receiving)?;
    let from = BalanceRef { player_id: (*giver).to_owned(), asset_id: asset_id.clone(), pool_id: String::new() };
    Ok(HoldLeg { from: Some(from), to: Some(BalanceRef { player_id, asset_id, pool_id }), amount })
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
    fn a_hold_has_legs_with_one_end_or_two() {
        let command = HoldLegs::augment_args(Command::new("reserve").no_binary_name(true));
        let line = "--credit a xp 1 --transfer b c generation_credit 2 bulk --debit d lumees 3";
        let matches = command.try_get_matches_from(line.split(' ')).unwrap();
        let legs = HoldLegs::from_arg_matches(&matches).unwrap().into_legs();
        let end = |end: &Option<BalanceRef>| {
            end.as_ref().map(|end| format!("{}/{}/{}", end.player_id, end.asset_id, end.pool_id)).unwrap_or_default()
        };
        let shown: Vec<String> =
            legs.iter().map(|leg| format!("{}>{} {}", end(&leg.from), end(&leg.to), leg.amount)).collect();
        assert_eq!(shown, [">a/xp/ 1", "b/generation_credit/>c/generation_credit/bulk 2", "d/lumees/> 3"]);
    }

    #[test]
    fn a_posting_without_a_leg_is_refused() {
        let command = Legs::augment_args(Command::new("post").no_binary_name(true));
        assert!(command.try_get_matches_from(std::iter::empty::<&str>()).is_err());
    }
}
