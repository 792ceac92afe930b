#!/usr/bin/env bash
# Installs what the tests need, then runs formatting, lints, tests with real peers, doc tests, examples, fuzzing and
# instruction counts. Needs Rust and Debian 12 (elsewhere: install the packages below by your own means).
#
#   ./test.sh            everything
#   ./test.sh --quick    without installing, fuzzing and counting instructions
set -euo pipefail
cd "$(dirname "$0")"

quick=false
case "${1:-}" in
    "") ;;
    --quick) quick=true ;;
    *) echo "usage: $0 [--quick]" >&2; exit 2 ;;
esac

step() { printf '\n\033[1m== %s\033[0m\n' "$*"; }

# Package and a program or file that it brings.
packages=(
    "gcc=gcc" "libc6-dev=/usr/include/stdio.h" "make=make" "cmake=cmake"
    "curl=curl" "openssl=openssl" "sqlite3=sqlite3" "jq=jq" "procps=ps" "util-linux=prlimit"
    "postgresql=/usr/lib/postgresql/15/bin/initdb" "mariadb-server=/usr/sbin/mariadbd"
    "strongswan-pki=pki" "libstrongswan-standard-plugins=/usr/lib/ipsec/plugins/libstrongswan-openssl.so"
    "libstrongswan-extra-plugins=/usr/lib/ipsec/plugins/libstrongswan-curl.so"
    "rsyslog=/usr/sbin/rsyslogd" "rsyslog-gnutls=/usr/lib/x86_64-linux-gnu/rsyslog/lmnsd_gtls.so"
    "chromium=chromium" "chromium-driver=chromedriver"
    "systemd=systemd-analyze" "bsdutils=script" "mandoc=mandoc" "faketime=faketime"
    "nginx-light=nginx" "haproxy=haproxy" "prometheus=promtool" "freeradius=freeradius" "eapoltest=eapol_test"
    "valgrind=valgrind" "python3=python3" "python3-venv=/usr/lib/python3.11/ensurepip/__init__.py"
    "gnutls-bin=certtool" "libnss3-tools=certutil" "libmbedtls-dev=/usr/include/mbedtls/x509_csr.h"
    "default-jdk-headless=javac" "libbcpkix-java=/usr/share/java/bcpkix.jar"
    "php-cli=php" "php-phpseclib3=/usr/share/php/phpseclib3/autoload.php" "ruby=ruby" "golang-go=go"
    "nodejs=node" "npm=npm"
    "libbctls-java=/usr/share/java/bctls.jar" "libwolfssl-dev=/usr/include/wolfssl/options.h" "certbot=certbot"
)
install_peers() {
    local missing=() entry
    for entry in "${packages[@]}"; do
        local what="${entry#*=}"
        if [[ $what == /* ]]; then [[ -e $what ]] || missing+=("${entry%%=*}")
        else command -v "$what" >/dev/null || missing+=("${entry%%=*}"); fi
    done
    [[ ${#missing[@]} -eq 0 ]] && return
    if ! command -v apt-get >/dev/null; then
        echo "These are missing, and there is no apt-get to install them: ${missing[*]}" >&2
        echo "Tests that need them will be skipped by name." >&2
        return
    fi
    local sudo=()
    [[ $(id -u) -eq 0 ]] || sudo=(sudo)
    echo "Installing with apt-get: ${missing[*]}"
    # Some maintainer scripts lose their temporary files under the default folder.
    local scratch
    scratch=$(mktemp -d -p /var/tmp)
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive TMPDIR="$scratch" apt-get update -qq
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive TMPDIR="$scratch" \
        apt-get install -y -qq --no-install-recommends "${missing[@]}" ||
        "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive TMPDIR="$scratch" apt-get -y --fix-broken install
    rm -rf "$scratch"
}

# Python libraries that check ours, in an environment of their own.
libraries=("pkilint==0.13.3" "cryptography==50.0.2" "pyasn1-alt-modules==0.4.10" "jsonschema==4.26.0"
    "schemathesis==4.32.5" "prometheus-client==0.26.0" "acme2certifier==0.46.3")
install_python_peers() {
    local venv=target/peers/venv
    [[ "$(cat "$venv/installed" 2>/dev/null)" == "${libraries[*]}" ]] && return
    [[ -n ${OHIA_PYTHON:-} ]] && return
    echo "Installing with pip: ${libraries[*]}"
    rm -rf "$venv"
    if python3 -m venv "$venv" && "$venv/bin/pip" install --quiet --disable-pip-version-check "${libraries[@]}"; then
        echo "${libraries[*]}" >"$venv/installed"
    else
        echo "Could not be installed: tests that need them will be skipped by name." >&2
    fi
}

# Packages for Node whose requests are issued, in a folder of their own.
modules=("node-forge@1.4.0" "pkijs@3.2.4" "asn1js@3.0.5")
install_node_peers() {
    local folder=target/peers/npm
    [[ "$(cat "$folder/installed" 2>/dev/null)" == "${modules[*]}" ]] && return
    [[ -n ${OHIA_NODE_MODULES:-} ]] && return
    echo "Installing with npm: ${modules[*]}"
    rm -rf "$folder"
    mkdir -p "$folder"
    if npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$folder" "${modules[@]}"; then
        echo "${modules[*]}" >"$folder/installed"
    else
        echo "Could not be installed: tests that need them will be skipped by name." >&2
    fi
}

# What makes the Debian packages; unoptimised, which takes half a minute.
install_cargo_deb() {
    command -v cargo-deb >/dev/null || ! command -v dpkg >/dev/null && return
    echo "Installing with cargo: cargo-deb 3.8.0"
    cargo install cargo-deb --version 3.8.0 --locked --debug --quiet ||
        echo "Could not be installed: tests that need it will be skipped by name." >&2
}

if ! $quick; then
    step "Packages"
    install_peers
    install_python_peers
    install_node_peers
    install_cargo_deb
fi

# A client with many packages of its own, built beside ours.
build_usg() {
    cargo build --manifest-path bins/estd/tests/peers/usg/Cargo.toml --target-dir target/peers/usg --locked --quiet ||
        echo "usg-est-client could not be built: tests that need it will be skipped by name." >&2
}

step "Formatting"
cargo fmt --all --check
cargo fmt --manifest-path fuzz/Cargo.toml --check
cargo fmt --manifest-path bins/estd/tests/peers/usg/Cargo.toml --check

step "Lints"
cargo clippy --workspace --all-targets --all-features -- -D warnings

step "Documentation"
RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items --quiet
cargo test --workspace --doc --quiet

step "Without std, and without database servers"
cargo check -p est-core --no-default-features --quiet
cargo clippy -p est-store --no-default-features --quiet -- -D warnings

if ! $quick; then
    step "Fuzzing, some seconds a target"
    cargo run --manifest-path fuzz/Cargo.toml --release --quiet --bin smoke -- --seconds "${FUZZ_SECONDS:-4}"

    step "Instruction counts"
    if command -v valgrind >/dev/null; then
        runner=$(cargo metadata --format-version 1 --locked | jq -r '.packages[] | select(.name == "gungraun") | .version')
        if [[ "$(gungraun-runner --version 2>/dev/null | awk '{ print $NF }')" != "$runner" ]]; then
            echo "Installing with cargo: gungraun-runner $runner"
            cargo install gungraun-runner --version "$runner" --locked --quiet
        fi
        cargo bench -p benches
    else
        echo "skipped: valgrind is not installed"
    fi
fi

# The binaries first: some tests run the ones of other packages.
step "Build"
cargo build --workspace --all-features --bins --examples
$quick || build_usg

# The tests come last: the line that counts them is the last thing to read.
step "Tests"
# How long servers are killed under load; ten minutes before a release.
$quick || export OHIA_SOAK_SECONDS="${OHIA_SOAK_SECONDS:-120}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
cargo test --workspace --all-features --all-targets --no-fail-fast 2>&1 | tee "$log"
awk '/^test result:/ { passed += $4; failed += $6; skipped += $8 }
     END { printf "\n%d passed, %d failed, %d skipped\n", passed, failed, skipped }' "$log"
