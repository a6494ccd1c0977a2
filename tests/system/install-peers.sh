#!/bin/sh
# install-peers.sh: puts the real initiators on this machine, from Debian's packages and sources, as far as it can.
# It does not fail: a test says which peer it misses (and, where CI is set, fails for it).
set -eu
export DEBIAN_FRONTEND=noninteractive

missing=
need() { # need COMMAND PACKAGE...
  command -v "$1" >/dev/null || { shift; missing="$missing $*"; }
}
PATH=$PATH:/usr/sbin:/sbin
need iscsi-ls libiscsi-bin
need qemu-img qemu-utils
need mke2fs e2fsprogs
need qemu-system-x86_64 qemu-system-x86 seabios
need curl curl
need jq jq
need zsh zsh
need fish fish
need xorriso xorriso
need grub-mkrescue grub-common grub-pc-bin
need fusermount3 fuse3
need faketime faketime
need ip iproute2
need systemd-analyze systemd
need isnsd open-isns-server
need promtool prometheus
need chromium chromium
need isnsadm open-isns-utils
need sg_vpd sg3-utils
test -e /usr/lib/x86_64-linux-gnu/qemu/block-iscsi.so || missing="$missing qemu-block-extra"

can_install=
if test "$(id -u)" = 0 && command -v apt-get >/dev/null; then can_install=yes; fi

if test -n "$missing"; then
  if test -z "$can_install"; then
    echo "peers: not root, so these stay missing:$missing" >&2
  else
    echo "peers: installing$missing"
    apt-get update -qq || :
    # word splitting is wanted: one word a package
    # shellcheck disable=SC2086
    apt-get install -y -qq --no-install-recommends $missing >/dev/null || echo "peers: apt-get could not install:$missing" >&2
    # The package starts a server for the whole network; the tests start their own.
    case $missing in
    *open-isns-server*) if test -d /run/systemd/system; then systemctl --quiet disable --now isnsd.service || :; fi ;;
    esac
    case $missing in
    *prometheus*) if test -d /run/systemd/system; then systemctl --quiet disable --now prometheus.service || :; fi ;;
    esac
  fi
fi

for built in fio vm; do
  if make --question $built 2>/dev/null; then
    :
  elif test -n "$can_install"; then
    make --no-print-directory $built || echo "peers: $built could not be built" >&2
  else
    echo "peers: not root, so $built stays unbuilt" >&2
  fi
done
