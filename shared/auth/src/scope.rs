//! What a caller may be granted: the scopes that the API's methods name, and a few that no method is about.

use std::collections::BTreeSet;

use auric_api::SCOPES;

/// Lets a caller end holds that another made.
pub const ADMIN_HOLDS: &str = "admin.holds";

/// Scopes that no method asks for by itself: they widen what a method does.
const WIDENING: [&str; 1] = [ADMIN_HOLDS];

/// Lists every scope that can be granted, in order.
pub fn known_scopes() -> BTreeSet<&'static str> {
    SCOPES.iter().map(|&(_, scope)| scope).chain(WIDENING).collect()
}

/// What a caller is granted, spelled out when the registry is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Grants(BTreeSet<&'static str>);

impl Grants {
    /// Adds what `pattern` stands for: a scope, every scope of a service (`wallet.*`), or a single method (`auric.wallet.v1.WalletService/Post`).
    ///
    /// # Errors
    ///
    /// That it stands for nothing, with what there is.
    pub fn add(&mut self, pattern: &str) -> Result<(), String> {
        let before = self.0.len();
        let service = pattern.strip_suffix(".*");
        let is_meant =
            |scope: &str| scope == pattern || service.is_some_and(|service| scope.split('.').next() == Some(service));
        let known = known_scopes();
        let mut found = known.iter().filter(|scope| is_meant(scope)).peekable();
        if found.peek().is_some() {
            self.0.extend(found);
            return Ok(());
        }
        self.0.extend(SCOPES.iter().map(|&(path, _)| path).filter(|path| path.strip_prefix('/') == Some(pattern)));
        if self.0.len() == before && !self.0.iter().any(|path| path.strip_prefix('/') == Some(pattern)) {
            let known: Vec<&str> = known.into_iter().collect();
            return Err(format!(
                "{pattern:?} is no scope; there are {}, a service's all as in \"wallet.*\", and single methods as in \"auric.wallet.v1.WalletService/Post\"",
                known.join(", ")
            ));
        }
        Ok(())
    }

    /// Whether the method at `path`, whose scope is `scope`, may be called.
    pub fn allow(&self, path: &str, scope: &str) -> bool {
        self.0.contains(scope) || self.0.contains(path)
    }

    /// What is granted beyond methods.
    pub fn widening(&self) -> impl Iterator<Item = &'static str> {
        WIDENING.into_iter().filter(|scope| self.0.contains(scope))
    }

    /// What is granted, spelled out.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().copied()
    }
}

/// The scope of the method at `path`, such as `/auric.wallet.v1.WalletService/Post`.
pub(crate) fn scope_of(path: &str) -> Option<&'static str> {
    // The table is sorted by path when the API is built.
    let found = SCOPES.binary_search_by(|(known, _)| (*known).cmp(path)).ok()?;
    SCOPES.get(found).map(|&(_, scope)| scope)
}

#[cfg(test)]
mod tests {
    use super::*;

    const POST: &str = "/auric.wallet.v1.WalletService/Post";
    const READ: &str = "/auric.wallet.v1.WalletService/GetBalances";

    fn grants(patterns: &[&str]) -> Grants {
        let mut grants = Grants::default();
        for pattern in patterns {
            grants.add(pattern).unwrap();
        }
        grants
    }

    fn may(grants: &Grants, path: &str) -> bool {
        grants.allow(path, scope_of(path).unwrap())
    }

    #[test]
    fn every_method_is_found() {
        for (path, scope) in SCOPES {
            assert_eq!(scope_of(path), Some(*scope), "{path}");
        }
        assert_eq!(scope_of("/auric.wallet.v1.WalletService/Mint"), None);
    }

    #[test]
    fn a_scope_lets_in_what_it_names_and_nothing_else() {
        let read = grants(&["wallet.read"]);
        assert!(may(&read, READ) && !may(&read, POST));
        let all = grants(&["wallet.*"]);
        assert!(
            may(&all, READ)
                && may(&all, POST)
                && all.widening().next().is_none()
                && !may(&all, "/auric.bench.v1.EchoService/Echo")
        );
        let one = grants(&["auric.wallet.v1.WalletService/Post", "auric.wallet.v1.WalletService/Post"]);
        assert!(may(&one, POST) && !may(&one, "/auric.wallet.v1.WalletService/Claim"));
    }

    #[test]
    fn what_stands_for_nothing_is_refused_with_what_there_is() {
        for bad in ["wallet.wread", "wallet", "*", "", ".*", "walle.*", "auric.wallet.v1.WalletService/Mint"] {
            let fault = Grants::default().add(bad).unwrap_err();
            assert!(fault.contains("is no scope") && fault.contains("wallet.read"), "{bad:?}: {fault}");
        }
    }
}
