#!/bin/sh
# Sends requests through the proxy, signed. It never sees an API key.
#
#     chatbot proxy token --scope chat,mint --ttl 1d > minting-token
#     echo '{"model":"MODEL","messages":[{"role":"user","content":"hello"}]}' |
#       CHATBOT_PROXY=http://127.0.0.1:PORT proxy_client.sh minting-token
#
# Each line of standard input is the body of a request, each line of the output an answer. It needs
# curl. Tokens are no arguments of programs, which other users of the machine can see: `printf` is
# built into the shell, and curl reads headers from standard input.
set -eu
minting_token=$(cat "$1")
ttl=${PROXY_TOKEN_TTL:-600}
refresh_seconds=30
path=/v1/chat/completions
ends=0

post() { # path, body; standard input: headers
  curl --silent --show-error --fail-with-body --noproxy '*' --header @- \
    --header 'content-type: application/json' --data-binary "$2" "$CHATBOT_PROXY$1"
}

padded_token() { # the 64 bytes of the key of an HMAC, each changed by $1
  padding=64
  for byte in $(printf %s "$token" | od -An -v -tu1); do
    printf "\\$(printf %03o $((byte ^ $1)))"
    padding=$((padding - 1))
  done
  while [ $padding -gt 0 ]; do
    printf "\\$(printf %03o "$1")"
    padding=$((padding - 1))
  done
}

from_hex() {
  for byte in $(printf %s "$1" | fold -w 2); do printf "\\$(printf %03o "0x$byte")"; done
}

digest() { sha256sum | cut -c 1-64; }

hmac() { # the HMAC-SHA256 of $1 with the token, whose length is 64 at most
  inner=$({ padded_token 54 && printf %s "$1"; } | digest)
  { padded_token 92 && from_hex "$inner"; } | digest
}

refresh() { # a new token shortly before the old one ends
  now=$(date +%s)
  if [ "$now" -lt $((ends - refresh_seconds)) ]; then return; fi
  wanted="{\"name\":\"shell-example\",\"scopes\":[\"chat\"],\"ttl_s\":$ttl,\"signed\":true}"
  made=$(printf 'authorization: Bearer %s\n' "$minting_token" | post /api/token "$wanted")
  token=$(printf %s "$made" | sed 's/.*"token":"\([^"]*\)".*/\1/')
  id=$(printf %s "$made" | sed 's/.*"id":"\([^"]*\)".*/\1/')
  ends=$((now + ttl))
}

while IFS= read -r body; do
  refresh
  time=$(date +%s)
  nonce=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
  body_digest=$(printf %s "$body" | digest)
  text=$(printf 'chatbot-proxy-v1\nPOST\n%s\n%s\n%s\n%s' $path "$time" "$nonce" "$body_digest")
  signature=$(hmac "$text")
  printf 'x-chatbot-token: %s\nx-chatbot-time: %s\nx-chatbot-nonce: %s\nx-chatbot-signature: %s\n' \
    "$id" "$time" "$nonce" "$signature" | post $path "$body"
  echo
done
