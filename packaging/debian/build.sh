#!/bin/sh
# Builds the Debian packages ohia-server and ohia-client into target/deb. Needs cargo-deb: `cargo install cargo-deb --locked`.
set -eu
cd "$(dirname "$0")/../.."
cargo build --locked --profile dist --bin estd --bin est
for program in estd est; do
    made=target/deb/$program
    rm -rf "$made"
    mkdir -p "$made/man"
    "target/dist/$program" man --out "$made/man"
    gzip -9n "$made"/man/*
    for shell in bash zsh fish; do
        "target/dist/$program" completions "$shell" >"$made/$shell"
    done
    cargo deb --no-build --profile dist --package "$program" --output target/deb
done
