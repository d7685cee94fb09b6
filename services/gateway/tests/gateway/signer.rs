//! Signatures that are made by somebody else's implementation: Python's `hmac`, one process for all tests.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, OnceLock};

/// Reads `SECRET SIGNED` in hexadecimal, a pair a line, and writes the HMAC of each.
const PROGRAM: &str = "
import hashlib, hmac, sys
for line in sys.stdin:
    secret, signed = (bytes.fromhex(word) for word in line.split())
    print(hmac.new(secret, signed, hashlib.sha256).hexdigest(), flush=True)
";

struct Signer {
    _child: Child,
    asks: ChildStdin,
    answers: BufReader<ChildStdout>,
}

static SIGNER: OnceLock<Mutex<Signer>> = OnceLock::new();

/// The HMAC-SHA256 of `signed`, in hexadecimal.
pub fn hmac(secret: &str, signed: &[u8]) -> String {
    let signer = SIGNER.get_or_init(|| {
        let mut python = Command::new("python3");
        let mut child =
            python.args(["-c", PROGRAM]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("python3 runs");
        let (asks, answers) = (child.stdin.take().expect("a pipe"), child.stdout.take().expect("a pipe"));
        Mutex::new(Signer { _child: child, asks, answers: BufReader::new(answers) })
    });
    let mut signer = signer.lock().expect("no holder panicked");
    writeln!(signer.asks, "{} {}", hex::encode(secret), hex::encode(signed)).expect("python3 reads");
    let mut answer = String::new();
    signer.answers.read_line(&mut answer).expect("python3 answers");
    answer.trim().to_owned()
}

/// A `Stripe-Signature` over `body`, made at `seconds`.
pub fn stripe(secret: &str, seconds: i64, body: &[u8]) -> String {
    let signed = [format!("{seconds}.").as_bytes(), body].concat();
    format!("t={seconds},v1={},v0={}", hmac(secret, &signed), "0".repeat(64))
}
