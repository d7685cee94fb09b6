//! Banners that cannot be: each is refused, and told where and why.

use super::catalogs::{banners, file};

const TIERS: &str = "[tables.t.tiers.legendary]\nrate_ppb = 6_000_000\nitems = { nerissa = 1 }\n\
                     [tables.t.tiers.epic]\nrate_ppb = 994_000_000\nitems = { elder_dryad = 1 }\n";

fn check(rules: &str, keys: &str, fault: &str) {
    let found = banners(rules, keys).expect_err(rules);
    assert!(found.starts_with(&format!("banners.toml: {fault}")), "{rules}\n{keys}\nsays {found}\nnot  {fault}");
}

fn group(text: &str, fault: &str) {
    check(&format!("[pity_groups.g.tiers.legendary]\n{text}\n{TIERS}"), "", fault);
}

fn table(from: &str, to: &str, fault: &str) {
    assert!(TIERS.contains(from), "{from}");
    check(&TIERS.replacen(from, to, 1), "", fault);
}

#[test]
fn rates_and_items_that_cannot_be_are_refused() {
    table("994_000_000", "993_999_999", "tables.t.tiers: the rates are 999999999 parts together");
    table("{ nerissa = 1 }", "{ nerissa = 0 }", "tables.t.tiers.legendary.items.nerissa: has the weight 0");
    table("{ nerissa = 1 }", "{ nobody = 1 }", "tables.t.tiers.legendary.nobody: is not in esprits.toml");
    table("{ nerissa = 1 }", "{ emberling = 1 }", "tables.t.tiers.legendary.emberling: is common, not legendary");
    table("{ nerissa = 1 }", "{ }", "tables.t.tiers.legendary: must have 1 to 2000 items");
    table("{ nerissa = 1 }", "{ nerissa = 1, nerissa = 2 }", "-: TOML parse error");
    table(
        "{ nerissa = 1 }",
        "{ nerissa = 1 }\nfeatured = { nerissa = 1 }\nfeatured_share_ppb = 500_000_000",
        "tables.t.tiers.legendary.featured.nerissa: is among the items too",
    );
    table("{ nerissa = 1 }", "{ nerissa = 1 }\nguarantee_after = 1", "tables.t.tiers.legendary.guarantee_after: needs");
    let featured = |keys: &str| format!("{{ nerissa = 1 }}\nfeatured = {{ solmara = 1 }}\n{keys}");
    let share = "tables.t.tiers.legendary.featured_share_ppb:";
    table("{ nerissa = 1 }", &featured(""), &format!("{share} is missing"));
    table("{ nerissa = 1 }", &featured("featured_share_ppb = 0"), &format!("{share} must be 1 to"));
    table("{ nerissa = 1 }", &featured("featured_share_ppb = 1_000_000_000"), &format!("{share} is everything"));
    let nothing = TIERS.replace("6_000_000", "0").replace("994_000_000", "1_000_000_000");
    check(&nothing, "", "tables.t.tiers.legendary.rate_ppb: is 0 and has no pity");
}

#[test]
fn pity_that_contradicts_itself_is_refused() {
    group("scheme = \"hard\"", "pity_groups.g.tiers.legendary.hard_at: is missing");
    group("scheme = \"hard\"\nhard_at = 1", "pity_groups.g.tiers.legendary.hard_at: must be 2 to 1000");
    group("scheme = \"hard\"\nhard_at = 9\ngain_ppb = 1", "pity_groups.g.tiers.legendary.gain_ppb: is no key of");
    let soft = "scheme = \"soft\"\nsoft_step_ppb = 1\n";
    group(
        &format!("{soft}hard_at = 80\nsoft_from = 81"),
        "pity_groups.g.tiers.legendary.soft_from: must be 2 to hard_at",
    );
    group(
        "scheme = \"table\"\nrates_ppb = [7_000_000]",
        "pity_groups.g.tiers.legendary.rates_ppb: begins with another",
    );
    group("scheme = \"meter\"\ngain_ppb = 1", "pity_groups.g.tiers.legendary.gain_ppb: must be 1000000 to");
    let lowest = "[pity_groups.g.tiers.epic]\nscheme = \"hard\"\nhard_at = 9\n";
    check(&format!("{lowest}{TIERS}"), "", "pity_groups.g.tiers.epic: is the lowest tier");
    let stray = "[pity_groups.g.tiers.mythic]\nscheme = \"hard\"\nhard_at = 9\n";
    check(&format!("{stray}{TIERS}"), "", "pity_groups.g.tiers.mythic: is not a tier of tables.t");
    let first = "[pity_groups.g]\nfirst = { within = 5, tier = \"epic\" }\n";
    check(&format!("{first}{TIERS}"), "", "pity_groups.g.first: promises epic, which is the lowest tier");
    let deep = "[pity_groups.g.tiers.legendary]\nscheme = \"hard\"\nhard_at = 300\n\
                [pity_groups.g.tiers.epic]\nscheme = \"hard\"\nhard_at = 300\n\
                [tables.t.tiers.legendary]\nrate_ppb = 1\nitems = { nerissa = 1 }\n\
                [tables.t.tiers.epic]\nrate_ppb = 1\nitems = { elder_dryad = 1 }\n\
                [tables.t.tiers.rare]\nrate_ppb = 999_999_998\nitems = { riverglass = 1 }\n";
    check(deep, "", "pity_groups.g: the counts of its tiers can stand in 90000 ways");
}

