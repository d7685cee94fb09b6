//! Every row of docs/requirements.md is cited by a test, or listed there as not yet due, and never both.

use std::collections::{BTreeMap, BTreeSet};

use auric_tests::tree::{File, Tree};
use regex::Regex;

use super::{holds, tree};

const PAPER: &str = "docs/requirements.md";
const NOT_YET_DUE: &str = "\n## Not yet due\n";

fn rows_are_cited_or_not_yet_due(tree: &Tree) -> Vec<String> {
    let Some(paper) = tree.files().iter().find(|file| file.path == PAPER) else {
        return vec![format!("{PAPER} is missing")];
    };
    let Some((table, list)) = paper.text.split_once(NOT_YET_DUE) else {
        return vec![format!("{PAPER} has no list of what is not yet due")];
    };
    let rows: BTreeSet<String> = table
        .lines()
        .filter_map(|line| line.strip_prefix("| R-")?.split(' ').next())
        .map(|id| format!("R-{id}"))
        .collect();
    let in_part =
        table.lines().filter_map(|line| line.strip_prefix("- ")?.split_once(": ")).map(|(row, _)| row.to_owned());
    let due_later: BTreeSet<String> = citations(list).into_iter().collect();
    let cited = cited_rows(tree);

    let mut broken = Vec::new();
    for row in &rows {
        match (cited.get(row), due_later.contains(row)) {
            (None, false) => broken.push(format!("{row} is neither cited by a test nor listed as not yet due")),
            (Some(path), true) => broken.push(format!("{row} is cited in {path} and listed as not yet due")),
            _ => {}
        }
    }
    let unproved = in_part.filter(|row| !cited.contains_key(row));
    broken.extend(unproved.map(|row| format!("{row} is listed as proved in part, and no test cites it")));
    let unknown = cited.keys().chain(&due_later).filter(|row| !rows.contains(*row));
    broken.extend(unknown.map(|row| format!("{row} is no row of {PAPER}")));
    broken
}

/// Gives each row that a test cites, with one file that does. The house rules cite none: they prove no row.
fn cited_rows(tree: &Tree) -> BTreeMap<String, String> {
    let tests = tree.rust().filter(|file| !file.is_below(&["tests/tests/house", "tests/src"]));
    tests.flat_map(|file| citations(test_text(tree, file)).into_iter().map(|row| (row, file.path.clone()))).collect()
}

/// Gives the part of a file that is there for tests.
fn test_text<'a>(tree: &Tree, file: &'a File) -> &'a str {
    let is_laws = file.name() == "laws.rs" || file.is_in_folder("laws");
    if tree.is_test(file) || is_laws {
        return &file.text;
    }
    file.text.find("#[cfg(test)]\nmod ").map_or("", |at| &file.text[at..])
}

fn citations(text: &str) -> Vec<String> {
    let row = Regex::new(r"\bR-[A-Z]\d+\b").expect("the form of a row");
    row.find_iter(text).map(|found| found.as_str().to_owned()).collect()
}

#[test]
fn every_row_is_cited_by_a_test_or_listed_as_not_yet_due() {
    holds(rows_are_cited_or_not_yet_due);
}

#[test]
fn no_row_was_lost() {
    let paper = tree().files().iter().find(|file| file.path == PAPER).expect("the paper is there");
    let mut families: BTreeMap<char, BTreeSet<u32>> = BTreeMap::new();
    let rows = Regex::new(r"(?m)^\| R-([A-Z])(\d+) \|").unwrap();
    for row in rows.captures_iter(&paper.text) {
        let (family, number) = (row[1].chars().next().unwrap(), row[2].parse().unwrap());
        assert!(families.entry(family).or_default().insert(number), "R-{family}{number} is there twice");
    }
    let families: Vec<(char, Vec<u32>)> =
        families.into_iter().map(|(family, rows)| (family, rows.into_iter().collect())).collect();
    let all = [('C', 5), ('D', 13), ('O', 6), ('P', 3), ('S', 6), ('T', 8), ('W', 15)];
    assert_eq!(families, all.map(|(family, last)| (family, (1..=last).collect())));
}

#[test]
fn a_row_that_nobody_answers_for_is_noticed() {
    let check = |list: &str, path: &str, test: &str| {
        let paper = format!("| row | must hold |\n| --- | --- |\n| R-Z1 | one |\n| R-Z2 | two |\n\n{list}\n");
        let paper =
            if list.contains(NOT_YET_DUE) { paper } else { paper.replace("\n\n", &format!("\n{NOT_YET_DUE}\n")) };
        rows_are_cited_or_not_yet_due(&Tree::of(vec![File::planted(PAPER, &paper), File::planted(path, test)]))
    };
    let test = "services/later/tests/laws.rs";
    assert!(check("R-Z1", test, "// R-Z2").is_empty());
    assert!(check("R-Z1", "services/later/src/a.rs", "fn f() {}\n#[cfg(test)]\nmod tests {\n// R-Z2\n}").is_empty());
    assert!(check("R-Z1", "services/later/src/store/laws.rs", "/// R-Z2\nfn f() {}").is_empty());
    assert_eq!(check("R-Z1", test, ""), ["R-Z2 is neither cited by a test nor listed as not yet due"]);
    assert_eq!(check("R-Z1", "services/later/src/lib.rs", "// R-Z2").len(), 1, "product code proves nothing");
    assert_eq!(check("R-Z1 R-Z2", test, "// R-Z2"), [format!("R-Z2 is cited in {test} and listed as not yet due")]);
    assert_eq!(check("R-Z1", test, "// R-Z2 R-Z3"), [format!("R-Z3 is no row of {PAPER}")]);
    let in_part = format!("- R-Z2: a half\n{NOT_YET_DUE}\nR-Z1");
    assert!(check(&in_part, test, "// R-Z2").is_empty());
    assert!(check(&in_part, test, "").contains(&"R-Z2 is listed as proved in part, and no test cites it".to_owned()));
}
