#!/usr/bin/env python3
"""Prints an encrypted file other than a conversation without chatbot: the input history, the index
of conversations, a copy of a scrubbed file, or evidence. It needs the package `cryptography`.

    open_vault.py vault.json PASSPHRASE-FILE | sed -n 's/^data-key //p' | open_state.py FILE
    open_state.py EVIDENCE < PASSPHRASE-FILE

The data key, or the passphrase of the evidence, comes from standard input.
"""

import hmac, json, pathlib, re, sys
from base64 import b64decode, urlsafe_b64decode, urlsafe_b64encode
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

file, secret = pathlib.Path(sys.argv[1]), sys.stdin.readline().rstrip("\r\n")
lines = file.read_bytes().splitlines()
if lines[0].startswith(b"{"):
    header, purpose = json.loads(lines.pop(0)), "evidence"
    m, t, p = map(int, re.findall(r"\d+", header["kdf"].split(":")[1]))
    salt = b64decode(header["salt"])
    derivation = Argon2id(salt=salt, length=32, iterations=t, lanes=p, memory_cost=m)
    key = derivation.derive(secret.encode())
else:
    names = {"line-history": "line history", "index": "index", "scrubbed": "import copy"}
    purpose = next(names[start] for start in names if file.name.startswith(start))
    key = urlsafe_b64decode(secret)
# HKDF-SHA256 with an empty salt; one block of its output is a key.
extracted = hmac.digest(bytes(32), key, "sha256")
subkey = hmac.digest(extracted, f"chatbot 1 {purpose}".encode() + b"\x01", "sha256")
fernet = Fernet(urlsafe_b64encode(subkey))
for line in lines:
    print(fernet.decrypt(line).decode())
