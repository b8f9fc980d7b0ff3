#!/usr/bin/env python3
"""The SDK of OpenAI, unchanged, with a token of the proxy in place of a key. It needs `openai`.

    export OPENAI_BASE_URL=http://127.0.0.1:PORT/v1
    export OPENAI_API_KEY=$(chatbot proxy token --ttl 1h)
    openai_sdk.py MODEL "why is the sky blue?"

`chatbot exec -- openai_sdk.py MODEL "why is the sky blue?"` sets both variables by itself.
"""

import sys
from openai import OpenAI

client = OpenAI()
messages = [{"role": "user", "content": sys.argv[2]}]
answer = client.chat.completions.create(model=sys.argv[1], messages=messages)
print(answer.choices[0].message.content)
for chunk in client.chat.completions.create(model=sys.argv[1], messages=messages, stream=True):
    for choice in chunk.choices:
        print(choice.delta.content or "", end="")
print()
