#!/usr/bin/env python3
"""Prints the data key in a recovery copy without chatbot. It needs the package `cryptography`.

    open_recovery.py RECOVERY-FILE PASSPHRASE-FILE

The copy is read twice, from its fields and from its words, and both have to give the same key.
"""

import hashlib, re, sys
from base64 import b64decode, b64encode, urlsafe_b64encode
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

text = open(sys.argv[1]).read()
passphrase = open(sys.argv[2], "rb").read().rstrip(b"\r\n")


def data_key(cost, salt, nonce, sealed):
    name, numbers = cost.split(":")[0], [int(n) for n in re.findall(r"\d+", cost.split(":")[1])]
    if name == "argon2id":
        m, t, p = numbers
        derivation = Argon2id(salt=salt, length=32, iterations=t, lanes=p, memory_cost=m)
        wrapping = derivation.derive(passphrase)
    else:
        wrapping = hashlib.pbkdf2_hmac("sha256", passphrase, salt, numbers[0])
    bound_to = f"chatbot recovery 1\n{cost}\n{b64encode(salt).decode()}\n"
    return AESGCM(wrapping).decrypt(nonce, sealed, bound_to.encode())


def from_fields():
    fields = dict(re.findall(r"^(\w+): (.+)$", text, re.MULTILINE))
    salt, nonce, sealed = (b64decode(fields[name]) for name in ("salt", "nonce", "sealed"))
    return data_key(fields["cost"], salt, nonce, sealed)


def from_words():
    consonants, vowels, content = "bdfghjklmnprstvz", "aiou", b""
    lines = re.findall(r"^ *\d+\. ((?:[a-z]{5} ?){6})$", text, re.MULTILINE)
    for number, line in enumerate(lines):
        decoded = b""
        for word in line.split():
            bits = 0
            for place, letter in enumerate(word):
                letters, width = (vowels, 2) if place % 2 else (consonants, 4)
                bits = bits << width | letters.index(letter)
            decoded += bits.to_bytes(2, "big")
        part, checksum = decoded[:10], decoded[10:]
        assert hashlib.sha256(number.to_bytes(8, "big") + part).digest()[:2] == checksum
        content += part
    figure, passes, lanes = int.from_bytes(content[2:6], "big"), content[6], content[7]
    argon2 = content[1] == 0
    cost = f"argon2id:m={figure},t={passes},p={lanes}" if argon2 else f"pbkdf2:{figure}"
    return data_key(cost, content[8:24], content[24:36], content[36:84])


key = from_fields()
assert from_words() == key
print(urlsafe_b64encode(key).decode())
