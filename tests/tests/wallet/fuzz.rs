//! Bytes and texts that nobody would send: the decoders and the catalog's reader refuse them, and never panic. The corpus is in `tests/corpus`;
//! what is made of it is random, from a seed that is printed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use auric_status::Problem;
use auric_tests::tree;
use futures::{StreamExt as _, stream};
use prost_reflect::{DescriptorPool, DynamicMessage, MethodDescriptor};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tonic::Code;

use super::bad_input;
use super::harness::{Caller, Cluster};
use super::raw;

const SEED: u64 = 0xF_022;

/// Requests that are made of the corpus, and requests under way at once.
const REQUESTS: usize = 2_000;
const AT_ONCE: usize = 16;

/// Bytes of one request.
const BYTES_MAX: usize = 100_000;

/// Catalogs that are made of the corpus.
const CATALOGS: usize = 4_000;

/// Random bytes at most.
const NOISE_MAX: usize = 200;

/// What makes a text interesting to a reader of TOML or a decoder of protobuf.
const SPICE: [&[u8]; 16] = [
    b"\0",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    b"-1",
    b"9007199254740992",
    b"18446744073709551616",
    b"0",
    b"\"",
    b"[",
    b"]",
    b"=",
    b"\n",
    b"[[a]]",
    b"inf",
    b"\xc3\xa9",
    b"kind = \"recharging\"",
    b"a.b.c",
];

fn corpus(folder: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = tree::root().join("tests/corpus").join(folder);
    let mut files: Vec<PathBuf> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|file| file.expect("a file").path())
        .collect();
    files.sort();
    files.into_iter().map(|path| (path.clone(), fs::read(path).expect("it is readable"))).collect()
}

/// Changes some bytes, cuts, doubles or adds to them; now and then it is all noise.
fn mutate(rng: &mut StdRng, bytes: &[u8]) -> Vec<u8> {
    if rng.random_range(0..10) == 0 {
        return (0..rng.random_range(0..NOISE_MAX)).map(|_| rng.random()).collect();
    }
    let mut bytes = bytes.to_vec();
    for _ in 0..rng.random_range(1..4) {
        let at = rng.random_range(0..=bytes.len());
        let end = rng.random_range(at..=bytes.len());
        match rng.random_range(0..6) {
            0 if at < bytes.len() => bytes[at] = rng.random(),
            1 if at < bytes.len() => bytes[at] ^= 1 << rng.random_range(0..8_u8),
            2 => drop(bytes.drain(at..end)),
            3 => bytes.truncate(at),
            4 => {
                let part = bytes[at..end].to_vec();
                bytes.splice(at..at, part);
            }
            _ => drop(bytes.splice(at..at, SPICE[rng.random_range(0..SPICE.len())].iter().copied())),
        }
    }
    bytes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_bytes_bring_a_decoder_down() {
    let cluster = &Cluster::sqlite();
    let caller = Caller::new(cluster);
    bad_input::prepare(caller).await;
    let pool = DescriptorPool::decode(auric_api::DESCRIPTORS).expect("the descriptors are");
    let methods: Vec<MethodDescriptor> =
        pool.get_service_by_name(bad_input::SERVICE).expect("the wallet").methods().collect();
    let files = corpus("wallet");
    let method_of = |path: &Path| {
        let name = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let method = methods.iter().find(|method| name.split('-').next() == Some(method.name()));
        method.unwrap_or_else(|| panic!("{} is named after no RPC", path.display())).clone()
    };
    let mut rng = StdRng::seed_from_u64(SEED);
    let mut asks: Vec<(MethodDescriptor, Vec<u8>)> =
        files.iter().map(|(path, bytes)| (method_of(path), bytes.clone())).collect();
    for method in &methods {
        assert!(asks.iter().any(|(known, _)| known == method), "the corpus has no {}", method.name());
    }
    let corpus_size = asks.len();
    while asks.len() < REQUESTS {
        // Half are messages that say nonsense, half are hardly messages.
        let (path, bytes) = &files[rng.random_range(0..files.len())];
        let method = method_of(path);
        let bytes = if rng.random() {
            raw::bytes(&bad_input::several_faults(&mut rng, &method, &format!("fuzz-{}", asks.len())))
        } else {
            mutate(&mut rng, bytes)
        };
        // More is the transport's to refuse.
        if bytes.len() <= BYTES_MAX {
            asks.push((method, bytes));
        }
    }
    let sent = asks.iter().map(|(method, bytes)| ask(caller, method, bytes));
    let codes: Vec<Code> = stream::iter(sent).buffer_unordered(AT_ONCE).collect().await;
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for code in codes {
        *counts.entry(format!("{code:?}")).or_default() += 1;
    }
    println!("seed {SEED:#x}: {corpus_size} requests of the corpus, {} in all: {counts:?}", asks.len());
    caller.verify_audit().await;
    cluster.stop_without_errors();
}

/// Sends the bytes. INTERNAL is the transport's word for what is no message of that kind, and nothing else.
async fn ask(caller: Caller<'_>, method: &MethodDescriptor, bytes: &[u8]) -> Code {
    let path = format!("/{}/{}", bad_input::SERVICE, method.name());
    let answer = raw::call(caller, &path, bytes.to_vec()).await;
    let Err(status) = answer else { return Code::Ok };
    let problem = Problem::from_status(&status);
    let sent = || format!("{} {}: {problem:?}", method.name(), hex::encode(bytes));
    match problem.code {
        Code::Internal => {
            assert!(DynamicMessage::decode(method.input(), bytes).is_err(), "{}", sent());
            assert_eq!(problem.reason, "", "{}", sent());
        }
        Code::Unknown | Code::Unavailable | Code::Unimplemented | Code::DataLoss | Code::Cancelled => {
            panic!("{}", sent())
        }
        Code::InvalidArgument => assert!(!problem.bad_fields.is_empty(), "{}", sent()),
        _ => assert!(!problem.reason.is_empty(), "{}", sent()),
    }
    problem.code
}

#[test]
fn no_text_brings_the_catalog_down() {
    let mut rng = StdRng::seed_from_u64(SEED);
    let files = corpus("catalog");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let kept = |assets: &[u8], levels: &[u8]| {
        serde_json::json!({ "assets.toml": text(assets), "levels.toml": text(levels) }).to_string()
    };
    let of = |name: &str| -> Vec<&Vec<u8>> {
        let named = files.iter().filter(|(path, _)| path.to_string_lossy().contains(name));
        named.map(|(_, bytes)| bytes).collect()
    };
    let (assets, levels) = (of("assets"), of("levels"));
    auric_wallet::catalog::parse(&kept(assets[0], levels[0])).expect("the first ones are valid");
    let mut valid = 0;
    for round in 0..CATALOGS {
        // Those of one number belong together.
        let pair = rng.random_range(0..assets.len());
        let (assets, levels) = (assets[pair], levels[pair % levels.len()]);
        let content = match round % 4 {
            0 => kept(&mutate(&mut rng, assets), levels),
            1 => kept(assets, &mutate(&mut rng, levels)),
            2 => kept(&mutate(&mut rng, assets), &mutate(&mut rng, levels)),
            _ => text(&mutate(&mut rng, kept(assets, levels).as_bytes())),
        };
        match auric_wallet::catalog::parse(&content) {
            Ok(_) => valid += 1,
            Err(fault) => assert!(!fault.to_string().is_empty(), "{content:?}"),
        }
    }
    println!("seed {SEED:#x}: {CATALOGS} catalogs from {} files, {valid} valid", files.len());
    assert!(valid > 0 && valid < CATALOGS, "the changes hit everything or nothing");
}
