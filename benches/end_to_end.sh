#!/usr/bin/env bash
# Measures a whole server with `est bench`, beside OpenSSL's own figures from the same run, and prints Markdown.
# Reports only; nothing fails for being slow. Needs curl, jq, openssl, procps and some minutes for the `dist` build.
#
#   benches/end_to_end.sh [SECONDS]
set -euo pipefail
cd "$(dirname "$0")/.."
seconds="${1:-8}"

cargo build --profile dist --quiet -p estd -p est
bin="${CARGO_TARGET_DIR:-$PWD/target}/dist"
folder=$(mktemp -d -p "${BENCH_FOLDER:-$PWD}" .bench-XXXXXX)
trap 'kill "$server" 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"

"$bin/estd" init pki >/dev/null
printf '\n[limits]\nprincipal_requests_per_second = 1000000\n' >>pki/estd.toml
"$bin/estd" dev --dir pki --listen 127.0.0.1:0 >printed 2>log &
server=$!
until grep -q "Stop with" printed; do kill -0 "$server"; sleep 0.05; done
url=$(sed -n 's/^listening on https:\/\/127.0.0.1/https:\/\/localhost/p' printed)
"$bin/estd" otp create --config pki/estd.toml >password
"$bin/est" enroll --server "$url" --cacert pki/ca.pem --user bench --password-file password \
    --subject CN=bench --san DNS:bench.example --key-out device.key --out device.pem >/dev/null 2>&1

hertz=$(getconf CLK_TCK)
cpu() { awk -v hertz="$hertz" '{ print ($14 + $15) * 1000000 / hertz }' "/proc/$server/stat"; }
measure() {
    local before after
    before=$(cpu)
    "$bin/est" bench --server "$url" --cacert pki/ca.pem --cert device.pem --key device.key \
        --duration "${seconds}s" --json "$@" 2>/dev/null >result.json
    after=$(cpu)
    jq -r --arg cpu "$(awk "BEGIN { print $after - $before }")" \
        '"\(.rate_per_s | floor) | \(.latency_ms.p50) | \(.latency_ms.p99) | \(($cpu | tonumber) / .enrollments | floor) | \(.failures.total)"' result.json
}

speed=$(openssl speed -seconds 2 ecdsap256 2>/dev/null | tail -n 1)
read -r sign verify < <(awk '{ print 1000000 / $(NF-1), 1000000 / $NF }' <<<"$speed")
floor=$(awk "BEGIN { printf \"%.0f\", $sign + $verify }")

echo "| Load, 32 at a time | enrollments/s | p50 ms | p99 ms | server CPU µs each | failures |"
echo "| --- | ---: | ---: | ---: | ---: | ---: |"
kept=$(measure)
echo "| connections kept alive | $kept |"
echo "| a new TLS 1.3 connection each, with client certificate | $(measure --new-connections) |"
echo
printf 'OpenSSL, one core: ECDSA P-256 sign %.1f µs, verify %.1f µs; the two together %s µs.\n' "$sign" "$verify" "$floor"
awk -F' \\| ' -v floor="$floor" '{ printf "Server CPU of a kept-alive enrollment: %.2f times that.\n", $4 / floor }' <<<"$kept"
echo "Resident after the load: $(awk '/VmRSS/ { print int($2 / 1024) }' "/proc/$server/status") MiB, at most $(awk '/VmHWM/ { print int($2 / 1024) }' "/proc/$server/status") MiB."
