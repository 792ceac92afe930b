#!/usr/bin/env bash
# Measures what guessing passwords at full speed leaves to those who enroll with a certificate, and prints Markdown.
# Reports only; nothing fails for being slow. Needs curl, jq and some minutes for the `dist` build.
#
#   benches/guessing.sh [SECONDS]
set -euo pipefail
cd "$(dirname "$0")/.."
seconds="${1:-8}"

cargo build --profile dist --quiet -p estd -p est
bin="${CARGO_TARGET_DIR:-$PWD/target}/dist"
folder=$(mktemp -d -p "${BENCH_FOLDER:-$PWD}" .bench-XXXXXX)
server="" guessers=""
trap 'kill $guessers $server 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"

"$bin/estd" init pki >/dev/null
# Whoever guesses comes from many addresses, or with patience: no lockout helps, each guess costs its hash.
printf '\n[audit]\n[limits]\nprincipal_requests_per_second = 1000000\nrequests_per_second = 1000000\n' >>pki/estd.toml
sed -i 's/^\[otp\]$/[otp]\nmax_failures = 1000/' pki/estd.toml
"$bin/estd" run --config pki/estd.toml --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0 >printed 2>log &
server=$!
until grep -q "^listening on" printed; do kill -0 "$server"; sleep 0.05; done
url=$(sed -n 's/^listening on https:\/\/127.0.0.1/https:\/\/localhost/p' printed)
"$bin/estd" otp create --config pki/estd.toml >password
"$bin/est" enroll --server "$url" --cacert pki/ca.pem --user bench --password-file password \
    --subject CN=bench --san DNS:bench.example --key-out device.key --out device.pem >/dev/null 2>&1

measure() {
    "$bin/est" bench --server "$url" --cacert pki/ca.pem --cert device.pem --key device.key \
        --duration "${seconds}s" --json 2>/dev/null |
        jq -r --argjson quiet "${quiet:-null}" '(.rate_per_s | floor) as $rate | ($quiet // $rate) as $quiet |
            "\($rate) | \($rate * 100 / $quiet | round) % | \(.latency_ms.p50) | \(.latency_ms.p99) | \(.failures.total)"'
}
# So many at a time, each from an address and with a user name that few others have.
guess() {
    local at="$1" each
    for each in $(seq 1 "$at"); do
        for try in $(seq 1 200); do
            printf 'url = "%s/.well-known/est/simpleenroll"\nuser = "user-%s-%s:0000000%s.%s"\n' \
                "$url" "$each" "$try" "$(printf %03d "$try")" 00000000000000000000
            printf 'interface = "127.0.%s.%s"\ncacert = "pki/ca.pem"\ndata = "AAAA"\noutput = "/dev/null"\n' \
                "$((each / 200 + 1))" "$((each % 200 + 1))"
            printf 'header = "Content-Type: application/pkcs10"\nnext\n'
        done >"guess-$each"
    done
    for each in $(seq 1 "$at"); do
        curl --silent --config "guess-$each" >/dev/null 2>&1 &
        guessers="$guessers $!"
    done
}

# Each of which cost a hash.
rejected() { grep -c 'reason="password-rejected"' log || true; }

echo "| Guessers at a time | enrollments/s by certificate | of the quiet figure | p50 ms | p99 ms | failures | hashes/s |"
echo "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"
alone=$(measure)
quiet="${alone%% *}"
echo "| 0 | $alone | 0 |"
# More than exchanges may run: 64 for each core, unless the configuration says otherwise.
for at in 8 64 $((300 > $(nproc) * 150 ? 300 : $(nproc) * 150)); do
    before=$(rejected)
    guess "$at"
    under=$(measure)
    echo "| $at | $under | $((($(rejected) - before) / seconds)) |"
    kill $guessers 2>/dev/null || true
    wait $guessers 2>/dev/null || true
    guessers=""
    rm -f guess-*
done
