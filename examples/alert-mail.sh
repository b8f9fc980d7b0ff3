#!/bin/sh
# Mails an alert with the system's `sendmail`. In the settings:
#   [alerts]
#   command = ["/path/to/alert-mail.sh", "you@example.org"]
set -eu

alert=$(cat)
field() { printf '%s' "$alert" | jq -r ".alert.$1" | tr -d '\r\n'; }

{
  printf 'To: %s\nSubject: chatbot: %s\n\n' "$1" "$(field summary)"
  printf 'severity: %s\nkind: %s\nat: %s\n\n' "$(field severity)" "$(field kind)" "$(field at)"
  printf 'chatbot audit alerts lists it; chatbot doctor looks at this machine.\n'
} | sendmail -i -- "$1"
