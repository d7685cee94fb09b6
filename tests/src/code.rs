//! What a Rust file names, told from its tokens: comments and strings do not count, the insides of macros do.

use anyhow::{Result, anyhow};
use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// One token, with the line that it stands in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Its text; a bracket of any kind is a token of its own.
    pub text: String,
    /// Counted from 1.
    pub line: usize,
}

/// One path that the code names, such as `std::env::var`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedPath {
    /// Its segments.
    pub segments: Vec<String>,
    /// Counted from 1.
    pub line: usize,
}

impl NamedPath {
    /// Tells whether it begins with these segments, `std::env` for one.
    pub fn starts_with(&self, path: &str) -> bool {
        let wanted: Vec<&str> = path.split("::").collect();
        self.segments.len() >= wanted.len() && self.segments.iter().zip(wanted).all(|(one, other)| one == other)
    }

    /// Tells whether it ends with these segments.
    pub fn ends_with(&self, path: &str) -> bool {
        let wanted: Vec<&str> = path.split("::").collect();
        let skip = self.segments.len().checked_sub(wanted.len());
        skip.is_some_and(|skip| self.segments.iter().skip(skip).zip(wanted).all(|(one, other)| one == other))
    }
}

/// The tokens of one file, without the items under `#[cfg(test)]`.
#[derive(Debug, Default)]
pub struct Code {
    tokens: Vec<Token>,
    literals: Vec<Token>,
    test_modules: Vec<String>,
}

impl Code {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// It is not Rust.
    pub fn read(text: &str) -> Result<Self> {
        Self::lex(text, false)
    }

    /// Reads a file, with the items under `#[cfg(test)]`.
    ///
    /// # Errors
    ///
    /// It is not Rust.
    pub fn read_with_tests(text: &str) -> Result<Self> {
        Self::lex(text, true)
    }

    fn lex(text: &str, with_tests: bool) -> Result<Self> {
        let stream: TokenStream = text.parse().map_err(|error| anyhow!("not Rust: {error}"))?;
        let mut code = Self::default();
        code.take(stream, with_tests);
        Ok(code)
    }

    /// Gives the tokens, strings left out.
    pub fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    /// Gives the literals as they are written; a documentation comment is one.
    pub fn literals(&self) -> &[Token] {
        &self.literals
    }

    /// Gives the names of the modules that are declared under `#[cfg(test)]` and live in files of their own.
    pub fn test_modules(&self) -> &[String] {
        &self.test_modules
    }

    /// Gives the lines where these tokens stand side by side.
    pub fn lines_of(&self, wanted: &[&str]) -> Vec<usize> {
        let runs = self.tokens.windows(wanted.len());
        runs.filter(|run| run.iter().zip(wanted).all(|(token, text)| token.text == *text))
            .map(|run| run[0].line)
            .collect()
    }

    /// Gives every path, those of `use` groups written out.
    pub fn paths(&self) -> Vec<NamedPath> {
        let mut paths = Vec::new();
        let mut at = 0;
        while at < self.tokens.len() {
            let token = &self.tokens[at];
            if token.text == "use" {
                at = self.expand(at + 1, &[], &mut paths);
            } else if is_word(&token.text) {
                let mut segments = vec![token.text.clone()];
                while self.is_at(at + 1, "::") && self.tokens.get(at + 2).is_some_and(|next| is_word(&next.text)) {
                    segments.push(self.tokens[at + 2].text.clone());
                    at += 2;
                }
                paths.push(NamedPath { segments, line: token.line });
            }
            at += 1;
        }
        paths
    }

    /// Writes out the `use` tree at `at` below `prefix`; gives the position after it.
    fn expand(&self, mut at: usize, prefix: &[String], paths: &mut Vec<NamedPath>) -> usize {
        let mut segments = prefix.to_vec();
        let line = self.tokens.get(at).map_or(0, |token| token.line);
        while let Some(token) = self.tokens.get(at) {
            match token.text.as_str() {
                "::" => at += 1,
                "{" => {
                    at += 1;
                    while !self.is_at(at, "}") && at < self.tokens.len() {
                        at = self.expand(at, &segments, paths);
                        if self.is_at(at, ",") {
                            at += 1;
                        }
                    }
                    return at + 1;
                }
                "self" if !segments.is_empty() => at += 1,
                "as" => at += 2,
                text if is_word(text) || text == "*" => {
                    segments.push(text.to_owned());
                    at += 1;
                }
                // The end of this tree; or of something that was no `use` of a path.
                _ => break,
            }
        }
        if segments.len() > prefix.len() || !prefix.is_empty() {
            paths.push(NamedPath { segments, line });
        }
        at
    }

