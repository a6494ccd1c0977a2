#!/bin/sh
# fetch-tgt.sh DIR: unpacks tgtd and tgtadm into DIR. The package is not installed: it would start a target on port 3260.
# Needs root only for the libraries they link to.
set -eu
export DEBIAN_FRONTEND=noninteractive
dir=$(realpath -m "$1")
test ! -x "$dir/usr/sbin/tgtd" || exit 0
rm -rf "$dir"
mkdir -p "$dir"
cd "$dir"
apt-get update -qq
apt-get -qq -o APT::Sandbox::User=root download tgt >/dev/null
dpkg-deb -x tgt_*.deb .
apt-get install -y -qq --no-install-recommends libaio1 libibverbs1 librdmacm1 >/dev/null
usr/sbin/tgtd --version
