#!/usr/bin/env bash
# Builds the program for a package: `contrib/packaging/build.sh [TARGET]`. Cargo's profile is `dist`,
# or what `PROFILE` names. Two builds of one commit with the same toolchain are equal, whatever the
# folder, the user and the time.
set -eu
cd "$(dirname "$0")/../.."

# The compiler of Windows knows folders by other names than its shell.
native() { if command -v cygpath >/dev/null 2>&1; then cygpath -m "$1"; else echo "$1"; fi; }
source=$(native "$PWD")
cargo_home=$(native "${CARGO_HOME:-$HOME/.cargo}")
# Messages of panics name source files. The parts are separated by 0x1f, because a path can contain a
# space.
export CARGO_ENCODED_RUSTFLAGS="--remap-path-prefix=$cargo_home/registry/src=/registry"$'\x1f'"--remap-path-prefix=$source=/chatbot"
# The same for the C of `ring`, which Microsoft's compiler has no option for.
if [ "${OS:-}" != Windows_NT ]; then
  export CFLAGS="${CFLAGS:-} -ffile-prefix-map=$cargo_home/registry/src=/registry"
fi
export CARGO_INCREMENTAL=0

build=(cargo build)
if command -v cargo-auditable >/dev/null 2>&1; then
  # The list of dependencies becomes part of the program; `cargo audit bin` reads it.
  build=(cargo auditable build)
else
  echo "no cargo-auditable: the program will not contain the list of its dependencies" >&2
fi
"${build[@]}" --locked --bin chatbot --profile "${PROFILE:-dist}" ${1:+--target "$1"}
