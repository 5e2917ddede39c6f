#!/usr/bin/env bash
# Does the archive of cluster/package.sh run on a machine with nothing? Makes a minimal root of a
# distribution, without Swift and without alsweep's libraries, enters it by chroot, and there asks for the
# version, the doctor, and a worker that joins a sweep of this machine and runs all of its trials.
# Takes minutes; needs root, mmdebstrap, binutils and a mirror; leaves nothing behind.
#
#   cluster/check-package.sh ARCHIVE [SUITE MIRROR [KEYRING]]
#
#   cluster/check-package.sh dist/alsweep-*.tar.gz                                    # Debian 12
#   cluster/check-package.sh dist/alsweep-*.tar.gz noble http://archive.ubuntu.com/ubuntu \
#       /usr/share/keyrings/ubuntu-archive-keyring.gpg                                # Ubuntu 24.04
set -euo pipefail

archive=$(realpath "${1:?the archive of cluster/package.sh}")
suite=${2:-bookworm}
mirror=${3:-http://deb.debian.org/debian}
keyring=${4:+--keyring=$4}
sweep=$(realpath "$(dirname "$0")/../sweeps/quick.yaml")
say() { printf 'check-package: %s\n' "$*" >&2; }

if [ "$(id -u)" -ne 0 ]; then
    say "only root can make a distribution's root and enter it"
    exit 1
fi
for program in mmdebstrap objdump; do
    command -v "$program" >/dev/null ||
        { say "$program is missing: apt-get install mmdebstrap binutils"; exit 1; }
done

work=$(mktemp -d)
launch=
cleanup() {
    if [ -n "$launch" ]; then kill -TERM "$launch" 2>/dev/null || true; wait "$launch" || true; fi
    if mountpoint -q "$work/root/proc"; then umount "$work/root/proc"; fi
    rm -rf --one-file-system "$work"
}
trap cleanup EXIT

mkdir "$work/archive"
tar -C "$work/archive" --strip-components=1 -xzf "$archive"
(cd "$work/archive" && sha256sum --quiet -c SHA256SUMS)
say "its files need" "$(find "$work/archive/bin" "$work/archive/lib" -type f -exec objdump -T {} + |
    grep -o 'GLIBC_[0-9.]*' | sort -uV | tail -n 1)"

say "making a root of $suite"
mmdebstrap --quiet --variant=essential $keyring "$suite" "$work/root" "$mirror"
mount -t proc proc "$work/root/proc"
mkdir -p "$work/root/opt/alsweep"
cp -r "$work/archive/." "$work/root/opt/alsweep/"
images=/usr/share/datasets/fashion-mnist
mkdir -p "$work/root$images"
cp -rL "$images/." "$work/root$images/"
inside() { chroot "$work/root" /usr/bin/env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"; }
alsweep=/opt/alsweep/bin/alsweep

say "in $(inside sh -c '. /etc/os-release; echo "$PRETTY_NAME"'):"
inside "$alsweep" --version
inside "$alsweep" doctor

say "a worker there joins a sweep of this machine"
"$work/archive/bin/alsweep" launch "$sweep" --slots 0 --runs "$work/runs" \
    >"$work/tables" 2>"$work/launch.log" &
launch=$!
until endpoint=$(cat "$work"/runs/*/endpoint 2>/dev/null); do
    kill -0 "$launch" 2>/dev/null || { cat "$work/launch.log" >&2; exit 1; }
    sleep 0.2
done
inside "$alsweep" worker --connect "$endpoint"
wait "$launch" || { launch=; cat "$work/launch.log" >&2; exit 1; }
launch=
cat "$work/tables"
say "all of it ran"
