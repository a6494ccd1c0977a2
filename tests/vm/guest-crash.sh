# The target dies and comes back while the kernel writes. Given: PORTAL and TARGET.
set -e
step() { # step NAME...: let the host act before going on
  echo "STEP $*"
  read -r answer
}

echo InitiatorName=iqn.2026-11.test.lunaport:guest-crash >/etc/iscsi/initiatorname.iscsi
iscsid
iscsiadm -m discovery -t st -p "$PORTAL"
iscsiadm -m node -T "$TARGET" -p "$PORTAL" --login
for _ in $(seq 100); do
  disk=$(ls /sys/class/iscsi_session/session*/device/target*/*:0/block 2>/dev/null) && break
  sleep 0.1
done
mkfs.ext4 -q "/dev/$disk"
mount -t ext4 "/dev/$disk" /mnt
mkdir /tmp/files
for number in 1 2 3 4 5 6 7 8; do head -c 3000000 /dev/urandom >/tmp/files/$number; done
(cd /tmp/files && sha256sum *) >/tmp/sums

# Each file is synchronized before it counts as written; the host strikes while that goes on.
for number in 1 2 3 4 5 6 7 8; do
  cp /tmp/files/$number /mnt/$number
  sync
  echo "STEP written $number"
done
step survived

(cd /mnt && sha256sum -c /tmp/sums)
umount /mnt
echo 3 >/proc/sys/vm/drop_caches
mount -t ext4 "/dev/$disk" /mnt
(cd /mnt && sha256sum -c /tmp/sums)
umount /mnt
e2fsck -fn "/dev/$disk"
dmesg | grep -iE 'i/o error|medium error|remounting' && exit 12
iscsiadm -m node -T "$TARGET" -p "$PORTAL" --logout
exit 0
