#!/usr/bin/env bash
# Makes what a package contains besides the program: `contrib/packaging/files.sh PROGRAM [TARGET]`.
# Manual pages, completions and the licences of the dependencies are written to `target/package`.
set -eu
cd "$(dirname "$0")/../.."

program=$(realpath "$1")
target=${2:-$(rustc -vV | sed -n 's/^host: //p')}
folder="$PWD/target/package"
rm -rf "$folder"
mkdir -p "$folder/man" "$folder/completions"
# The program must find no settings and no variables of the person who makes the package.
run() { env -i HOME="$folder/home" PATH="$PATH" "$program" "$@"; }
run man "$folder/man"
run completions bash >"$folder/completions/chatbot.bash"
run completions zsh >"$folder/completions/_chatbot"
run completions fish >"$folder/completions/chatbot.fish"
run completions powershell >"$folder/completions/_chatbot.ps1"
rm -rf "${folder:?}/home"
chmod 644 "$folder"/*/*
cargo metadata --locked --format-version 1 --filter-platform "$target" |
  python3 contrib/packaging/notices.py >"$folder/THIRD-PARTY-NOTICES"
