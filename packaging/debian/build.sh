#!/bin/sh
# Builds the Debian packages ohia-server and ohia-client into target/deb. Needs cargo-deb: `cargo install cargo-deb --locked`.
#
#   build.sh            of optimised programs, which are built first
#   build.sh --debug    of those that are in target/debug: to look at what is in a package
set -eu
cd "$(dirname "$0")/../.."
case "${1:-}" in
    "") profile=dist; cargo build --locked --profile dist --bin estd --bin est ;;
    --debug) profile=debug ;;
    *) echo "usage: $0 [--debug]" >&2; exit 2 ;;
esac
for program in estd est; do
    made=target/deb/$program
    rm -rf "$made"
    mkdir -p "$made/man"
    "target/$profile/$program" man --out "$made/man"
    gzip -9n "$made"/man/*
    for shell in bash zsh fish; do
        "target/$profile/$program" completions "$shell" >"$made/$shell"
    done
    if [ "$profile" = dist ]; then
        cargo deb --no-build --profile dist --package "$program" --output target/deb
    else
        cargo deb --no-build --profile dev --fast --package "$program" --output target/deb
    fi
done
