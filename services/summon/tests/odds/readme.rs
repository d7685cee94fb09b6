//! What `game/README.md` shows to designers is true.

use super::catalogs::file;

/// The examples of the section on banners.
fn examples() -> Vec<String> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../game/README.md");
    let readme = std::fs::read_to_string(path).unwrap();
    let section = readme.split("\n## ").find(|section| section.starts_with("banners.toml")).unwrap();
    section.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

/// Puts an example into the whole file that comes first.
fn merge(into: &mut toml::Table, from: toml::Table, depth: usize) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            // A tier is written anew, and so is whatever is no table.
            (Some(toml::Value::Table(into)), toml::Value::Table(from)) if depth < 3 => merge(into, from, depth + 1),
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}

#[test]
fn every_example_is_valid_in_the_whole_file() {
    let examples = examples();
    let whole: toml::Table = examples[0].parse().unwrap();
    file(&examples[0]).unwrap();
    for example in &examples[1..] {
        let mut changed = whole.clone();
        let example_table: toml::Table = example.parse().unwrap();
        if example.contains("box]") {
            changed["tables"].as_table_mut().unwrap().clear();
            changed.insert("pity_groups".to_owned(), "example = {}".parse::<toml::Table>().unwrap().into());
        }
        merge(&mut changed, example_table, 0);
        if let Err(fault) = file(&changed.to_string()) {
            panic!("{fault}\n{changed}");
        }
    }
    assert!(examples.len() >= 10, "{} examples", examples.len());
}
