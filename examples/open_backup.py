#!/usr/bin/env python3
"""Prints a backup file, or a file of `chatbot data export`, without chatbot. It needs the package
`cryptography`.

    open_backup.py BACKUP PASSPHRASE-FILE

Messages are printed with the id of their conversation. Everything else follows the name of what it
is: settings, usage, audit, alerts, input-history, key-metadata, roles.
"""

import hashlib, json, re, sys
from base64 import b64decode, urlsafe_b64encode
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

lines = open(sys.argv[1], "rb").read().splitlines()
header = json.loads(lines[0])
passphrase = open(sys.argv[2], "rb").read().rstrip(b"\r\n")
salt = b64decode(header["salt"])
name, cost = header["kdf"].split(":")
numbers = [int(number) for number in re.findall(r"\d+", cost)]
if name == "argon2id":
    m, t, p = numbers
    key = Argon2id(salt=salt, length=32, iterations=t, lanes=p, memory_cost=m).derive(passphrase)
else:
    key = hashlib.pbkdf2_hmac("sha256", passphrase, salt, numbers[0])

fernet = Fernet(urlsafe_b64encode(key))
for line in lines[1:]:
    record = json.loads(fernet.decrypt(line))
    for message in record.get("conversation", {}).get("records", []):
        if "text" in message:
            print(message["id"], message["n"], message["role"], message["text"])
    if "text" in record:
        for text in record["text"]["text"].splitlines():
            print(f"{record['text']['file']}: {text}")
