//! A player can prove a pull without trusting the server: here, and in Python.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use auric_summon::catalog::{self, Loaded};
use auric_summon::domain::{
    Circumstances, ClientSeed, FairDraws, Pity, Receipt, ReceiptFault, SeededWords, ServerSeed, Words as _, pity, pulls,
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn shipped() -> Loaded {
    catalog::load(&root().join("game")).unwrap()
}

/// Plays `count` pulls at both banners, by all costs, in summons of one and of ten, and gives their receipts.
fn receipts(loaded: &Loaded, count: usize, is_revealed: bool) -> Vec<Receipt> {
    let mut words = SeededWords::new(8);
    let mut random = || words.word();
    let player = "discord:80351110224678912".parse().unwrap();
    let mut receipts = Vec::new();
    for nonce in 0.. {
        for banner in loaded.banners.iter() {
            let mut bytes = [0; 32];
            bytes.chunks_mut(8).for_each(|chunk| chunk.copy_from_slice(&random().to_be_bytes()));
            let server_seed = ServerSeed::new(bytes);
            let client_seed = ClientSeed::parse(&format!("lucky\"\\~{}", random() % 1_000)).unwrap();
            let mut state = Pity::default();
            if banner.id.as_str() == "premium" && random() % 2 == 0 {
                state = pity::choose(banner, &state, Some(&"aurelion".parse().unwrap())).unwrap();
            }
            for _ in 0..8 {
                let cost = &banner.costs[usize::try_from(random()).unwrap() % banner.costs.len()];
                let pulls_of = if banner.allows(cost, 10) && random() % 2 == 0 { 10 } else { 1 };
                let mut draws = FairDraws::new(&server_seed, &client_seed, nonce);
                let drawn = pulls(banner, cost, pulls_of, &state, &mut draws);
                let catalog = loaded.banners.hash;
                let (server_seed, client_seed, player) = (&server_seed, &client_seed, &player);
                let at = Circumstances { player, cost, catalog, server_seed, is_revealed, client_seed, nonce };
                receipts.extend(drawn.iter().map(|pulled| Receipt::of(banner, pulled, &at)));
                state = drawn.last().unwrap().after.clone();
                if receipts.len() >= count {
                    receipts.truncate(count);
                    return receipts;
                }
            }
        }
    }
    receipts
}

/// What the Python verifier says of each line.
fn python(lines: &[Vec<u8>]) -> Vec<String> {
    let mut verifier = Command::new("python3")
        .arg(root().join("examples/python/verify_pull.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = verifier.stdin.take().unwrap();
    let text = lines.iter().flat_map(|line| [line.as_slice(), b"\n"].concat()).collect::<Vec<u8>>();
    let writing = std::thread::spawn(move || input.write_all(&text));
    let output = verifier.wait_with_output().unwrap();
    writing.join().unwrap().unwrap();
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn ten_thousand_receipts_prove_themselves_here_and_in_python() {
    let loaded = shipped();
    let receipts = receipts(&loaded, 10_000, true);
    let sides = receipts.iter().filter(|receipt| receipt.steps.len() == 3).count();
    assert!(sides > 100, "only {sides} receipts have a featured side");
    for receipt in &receipts {
        let read = Receipt::parse(&receipt.text()).unwrap();
        read.verify_with(&loaded.banners).unwrap_or_else(|fault| panic!("{fault}: {}", receipt.text()));
    }
    let lines: Vec<Vec<u8>> = receipts.iter().map(|receipt| receipt.text().into_bytes()).collect();
    let said = python(&lines);
    assert_eq!(said.len(), lines.len());
    let wrong = said.iter().position(|said| said != "ok");
    assert_eq!(wrong.map(|line| (said[line].as_str(), receipts[line].text())), None);
}

#[test]
fn a_receipt_with_any_byte_changed_is_refused_here_and_in_python() {
    let loaded = shipped();
    let all = receipts(&loaded, 2_000, true);
    let chosen = [2, 3].map(|steps| all.iter().find(|receipt| receipt.steps.len() == steps).unwrap());
    let mut lines = Vec::new();
    for text in chosen.map(Receipt::text) {
        for place in 0..text.len() {
            for flip in [1, 2, 32] {
                let mut changed = text.clone().into_bytes();
                changed[place] ^= flip;
                if !changed[place].is_ascii_control() {
                    lines.push(changed);
                }
            }
        }
    }
    for line in &lines {
        let text = String::from_utf8_lossy(line);
        let is_refused = Receipt::parse(&text).and_then(|receipt| receipt.verify()).is_err();
        assert!(is_refused, "{text}");
    }
    let said = python(&lines);
    assert_eq!(said.len(), lines.len());
    let passed = said.iter().position(|said| !said.starts_with("wrong: "));
    assert_eq!(passed.map(|line| String::from_utf8_lossy(&lines[line]).into_owned()), None);
}

#[test]
fn a_seed_in_use_is_not_shown_and_proves_nothing_yet() {
    let receipt = receipts(&shipped(), 1, false).remove(0);
    assert_eq!(receipt.server_seed, None);
    assert_eq!(receipt.verify(), Err(ReceiptFault::NotRevealed));
    assert!(python(&[receipt.text().into_bytes()])[0].contains("not shown yet"));
}

#[test]
fn a_receipt_sealed_under_another_seed_or_made_up_is_refused() {
    let loaded = shipped();
    let receipt = receipts(&loaded, 1, true).remove(0);
    let other = Receipt { server_seed: Some("00".repeat(32)), ..receipt.clone() };
    assert_eq!(other.verify(), Err(ReceiptFault::Commitment));
    // Whoever knows the seed can seal what the seeds do not give: the draws tell.
    let mut forged = receipt.clone();
    forged.steps[0].drawn = forged.steps[0].drawn.map(|drawn| (drawn + 1) % 1_000_000_000);
    reseal(&mut forged);
    assert!(matches!(forged.verify(), Err(ReceiptFault::Draw { step: 0, .. })), "{:?}", forged.verify());
    // Or can draw by the seeds from other parts: the catalog tells.
    let mut bent = receipt;
    bent.steps[0].parts.rotate_left(1);
    reseal(&mut bent);
    assert!(bent.verify_with(&loaded.banners).is_err());
    assert_eq!(python(&[forged.text().into_bytes()]), ["wrong: not what the seeds give"]);
}

fn reseal(receipt: &mut Receipt) {
    let mut bytes = [0; 32];
    hex::decode_to_slice(receipt.server_seed.as_ref().unwrap(), &mut bytes).unwrap();
    receipt.seal = String::new();
    receipt.seal = hex::encode(ServerSeed::new(bytes).seal(receipt.text().as_bytes()));
}
