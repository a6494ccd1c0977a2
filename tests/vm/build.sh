#!/bin/sh
# build.sh DIR: makes DIR/vmlinuz and DIR/initramfs.cpio, a Linux with its kernel iSCSI initiator, from Debian packages.
# Needs root. The machine it runs on is not touched, but for the packages that build it.
set -eu
export DEBIAN_FRONTEND=noninteractive
here=$(cd "$(dirname "$0")" && pwd)
out=$(realpath -m "$1")
root=$out/root
rm -rf "$root"
mkdir -p "$out"

echo "vm: building"
install_tools() { apt-get install -y -qq --no-install-recommends mmdebstrap kmod cpio >/dev/null; }
install_tools || { apt-get update -qq && install_tools; }
sources=/etc/apt/sources.list.d/debian.sources
test -e $sources || sources=/etc/apt/sources.list
codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
# variant=extract: packages are unpacked only, none of their scripts runs
mmdebstrap --quiet --variant=extract --mode=root \
  --include=linux-image-cloud-amd64,busybox-static,kmod,e2fsprogs,open-iscsi,sg3-utils,sdparm,xfsprogs,multipath-tools,udev \
  "$codename" "$root" $sources

# Of the kernel's modules, keep those the guests load and what these need.
version=$(ls "$root/lib/modules")
cp "$root/boot/vmlinuz-$version" "$out/vmlinuz"
depmod -b "$root" "$version"
mkdir "$root/lib/kept"
for module in virtio_pci virtio_net qemu_fw_cfg iscsi_tcp sd_mod sg crc32c_intel xfs dm_multipath dm_service_time; do
  modprobe -d "$root" -S "$version" -a --show-depends $module 2>/dev/null || :
done | awk '$1 == "insmod" {print $2}' | sort -u | while read -r file; do cp "$file" "$root/lib/kept/"; done
rm -rf "$root/lib/modules/$version/kernel"
mv "$root/lib/kept" "$root/lib/modules/$version/kernel"
depmod -b "$root" "$version"

# Emulated memory is slow to fill: drop what no guest reads.
libraries=$root/usr/lib/x86_64-linux-gnu
rm -rf "$root/boot" "$root"/var/* "$root"/usr/share/* "$root/lib/udev/hwdb.d" "$root"/usr/lib/python3* "$root/usr/lib/klibc" \
  "$root"/usr/bin/perl* "$root"/usr/bin/python3* "$libraries"/perl* "$libraries/gconv" \
  "$libraries"/libperl.* "$libraries"/libicu* "$libraries"/libsqlite3.* "$libraries"/libstdc++.* "$libraries"/libdb-*
mkdir -p "$root/proc" "$root/sys" "$root/dev" "$root/run" "$root/tmp" "$root/mnt" "$root/root" "$root/etc/iscsi" \
  "$root/var/run" "$root/var/lib"
echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"
echo 'root:x:0:' >"$root/etc/group"
install -m 755 "$here/init" "$root/init"
(cd "$root" && find . | cpio -o -H newc --quiet) >"$out/initramfs.new"
mv "$out/initramfs.new" "$out/initramfs.cpio"
rm -rf "$root"
