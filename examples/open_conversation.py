#!/usr/bin/env python3
"""Prints a saved conversation without chatbot. It needs the package `cryptography`.

    secret-tool lookup service chatbot username data-key@MARK | open_conversation.py CONVERSATION
    CHATBOT_PASSPHRASE_FILE=passphrase open_conversation.py CONVERSATION vault.json

The data key comes from standard input, or from a vault. MARK is what the file `keyring-namespace`
in the data folder holds.
"""

import hashlib, json, os, sys
from base64 import b64decode
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id


def from_vault(path):
    vault = json.load(open(path))
    kdf, header = vault["kdf"], f"chatbot-vault 1\nid {vault['id']}\n"
    text = open(os.environ["CHATBOT_PASSPHRASE_FILE"], encoding="utf-8").read()
    passphrase, salt = text.removesuffix("\n").encode(), b64decode(kdf["salt"])
    if kdf["name"] == "argon2id":
        m, t, p = kdf["m"], kdf["t"], kdf["p"]
        derived = Argon2id(salt=salt, length=32, iterations=t, lanes=p, memory_cost=m)
        wrapping, cost = derived.derive(passphrase), f"argon2id:m={m},t={t},p={p}"
    else:
        wrapping = hashlib.pbkdf2_hmac("sha256", passphrase, salt, kdf["rounds"])
        cost = f"pbkdf2:{kdf['rounds']}"

    def decrypt(key, part, context):
        nonce, ciphertext = b64decode(part["nonce"]), b64decode(part["sealed"])
        return AESGCM(key).decrypt(nonce, ciphertext, (header + context).encode())

    key = decrypt(wrapping, vault["key"], f"kdf {cost} {kdf['salt']}\n")
    return decrypt(key, vault["entries"]["data-key"], "entry data-key\n")


key = from_vault(sys.argv[2]) if len(sys.argv) > 2 else sys.stdin.readline().strip()
fernet = Fernet(key)
for line in open(sys.argv[1], "rb"):
    record = json.loads(fernet.decrypt(line.strip()))
    if "role" in record:
        print(record["n"], record["role"], record["text"])
