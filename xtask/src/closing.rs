//! The closing lines of the test runners, gathered from the output of `cargo test`.

use std::fmt;

/// What one test binary, or the documentation tests of one crate, ended with.
#[derive(Debug, PartialEq, Eq)]
pub struct Runner {
    pub name: String,
    /// Absent when the runner died before its closing line.
    pub result: Option<String>,
}

/// The runners that `cargo test` started, in their order.
#[derive(Debug, Default)]
pub struct Closing {
    runners: Vec<Runner>,
}

impl Closing {
    /// Looks at one line of output, colours and all.
    pub fn read(&mut self, line: &[u8]) {
        let line = without_colours(&String::from_utf8_lossy(line));
        let line = line.trim();
        if let Some(name) = runner_name(line) {
            self.runners.push(Runner { name, result: None });
        } else if let Some(result) = line.strip_prefix("test result: ")
            && let Some(last) = self.runners.last_mut()
        {
            last.result = Some(result.to_owned());
        }
    }

    /// Counts what passed and what failed; a runner without a closing line is one failure.
    pub fn totals(&self) -> (u64, u64) {
        self.runners.iter().fold((0, 0), |(passed, failed), runner| match &runner.result {
            Some(result) => (passed + number_before(result, "passed"), failed + number_before(result, "failed")),
            None => (passed, failed + 1),
        })
    }
}

impl fmt::Display for Closing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What ran nothing is left out: the filter took all, or there was nothing.
        let is_worth =
            |runner: &&Runner| runner.result.as_ref().is_none_or(|it| !it.starts_with("ok. 0 passed; 0 failed"));
        for runner in self.runners.iter().filter(is_worth) {
            let result = runner.result.as_deref().unwrap_or("ended without a result");
            writeln!(f, "{}: {result}", runner.name)?;
        }
        let (passed, failed) = self.totals();
        write!(f, "{passed} passed, {failed} failed")
    }
}

/// Reads `Running tests/suite.rs (target/debug/deps/suite-0123)` and `Doc-tests auric_wallet`.
fn runner_name(line: &str) -> Option<String> {
    if let Some(name) = line.strip_prefix("Doc-tests ") {
        return Some(format!("{name} (documentation)"));
    }
    let (source, binary) = line.strip_prefix("Running ")?.split_once(" (")?;
    let file = binary.trim_end_matches(')').rsplit('/').next()?;
    let (binary, _hash) = file.rsplit_once('-')?;
    Some(format!("{binary} ({})", source.trim_start_matches("unittests ")))
}

fn number_before(result: &str, word: &str) -> u64 {
    let before = result.split([';', '.']).find_map(|part| part.trim().strip_suffix(word));
    before.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
}

/// Drops the escape sequences that set a colour: ESC `[` … `m`.
fn without_colours(line: &str) -> String {
    let mut parts = line.split("\u{1b}[");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        plain.push_str(part.split_once('m').map_or(part, |(_, rest)| rest));
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closing(output: &str) -> Closing {
        let mut closing = Closing::default();
        output.lines().for_each(|line| closing.read(line.as_bytes()));
        closing
    }

    #[test]
    fn closing_lines_are_counted_for_the_runner_that_wrote_them() {
        let closing = closing(
            "     \u{1b}[1m\u{1b}[32mRunning\u{1b}[0m unittests src/lib.rs (target/debug/deps/auric_ids-0a1b)\n\
             test a ... ok\n\
             test result: \u{1b}[32mok\u{1b}[0m. 12 passed; 0 failed; 0 ignored; 0 measured; 3 filtered out; finished in 0.01s\n\
             \u{20}    Running tests/suite.rs (target/debug/deps/suite-ff00)\n\
             test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s\n\
             \u{20}  Doc-tests auric_ids\n\
             test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n",
        );
        assert_eq!(closing.totals(), (14, 1));
        let text = closing.to_string();
        assert!(text.starts_with("auric_ids (src/lib.rs): ok. 12 passed; 0 failed;"), "{text}");
        assert!(text.contains("\nsuite (tests/suite.rs): FAILED. 2 passed; 1 failed;"), "{text}");
        assert!(text.ends_with("\n14 passed, 1 failed"), "{text}");
        assert!(!text.contains("documentation"), "{text}");
    }

    #[test]
    fn a_runner_that_died_is_a_failure() {
        let closing = closing("     Running tests/suite.rs (target/debug/deps/suite-ff00)\ntest a ...\n");
        assert_eq!(closing.totals(), (0, 1));
        assert!(closing.to_string().contains("suite (tests/suite.rs): ended without a result"));
    }
}
