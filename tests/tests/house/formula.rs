//! How strong an esprit is has one formula, in one place (R-C2).

use auric_tests::tree::Tree;

use super::{allows, catches, code_of, holds, tree};

/// The one place.
const HOME: &str = "services/collection/src/domain/stats.rs";

/// What only the formulas read: a second formula would have to.
const INGREDIENTS: [&str; 3] = ["base_stats", "permille_per_level", "power_weights"];

const FORMULAS: [&str; 2] = ["calculate_stat", "calculate_power"];

fn strength_has_one_formula(tree: &Tree) -> Vec<String> {
    let mut broken = Vec::new();
    // The catalog takes the ingredients from its files, and hands them on.
    let others =
        tree.product().filter(|file| file.path != HOME && !file.path.starts_with("services/collection/src/catalog"));
    for file in others {
        let code = code_of(file);
        for name in FORMULAS {
            let lines = code.lines_of(&["fn", name]);
            broken.extend(lines.iter().map(|line| format!("{}:{line} defines a second {name}", file.path)));
        }
        for field in INGREDIENTS {
            let lines = code.lines_of(&[".", field]);
            broken.extend(lines.iter().map(|line| format!("{}:{line} reads {field}", file.path)));
        }
    }
    broken
}

#[test]
fn strength_is_calculated_in_one_place() {
    let home = tree().product().find(|file| file.path == HOME).expect("the formulas are there");
    for name in FORMULAS {
        assert_eq!(code_of(home).lines_of(&["fn", name]).len(), 1, "{name}");
    }
    holds(strength_has_one_formula);
    let path = "services/collection/src/handlers/later.rs";
    catches(strength_has_one_formula, path, "fn calculate_power(hp: u64) -> u64 { hp }");
    catches(strength_has_one_formula, path, "fn strength(s: &Species) -> u64 { s.base_stats.hp * 2 }");
    catches(strength_has_one_formula, "cli/src/later.rs", "fn f(c: &Class) -> u64 { c.power_weights.hp }");
    allows(strength_has_one_formula, path, "fn f() { let sheet = calculate_power(&stats, &class); }");
}
