#!/usr/bin/env python3
"""Prints the newest backup of a repository without chatbot. It needs the package `cryptography`.

    open_repository.py FOLDER PASSPHRASE-FILE

FOLDER is the repository of `chatbot backup file:FOLDER`, or a local copy of one in object storage.
"""

import hmac, json, pathlib, re, sys
from base64 import b64decode, urlsafe_b64encode
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

repository = pathlib.Path(sys.argv[1])
passphrase = pathlib.Path(sys.argv[2]).read_bytes().rstrip(b"\r\n")
header = json.loads((repository / "chatbot-store.json").read_bytes())
m, t, p = map(int, re.findall(r"\d+", header["kdf"].split(":")[1]))
salt = b64decode(header["salt"])
root = Argon2id(salt=salt, length=32, iterations=t, lanes=p, memory_cost=m).derive(passphrase)
fernet = Fernet(urlsafe_b64encode(hmac.digest(root, b"chatbot store: seal", "sha256")))


def decrypt(folder, name):
    return json.loads(fernet.decrypt((repository / folder / name).read_bytes()))


names = [file.name for file in (repository / "snapshots").iterdir()]
backups = [decrypt("snapshots", name)["snapshot"] for name in names]
for name in max(backups, key=lambda backup: backup["created_at"])["lists"]:
    for conversation in decrypt("objects", name)["list"]:
        for part in conversation["parts"]:
            for record in decrypt("objects", part)["conversation"]["records"]:
                if "role" in record:
                    print(record["id"], record["n"], record["role"], record["text"])
