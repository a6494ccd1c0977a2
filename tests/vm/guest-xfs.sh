# XFS on the kernel's initiator, and space given back. Given: PORTAL and TARGET.
set -e
modprobe xfs
log_in iqn.2026-11.test.lunaport:xfs 1
disk=/dev/sda
mkfs.xfs -q $disk
mount -t xfs $disk /mnt
mkdir /tmp/files
for number in 1 2 3 4 5 6; do head -c 8000000 /dev/urandom >/tmp/files/$number; done
(cd /tmp/files && sha256sum *) >/tmp/sums
cp /tmp/files/* /mnt
sync
step written
umount /mnt
echo 3 >/proc/sys/vm/drop_caches
mount -t xfs $disk /mnt
(cd /mnt && sha256sum -c /tmp/sums)
rm /mnt/[2-6]
# XFS frees what deleted files had in the background, and sync does not wait for that.
umount /mnt
mount -t xfs $disk /mnt
run fstrim fstrim -v /mnt
step trimmed
(cd /mnt && head -n 1 /tmp/sums | sha256sum -c)
umount /mnt
xfs_repair -n $disk >/dev/null 2>&1
run blkdiscard blkdiscard $disk
step discarded
echo 3 >/proc/sys/vm/drop_caches
run zeros sh -c "head -c 16777216 $disk | tr -d '\\0' | wc -c"
dmesg | grep -iE 'i/o error|medium error|corruption' && exit 12
iscsiadm -m node -T "$TARGET" -p "$PORTAL" --logout
exit 0
