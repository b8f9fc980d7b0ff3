#!/usr/bin/env python3
"""Verifies the audit log without chatbot. It needs no packages.

    open_vault.py vault.json PASSPHRASE-FILE | sed -n 's/^audit-key //p' |
      verify_audit.py STATE-FOLDER

The audit key comes from standard input. Without one only the hashes are verified, which anyone who
can write the log can compute.
"""

import hashlib, hmac, json, pathlib, sys

state = pathlib.Path(sys.argv[1])
key = sys.stdin.readline().strip().encode()
mac = lambda text: hmac.digest(key, text, "sha256").hex()
# Older files have the number of their last record in their name.
files = sorted(state.glob("audit-*.jsonl")) + [state / "audit.jsonl"]
previous, expected, signed, last_signed = "0" * 64, 1, 0, None
for line in b"".join(file.read_bytes() for file in files).splitlines():
    record = json.loads(line)
    assert record["seq"] == expected, f"record {expected} is missing or out of place"
    assert record["prev"] == previous, f"record {expected} or the one before was changed"
    previous = hashlib.sha256(line).hexdigest()
    if record["mac"]:
        unsigned = line.removesuffix(f'"mac":"{record["mac"]}"}}'.encode()) + b'"mac":null}'
        assert not key or mac(unsigned) == record["mac"], f"the MAC of record {expected} is wrong"
        signed, last_signed = signed + 1, (expected, previous)
    expected += 1
head = json.loads((state / "audit.head").read_bytes())
assert (head["seq"], head["hash"]) == (expected - 1, previous), "the end of the log was cut"
if key and last_signed:
    number, end = last_signed
    keyed = {"seq": number, "hash": end, "mac": mac(f"head {number} {end}".encode())}
    assert head["keyed"] == keyed, "the last record with a MAC is not the one written last"
print(f"{expected - 1} records, {signed} of them with a MAC: no changes found")