    fn is_at(&self, at: usize, text: &str) -> bool {
        self.tokens.get(at).is_some_and(|token| token.text == text)
    }

    fn take(&mut self, stream: TokenStream, with_tests: bool) {
        let trees: Vec<TokenTree> = stream.into_iter().collect();
        let mut at = 0;
        while at < trees.len() {
            if !with_tests && is_test_attribute(&trees[at..]) {
                at = self.skip_item(&trees, at);
                continue;
            }
            self.take_tree(&trees[at], with_tests);
            at += 1;
        }
    }

    fn take_tree(&mut self, tree: &TokenTree, with_tests: bool) {
        let line = tree.span().start().line;
        match tree {
            TokenTree::Group(group) => {
                let (open, close) = brackets(group.delimiter());
                self.push(open, line);
                self.take(group.stream(), with_tests);
                self.push(close, group.span_close().start().line);
            }
            TokenTree::Literal(literal) => self.literals.push(Token { text: literal.to_string(), line }),
            TokenTree::Ident(word) => self.push(&word.to_string(), line),
            TokenTree::Punct(punct) => {
                let is_second = punct.as_char() == ':'
                    && self.tokens.last().is_some_and(|last| last.text == ":" && last.line == line);
                if is_second {
                    self.tokens.pop();
                    self.push("::", line);
                } else {
                    self.push(&punct.as_char().to_string(), line);
                }
            }
        }
    }

    fn push(&mut self, text: &str, line: usize) {
        if !text.is_empty() {
            self.tokens.push(Token { text: text.to_owned(), line });
        }
    }

    /// Gives the position after the item that the attribute at `at` belongs to, and remembers a module in a file of its own.
    fn skip_item(&mut self, trees: &[TokenTree], at: usize) -> usize {
        let is_end = |tree: &TokenTree| match tree {
            TokenTree::Punct(punct) => punct.as_char() == ';',
            TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
            _ => false,
        };
        let end = trees.iter().skip(at).position(is_end).map_or(trees.len(), |count| at + count + 1);
        if let [.., TokenTree::Ident(keyword), TokenTree::Ident(name), TokenTree::Punct(_)] = &trees[at..end]
            && keyword == "mod"
        {
            self.test_modules.push(name.to_string());
        }
        end
    }
}

fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Looks for `#` `[cfg(test)]`, and for `#` `[cfg(all(test, …))]`.
fn is_test_attribute(trees: &[TokenTree]) -> bool {
    let [TokenTree::Punct(hash), TokenTree::Group(attribute), ..] = trees else { return false };
    let text: String = attribute.stream().to_string().split_whitespace().collect();
    hash.as_char() == '#' && (text == "cfg(test)" || text.starts_with("cfg(all(test,"))
}

fn brackets(delimiter: Delimiter) -> (&'static str, &'static str) {
    match delimiter {
        Delimiter::Parenthesis => ("(", ")"),
        Delimiter::Brace => ("{", "}"),
        Delimiter::Bracket => ("[", "]"),
        Delimiter::None => ("", ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(text: &str) -> Vec<String> {
        Code::read(text).unwrap().paths().iter().map(|path| path.segments.join("::")).collect()
    }

    #[test]
    fn use_groups_are_written_out() {
        let found = paths("use std::{env::{self, var as read}, fs}; pub use crate::a; use tokio::*;");
        for wanted in ["std::env", "std::env::var", "std::fs", "crate::a", "tokio::*"] {
            assert!(found.iter().any(|path| path == wanted), "{wanted} is not in {found:?}");
        }
    }

    #[test]
    fn paths_inside_macros_count_and_strings_do_not() {
        let found = paths(r#"fn f() { println!("{} sqlx::query", std::env::var("A")); } // tokio::spawn"#);
        assert!(found.contains(&"std::env::var".to_owned()), "{found:?}");
        assert!(!found.iter().any(|path| path.contains("sqlx") || path.contains("tokio")), "{found:?}");
    }

    #[test]
    fn items_under_cfg_test_are_left_out() {
        let code = Code::read(
            "#[cfg(test)] mod model; #[cfg(test)] mod tests { use tokio::spawn; } fn kept() { chrono::now() }",
        )
        .unwrap();
        assert_eq!(code.test_modules(), ["model"]);
        assert!(code.lines_of(&["tokio"]).is_empty());
        assert!(code.paths().iter().any(|path| path.starts_with("chrono")));
    }
}
