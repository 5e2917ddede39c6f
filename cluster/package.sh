#!/usr/bin/env bash
# Builds one archive that runs on a machine with neither Swift nor alsweep's libraries: the program
# with Swift's runtime inside, and beside it the shared libraries that it was built with, all but
# glibc's. It runs where glibc is at least as new as here (built on Debian 12: also Ubuntu 24.04).
#
#   cluster/package.sh [FOLDER]      writes FOLDER/alsweep-VERSION-linux-MACHINE.tar.gz and its
#                                    .sha256; default: dist
set -euo pipefail
cd "$(dirname "$0")/.."

target=${1:-dist}
say() { printf 'package: %s\n' "$*" >&2; }

flags=(
    -c release --product alsweep --static-swift-stdlib
    # RPATH, unlike RUNPATH, also serves the libraries that libraries need.
    -Xlinker -rpath -Xlinker '$ORIGIN/../lib' -Xlinker --disable-new-dtags
)
say "building"
swift build "${flags[@]}"
program=$(swift build "${flags[@]}" --show-bin-path)/alsweep
version=$("$program" --version)
name=alsweep-$version-linux-$(uname -m)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/$name
mkdir -p "$root/bin" "$root/lib" "$root/cluster"
cp "$program" "$root/bin/alsweep"
strip "$root/bin/alsweep"

# Of glibc there may be one only, the machine's own.
glibc='^(ld-linux.*|libc|libm|libdl|librt|libpthread|libresolv|libutil|libanl|libnss_.*|linux-vdso)\.so'
ldd "$program" | grep -q 'not found' && { ldd "$program" >&2; say "a library is missing here"; exit 1; }
ldd "$program" | awk '$3 ~ /^\// { print $1, $3 }' | sort | while read -r library path; do
    if [[ $library =~ $glibc ]]; then continue; fi
    cp -L "$path" "$root/lib/$library"
    real=$(readlink -f "$path")
    # Where /lib is a link to /usr/lib, packages own the file under either name.
    owner=$(dpkg-query -S "$real" "${real#/usr}" 2>/dev/null | head -n 1 | sed 's/: .*//') || true
    printf '%s\t%s\n' "$library" \
        "$([ -n "$owner" ] && dpkg-query -W -f='${source:Package} ${Version}' "$owner" || echo unknown)"
done > "$root/LIBRARIES"

cp -r sweeps README.md "$root/"
cp cluster/*.yaml "$root/cluster/"
cp -r cluster/systemd "$root/cluster/"
# Where there are GPUs the plug-in for them is built, against that machine's PyTorch.
cp cluster/build-torch-engine.sh "$root/cluster/"
mkdir -p "$root/Sources/CTorchEngine" "$root/docs"
cp -r Sources/CTorchEngine/include Sources/CTorchEngine/plugin "$root/Sources/CTorchEngine/"
cp docs/gpu.md "$root/docs/"
(cd "$root" && find . -type f ! -name SHA256SUMS -printf '%P\n' | sort | xargs sha256sum > SHA256SUMS)

# The program finds its libraries beside itself, and nowhere else.
outside=$(env -i "$(command -v ldd)" "$root/bin/alsweep" | awk '$3 ~ /^\// { print $1, $3 }' |
    grep -vF "$root/" | grep -vE "$glibc" || true)
if [ -n "$outside" ]; then
    say "these libraries are not in the archive: $outside"
    exit 1
fi
env -i "$root/bin/alsweep" --version >/dev/null

mkdir -p "$target"
tar -C "$work" --sort=name --owner=0 --group=0 --numeric-owner -czf "$target/$name.tar.gz" "$name"
(cd "$target" && sha256sum "$name.tar.gz" > "$name.tar.gz.sha256")
say "$target/$name.tar.gz, $(du -h "$target/$name.tar.gz" | cut -f 1)," \
    "$(wc -l < "$root/LIBRARIES") libraries beside a program of $(du -h "$root/bin/alsweep" | cut -f 1)"
