#!/bin/sh
# build-fio.sh DIR: builds DIR/fio from Debian's source package, with the libiscsi engine that Debian leaves out.
# Needs root, for the build's packages.
set -eu
export DEBIAN_FRONTEND=noninteractive
dir=$(realpath -m "$1")
work=$dir/build
rm -rf "$work"
mkdir -p "$work/lists/partial"
cd "$work"

# Source packages are seldom switched on, so this asks for them apart from the machine's own apt configuration.
if test -e /etc/apt/sources.list.d/debian.sources; then
  sources=$work/debian.sources
  sed 's/^Types:.*/Types: deb-src/' /etc/apt/sources.list.d/debian.sources >"$sources"
else
  sources=$work/debian.list
  sed -n 's/^deb\(-src\)\? /deb-src /p' /etc/apt/sources.list | sort -u >"$sources"
fi
apt_src() {
  apt-get -qq -o Dir::Etc::sourcelist="$sources" -o Dir::Etc::sourceparts=/dev/null -o Dir::State::lists="$work/lists" \
    -o APT::Sandbox::User=root "$@"
}

echo "fio: building"
install_tools() {
  apt-get install -y -qq --no-install-recommends gcc make dpkg-dev pkg-config libc6-dev zlib1g-dev libaio-dev libiscsi-dev \
    >/dev/null
}
install_tools || { apt-get update -qq && install_tools; }
apt_src update
apt_src source fio >source.log 2>&1 || { cat source.log >&2; exit 1; }
cd fio-*/
./configure --enable-libiscsi >configure.log
make -j"$(nproc)" >make.log 2>&1 || { tail -20 make.log >&2; exit 1; }
./fio --enghelp | grep -q libiscsi || { echo "fio was built without libiscsi" >&2; exit 1; }
mv fio "$dir/fio"
rm -rf "$work"