#[test]
fn banners_that_cannot_be_paid_or_kept_are_refused() {
    let keys = |keys: &str, fault: &str| check(TIERS, keys, fault);
    keys("floor = { count = 5, tier = \"legendary\" }", "banners.b.floor.count: no summon has 5 pulls");
    keys("floor = { count = 10, tier = \"epic\" }", "banners.b.floor: promises epic, which is the lowest");
    keys("spark_items = [\"nerissa\"]", "banners.b.spark_items: pity_groups.g gives no spark points");
    keys("limit = { pulls = 0 }", "banners.b.limit.pulls: must be 1 to");
    keys(
        "limit = { pulls = 5, time_zone = \"Mars/Olympus\" }",
        "banners.b.limit.time_zone: Mars/Olympus is no time zone",
    );
    keys("opens_at = 2027-01-01T00:00:00Z\ncloses_at = 2027-01-01T00:00:00Z", "banners.b.closes_at: must be after");
    keys("opens_at = 2027-01-01", "banners.b.opens_at: must have a date, a time and an offset");
    let most = auric_money::Amount::MAX_UNITS;
    let dear = format!("[banners.b.costs.dear]\ntoken = \"summon_token\"\namount = {most}");
    let fault = "banners.b.costs.dear.amount: is more than can be paid when it is taken 10 times";
    check(&format!("{TIERS}{dear}\n"), "", fault);
    check(&format!("{TIERS}[banners.b.costs.none]\n"), "", "banners.b.costs.none: must have one of currency");
    let set = "[sets.dragons]\nspecies = [\"nerissa\"]\nprize = [{ asset = \"aether\", amount = 1 }]\n";
    let fault = "sets.dragons: is a prize for completing a set, and nerissa is drawn for payment from b";
    check(&format!("{TIERS}{set}"), "", fault);
    check(&format!("{TIERS}[tables.unused.box]\nitems = {{ nerissa = 1 }}\n"), "", "tables.unused: no banner uses it");
    check(
        "[tables.t.box]\nitems = { nerissa = 1 }\n[pity_groups.g]\nfirst = { within = 2, tier = \"epic\" }\n",
        "",
        "tables.t.box: a box has no pity",
    );
}

#[test]
fn what_players_may_have_stays() {
    let one = banners(TIERS, "").unwrap();
    let meter = format!("[pity_groups.g.tiers.legendary]\nscheme = \"meter\"\ngain_ppb = 100_000_000\n{TIERS}");
    let hard = format!("[pity_groups.g.tiers.legendary]\nscheme = \"hard\"\nhard_at = 9\n{TIERS}");
    let (meter, hard) = (banners(&meter, "").unwrap(), banners(&hard, "").unwrap());
    auric_summon::catalog::follows(&one, &hard).unwrap();
    let turned = auric_summon::catalog::follows(&hard, &meter).unwrap_err().to_string();
    assert!(turned.starts_with("banners.toml: pity_groups.g.tiers.legendary.scheme: counts pulls in one"), "{turned}");
    let other = format!(
        "[pity_groups.g]\n{TIERS}[banners.c]\ntitle = \"C\"\npity_group = \"g\"\ntable = \"t\"\ncounts = [1]\n\
         costs.coins = {{ currency = \"aether\", amount = 1 }}\n"
    );
    let gone = auric_summon::catalog::follows(&one, &file(&other).unwrap()).unwrap_err().to_string();
    assert!(gone.starts_with("banners.toml: banners.b: was in force and cannot be removed"), "{gone}");
}
