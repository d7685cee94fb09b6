"""Proves pulls by their receipts alone, one a line, from files or standard input; ends with 1 when one of them proves nothing."""

import fileinput
import hashlib
import hmac
import json


def words(key, receipt):
    """Yields the 64-bit words of this pull."""
    start = receipt["client_seed"].encode("ascii") + b"\0"
    start += receipt["nonce"].to_bytes(8, "big") + receipt["slot"].to_bytes(4, "big")
    for block in range(2**32):
        digest = hmac.digest(key, start + block.to_bytes(4, "big"), "sha256")
        yield from (int.from_bytes(digest[at : at + 8], "big") for at in range(0, 32, 8))


def below(bound, source):
    """Draws a number below `bound`, each equally likely: some words would favour a number, and are thrown away."""
    while True:
        product = next(source) * bound
        if product % 2**64 >= 2**64 % bound:
            return product >> 64


def part_at(number, parts):
    for name, weight in parts:
        if number < weight:
            return name
        number -= weight


def check(line):
    receipt = json.loads(line)
    assert json.dumps(receipt, sort_keys=True, separators=(",", ":")) == line, "not in its one form"
    assert receipt["server_seed"] is not None, "the server seed is not shown yet"
    key = bytes.fromhex(receipt["server_seed"])
    assert hashlib.sha256(key).hexdigest() == receipt["commitment"], "not the seed that was committed to"
    unsealed = line.replace(f',"seal":"{receipt["seal"]}"', "").encode("ascii")
    assert hmac.digest(key, unsealed, "sha256").hex() == receipt["seal"], "something was changed"
    source = words(key, receipt)
    said = {"tier": receipt["tier"], "item": receipt["species"], "side": "featured" if receipt["featured"] else "other"}
    for step in receipt["steps"]:
        if step["drawn"] is None:
            assert len(step["parts"]) == 1, "more than one part and no draw"
        else:
            assert step["drawn"] == below(sum(weight for _, weight in step["parts"]), source), "not what the seeds give"
        assert part_at(step["drawn"] or 0, step["parts"]) == said[step["what"]], "not what was drawn"


faults = 0
for line in fileinput.input(encoding="utf-8", errors="replace"):
    try:
        check(line.rstrip("\n"))
        print("ok")
    except (AssertionError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as fault:
        faults += 1
        print(f"wrong: {fault}")
raise SystemExit(faults > 0)
