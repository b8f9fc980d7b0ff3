#!/bin/sh
# Shows an alert on the desktop: with `notify-send` on Linux, with Notification Center on macOS. In
# the settings:
#   [alerts]
#   command = ["/path/to/alert-notify.sh"]
#   [children]
#   pass_env = ["DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "WAYLAND_DISPLAY"]
set -eu

alert=$(cat)
field() { printf '%s' "$alert" | jq -r ".alert.$1"; }

case $(field severity) in
  critical) urgency=critical ;;
  notice) urgency=low ;;
  *) urgency=normal ;;
esac
if command -v notify-send >/dev/null; then
  notify-send --app-name=chatbot --urgency="$urgency" chatbot "$(field summary)"
else
  osascript -e 'on run text' -e 'display notification (item 1 of text) with title "chatbot"' \
    -e 'end run' "$(field summary)"
fi
