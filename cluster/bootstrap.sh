#!/usr/bin/env bash
# Installs what alsweep needs from the distribution's packages (Debian 12 or later, Ubuntu 24.04 or
# later), says what it does, and does nothing when all is there. It asks for root only when a package
# is missing.
set -euo pipefail

packages=(
    libzmq3-dev              # coordinator and workers talk through it
    libdnnl-dev              # the classifier's convolutions
    libopenblas-dev          # the Q-network
    libsqlite3-dev           # the journal
    libssl-dev               # checksums
    zlib1g-dev               # dataset files
    libarchive-dev           # archives of datasets
    libcurl4-openssl-dev     # downloads of datasets
    pkg-config               # tells the build where these are
    dataset-fashion-mnist    # real data for the first sweep
    ca-certificates git      # for the Swift packages
    sqlite3                  # for people who look into a journal
)

say() { printf 'bootstrap: %s\n' "$*" >&2; }

is_installed() {
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    say "this is neither Debian nor Ubuntu. Install these by your own package manager, and run the"
    say "command after the && by itself: ${packages[*]}"
    exit 1
fi

missing=()
for package in "${packages[@]}"; do
    is_installed "$package" || missing+=("$package")
done

if [ ${#missing[@]} -gt 0 ]; then
    as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        if ! command -v sudo >/dev/null; then
            say "missing packages: ${missing[*]}"
            say "as root, run: apt-get install -y ${missing[*]}"
            exit 1
        fi
        as_root=(sudo)
        say "root is needed to install packages; sudo may ask for your password"
    fi
    say "installing ${missing[*]}"
    log=$(mktemp)
    trap 'rm -f "$log"' EXIT
    install() {
        "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
            apt-get install -y --no-install-recommends "${missing[@]}" >"$log" 2>&1
    }
    # A machine that never updated its lists, or long ago, does not find the packages.
    if ! install; then
        "${as_root[@]}" apt-get update >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
        if ! install; then
            cat "$log" >&2
            say "apt-get could not install them; its words are above"
            exit 1
        fi
    fi
fi

if ! command -v swift >/dev/null; then
    say "the Swift toolchain is missing: alsweep needs Swift 6.1 or later."
    say "Get it from https://www.swift.org/install/linux (swiftly installs it without root), open a"
    say "new terminal and run this again."
    exit 1
fi
words=$(swift --version 2>&1 || true)
version=$(printf '%s\n' "$words" | sed -n 's/.*Swift version \([0-9]*\.[0-9]*\).*/\1/p' | head -n 1)
if [ -z "$version" ]; then
    say "swift does not run here; its words: $words"
    say "Install the toolchain for this distribution: https://www.swift.org/install/linux"
    exit 1
fi
if [ "$(printf '%s\n6.1\n' "$version" | sort -V | head -n 1)" != 6.1 ]; then
    say "Swift $version is too old: alsweep needs 6.1 or later (https://www.swift.org/install/linux)."
    exit 1
fi
say "all is there (Swift $version)"
