#!/usr/bin/env python3
"""Asks a model through the proxy with signed requests. It never sees an API key.

    chatbot proxy token --scope chat,mint --ttl 1d > minting-token
    CHATBOT_PROXY=http://127.0.0.1:PORT proxy_client.py minting-token MODEL "why is the sky blue?"

Each further argument is another question. PROXY_TOKEN_TTL is the life of its own tokens in seconds.
"""

import hashlib, hmac, json, os, secrets, sys, time, urllib.request

REFRESH_SECONDS = 30


def sign(token, method, path, seconds, nonce, body):
    """The signature of a request: HMAC-SHA256 with the token as its key."""
    digest = hashlib.sha256(body).hexdigest()
    text = f"chatbot-proxy-v1\n{method}\n{path}\n{seconds}\n{nonce}\n{digest}"
    return hmac.new(token.encode(), text.encode(), "sha256").hexdigest()


class ProxyClient:
    def __init__(self, address, minting_token, ttl=600):
        self.address, self.minting_token, self.ttl = address, minting_token, ttl
        self.ends = 0

    def post(self, path, body, headers):
        headers = {"content-type": "application/json", **headers}
        request = urllib.request.Request(self.address + path, body, headers, method="POST")
        # A proxy for the internet must not see requests to this machine.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request) as answer:
            return json.load(answer)

    def refresh(self):
        """Gets a new token shortly before the old one ends."""
        if time.monotonic() < self.ends - REFRESH_SECONDS:
            return
        wanted = {"name": "python-example", "scopes": ["chat"], "ttl_s": self.ttl, "signed": True}
        asked_at = time.monotonic()
        bearer = {"authorization": f"Bearer {self.minting_token}"}
        made = self.post("/api/token", json.dumps(wanted).encode(), bearer)
        self.id, self.token, self.ends = made["id"], made["token"], asked_at + self.ttl

    def ask(self, model, question):
        self.refresh()
        path = "/v1/chat/completions"
        messages = [{"role": "user", "content": question}]
        body = json.dumps({"model": model, "messages": messages}).encode()
        seconds, nonce = str(int(time.time())), secrets.token_hex(16)
        signature = sign(self.token, "POST", path, seconds, nonce, body)
        answer = self.post(path, body, {
            "x-chatbot-token": self.id,
            "x-chatbot-time": seconds,
            "x-chatbot-nonce": nonce,
            "x-chatbot-signature": signature,
        })
        return answer["choices"][0]["message"]["content"]


if __name__ == "__main__":
    minting_token = open(sys.argv[1], encoding="utf-8").read().strip()
    ttl = int(os.environ.get("PROXY_TOKEN_TTL", "600"))
    client = ProxyClient(os.environ["CHATBOT_PROXY"], minting_token, ttl)
    for question in sys.argv[3:]:
        print(client.ask(sys.argv[2], question))
