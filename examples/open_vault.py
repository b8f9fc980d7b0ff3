#!/usr/bin/env python3
"""Prints the secrets in a vault without chatbot. It needs the package `cryptography`.

    open_vault.py VAULT PASSPHRASE-FILE [KEY-FILE]

Each line is the name of an entry and its secret. An unchanged vault is required: a removed, added
or exchanged entry is an error.
"""

import hashlib, hmac, json, sys
from base64 import b64decode
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

vault = json.load(open(sys.argv[1]))
passphrase = open(sys.argv[2], "rb").read().rstrip(b"\r\n")
kdf, salt = vault["kdf"], b64decode(vault["kdf"]["salt"])
start = f"{vault['format']} {vault['version']}\nid {vault['id']}\n"
factors = ""
if vault.get("factors", {}).get("key_file"):
    factors = "factor key-file\n"
    key_file = hashlib.sha256(open(sys.argv[3], "rb").read()).digest()
    passphrase = hmac.digest(key_file, passphrase, "sha256")
if kdf["name"] == "argon2id":
    m, t, p = kdf["m"], kdf["t"], kdf["p"]
    cost = f"argon2id:m={m},t={t},p={p}"
    derivation = Argon2id(salt=salt, length=32, iterations=t, lanes=p, memory_cost=m)
    wrapping = derivation.derive(passphrase)
else:
    cost = f"pbkdf2:{kdf['rounds']}"
    wrapping = hashlib.pbkdf2_hmac("sha256", passphrase, salt, kdf["rounds"])


def decrypt(key, part, bound_to):
    nonce, ciphertext = b64decode(part["nonce"]), b64decode(part["sealed"])
    return AESGCM(key).decrypt(nonce, ciphertext, bound_to.encode())


header = f"{start}kdf {cost} {kdf['salt']}\n{factors}"
key = decrypt(wrapping, vault["key"], header)
entries = sorted(vault["entries"].items())
parts = [("key", vault["key"])] + [(f"entry {name}", part) for name, part in entries]
content = "".join(f"{what} {part['nonce']} {part['sealed']}\n" for what, part in parts)
assert decrypt(key, vault["check"], header + content) == b""
for name, part in entries:
    print(name, decrypt(key, part, f"{start}entry {name}\n").decode())
