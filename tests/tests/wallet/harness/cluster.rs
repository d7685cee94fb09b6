//! One process on a SQLite file, or several on one PostgreSQL database.

use std::net::SocketAddr;
use std::sync::{Mutex, RwLock};

use auric_testkit::databases::{PostgresDatabase, SqliteDatabase};
use auric_tests::tree;
use tonic::transport::Channel;

use super::process::{Line, Process, auric};

/// Where a cluster keeps its books.
pub enum Store {
    Sqlite(SqliteDatabase),
    Postgres(Box<PostgresDatabase>),
}

/// A migrated, empty ledger, and the processes that serve it; gone when it is dropped.
pub struct Cluster {
    // Before the store: a process must be gone before its database is.
    copies: Vec<RwLock<Option<Process>>>,
    pub store: Store,
    /// What its processes are set to besides.
    variables: Vec<(&'static str, String)>,
    said: Mutex<Vec<Line>>,
}

impl Cluster {
    pub fn sqlite() -> Self {
        Self::sqlite_with(Vec::new())
    }

    /// The same, with more settings for every process.
    pub fn sqlite_with(variables: Vec<(&'static str, String)>) -> Self {
        let file = SqliteDatabase::create().expect("a folder");
        let url = format!("sqlite://{}", file.path().display());
        let migrated = auric(["migrate", "--wallet-database", &url]).current_dir(file.folder()).output();
        let migrated = migrated.expect("auric starts");
        assert!(migrated.status.success(), "{}", String::from_utf8_lossy(&migrated.stderr));
        Self::of(Store::Sqlite(file), 1, variables)
    }

    pub async fn postgres(copies: usize) -> Self {
        Self::postgres_with(copies, Vec::new()).await
    }

    /// The same, with more settings for every process.
    pub async fn postgres_with(copies: usize, variables: Vec<(&'static str, String)>) -> Self {
        let database = PostgresDatabase::create(auric_wallet::store::postgres_migrator()).await.expect("a database");
        Self::of(Store::Postgres(Box::new(database)), copies, variables)
    }

    fn of(store: Store, copies: usize, variables: Vec<(&'static str, String)>) -> Self {
        let started = (0..copies).map(|_| RwLock::new(Some(start(&store, &variables)))).collect();
        Self { copies: started, store, variables, said: Mutex::default() }
    }

    /// How many copies there are.
    pub fn copies(&self) -> usize {
        self.copies.len()
    }

    /// The way to a copy, or to nobody while it is down.
    pub fn channel(&self, copy: usize) -> Option<Channel> {
        self.copies[copy].read().expect("no holder panicked").as_ref().map(Process::channel)
    }

    /// Where a copy listens that is up.
    pub fn address(&self, copy: usize) -> SocketAddr {
        self.copies[copy].read().expect("no holder panicked").as_ref().map(Process::address).expect("it is up")
    }

    /// Ends a copy without a warning, in the middle of whatever it does.
    pub fn kill(&self, copy: usize) {
        self.signal(copy, "KILL");
        self.bury(copy);
    }

    /// Starts a copy again that is down.
    pub fn restart(&self, copy: usize) {
        let again = start(&self.store, &self.variables);
        let before = self.copies[copy].write().expect("no holder panicked").replace(again);
        assert!(before.is_none(), "copy {copy} was up");
    }

    /// Freezes a copy: it keeps its connections and what it has locked.
    pub fn freeze(&self, copy: usize) {
        self.signal(copy, "STOP");
    }

    /// Lets a frozen copy go on.
    pub fn thaw(&self, copy: usize) {
        self.signal(copy, "CONT");
    }

    /// Asks a copy to stop, and does not wait for it.
    pub fn terminate(&self, copy: usize) {
        self.signal(copy, "TERM");
    }

    /// Stops every copy as an operator would, and gives all that was ever said.
    pub fn stop(&self) -> Vec<Line> {
        for copy in 0..self.copies() {
            self.signal(copy, "TERM");
            self.bury(copy);
        }
        std::mem::take(&mut *self.said.lock().expect("no holder panicked"))
    }

    /// Stops every copy, and finds that none logged an error or panicked.
    pub fn stop_without_errors(&self) -> Vec<Line> {
        let said = self.stop();
        let errors: Vec<&Line> = said.iter().filter(|line| line["level"] == "ERROR").collect();
        assert!(errors.is_empty(), "{} error lines, the first: {:#?}", errors.len(), errors[0]);
        said
    }

    /// Waits until a copy says such a line.
    pub fn wait_for(&self, copy: usize, wanted: impl Fn(&Line) -> bool) -> Line {
        self.copies[copy].read().expect("no holder panicked").as_ref().expect("it is up").wait_for(wanted)
    }

    fn signal(&self, copy: usize, name: &str) {
        self.copies[copy].read().expect("no holder panicked").as_ref().expect("it is up").signal(name);
    }

    fn bury(&self, copy: usize) {
        let process = self.copies[copy].write().expect("no holder panicked").take().expect("it is up");
        self.said.lock().expect("no holder panicked").extend(process.end());
    }
}

fn start(store: &Store, variables: &[(&'static str, String)]) -> Process {
    let url = match store {
        Store::Sqlite(file) => format!("sqlite://{}", file.path().display()),
        Store::Postgres(database) => database.url().to_owned(),
    };
    let game = tree::root().join("game");
    let mut command = auric(["serve", "wallet", "--listen", "127.0.0.1:0", "--log", "info", "--log-format", "json"]);
    let variables = variables.iter().map(|(name, value)| (name, value));
    Process::start(command.args(["--database", &url]).arg("--game").arg(game).envs(variables))
}
