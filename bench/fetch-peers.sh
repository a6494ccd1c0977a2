#!/bin/sh
# fetch-peers.sh DIR: unpacks tgtd, tgtadm and istgt into DIR and builds floor.so there. The packages are not installed:
# they would start targets on port 3260. Needs root only for the libraries they link to, and for the compiler.
set -eu
export DEBIAN_FRONTEND=noninteractive
source=$(realpath "$(dirname "$0")")/floor.c
dir=$(realpath -m "$1")
mkdir -p "$dir"
cd "$dir"
if ! test -x usr/sbin/tgtd || ! test -x usr/sbin/istgt; then
  rm -f ./*.deb
  apt-get -o DPkg::Lock::Timeout=120 update -qq
  apt-get -qq -o APT::Sandbox::User=root download tgt istgt >/dev/null
  for package in ./*.deb; do dpkg-deb -x "$package" .; done
  apt-get -o DPkg::Lock::Timeout=120 install -y -qq --no-install-recommends libaio1 libibverbs1 librdmacm1 libssl3 gcc libc6-dev >/dev/null
  echo "tgtd $(usr/sbin/tgtd --version)"
fi
if ! test floor.so -nt "$source"; then
  gcc -O2 -Wall -Wextra -Werror -shared -fPIC -o floor.so "$source"
fi
