#!/bin/sh
# build.sh DIR: makes DIR/vmlinuz and DIR/initramfs.cpio, a Linux with its kernel target (LIO) and the Python that a data
# process of Lunaport needs, from Debian packages and the pinned wheels. Lunaport itself is added when the VM starts.
# Needs root. The machine it runs on is not touched, but for the packages that build it.
set -eu
export DEBIAN_FRONTEND=noninteractive
here=$(cd "$(dirname "$0")" && pwd)
project=$(realpath "$here/../..")
out=$(realpath -m "$1")
root=$out/root
rm -rf "$root"
mkdir -p "$out"

echo "bench vm: building"
install_tools() { apt-get install -y -qq --no-install-recommends mmdebstrap kmod cpio qemu-system-x86 seabios >/dev/null; }
install_tools || { apt-get update -qq && install_tools; }
sources=/etc/apt/sources.list.d/debian.sources
test -e $sources || sources=/etc/apt/sources.list
codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
# variant=extract: packages are unpacked only, none of their scripts runs
mmdebstrap --quiet --variant=extract --mode=root \
  --include=linux-image-cloud-amd64,busybox-static,kmod,iproute2,python3 "$codename" "$root" $sources

# Of the kernel's modules, keep those the guest loads and what these need.
version=$(ls "$root/lib/modules")
cp "$root/boot/vmlinuz-$version" "$out/vmlinuz"
depmod -b "$root" "$version"
mkdir "$root/lib/kept"
for module in virtio_pci virtio_net qemu_fw_cfg crc32c_intel configfs target_core_mod target_core_file iscsi_target_mod; do
  modprobe -d "$root" -S "$version" -a --show-depends $module 2>/dev/null || :
done | awk '$1 == "insmod" {print $2}' | sort -u | while read -r file; do cp "$file" "$root/lib/kept/"; done
rm -rf "$root/lib/modules/$version/kernel"
mv "$root/lib/kept" "$root/lib/modules/$version/kernel"
depmod -b "$root" "$version"

# What the data process imports, in the versions that the project pins, for the Python of the guest.
python=$(basename "$(ls "$root"/usr/bin/python3.[0-9]*)")
"$project/.venv/bin/pip" install --quiet --disable-pip-version-check --no-compile --only-binary=:all: --target "$root/opt/wheels" \
  --python-version "${python#python}" --constraint "$project/requirements/run.txt" msgspec structlog crc32c cryptography
chroot "$root" "/usr/bin/$python" -m compileall -q -j 0 "/usr/lib/$python" /opt/wheels || :

# Emulated memory is slow to fill: drop what the guest does not read.
libraries=$root/usr/lib/x86_64-linux-gnu
rm -rf "$root/boot" "$root"/var/* "$root"/usr/share/* "$root/lib/udev/hwdb.d" "$root"/usr/bin/perl* "$libraries"/perl* \
  "$libraries/gconv" "$libraries"/libperl.* "$libraries"/libicu* "$libraries"/libdb-* "$root/usr/lib/python3/dist-packages" \
  "$root/usr/lib/$python"/lib2to3 "$root/usr/lib/$python"/distutils "$root/usr/lib/$python"/test
mkdir -p "$root/proc" "$root/sys" "$root/dev" "$root/run" "$root/tmp" "$root/mnt" "$root/root" "$root/etc/target/pr" \
  "$root/etc/target/alua" "$root/var/run" "$root/var/lib" "$root/var/target"
echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"
echo 'root:x:0:' >"$root/etc/group"
ln -sf "$python" "$root/usr/bin/python3"
install -m 755 "$project/tests/vm/init" "$root/init"
(cd "$root" && find . | cpio -o -H newc --quiet) >"$out/initramfs.new"
mv "$out/initramfs.new" "$out/initramfs.cpio"
rm -rf "$root"
