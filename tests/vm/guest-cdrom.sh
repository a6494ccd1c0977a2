# A CD-ROM drive on the kernel's iSCSI initiator. Given: PORTAL, TARGET.
set -e
step() { # step NAME...: let the host act before going on
  echo "STEP $*"
  read -r answer
}
node() { iscsiadm -m node -T "$TARGET" -p "$PORTAL" "$@"; }

echo InitiatorName=iqn.2026-11.test.lunaport:guest >/etc/iscsi/initiatorname.iscsi
iscsid
modprobe -a sr_mod isofs
echo 0 >/proc/sys/dev/cdrom/autoclose # else opening it puts back what was ejected
node -o new
node --login
for _ in $(seq 100); do
  test -b /dev/sr0 && break
  sleep 0.1
done
test -b /dev/sr0 || exit 10
echo "DRIVE $(tr -s ' ' ' ' </sys/block/sr0/device/model)"
sed -n 's/^\(Can read DVD\|Can open tray\|Can lock tray\):[[:space:]]*/\1 /p' /proc/sys/dev/cdrom/info
mount -t iso9660 -o ro /dev/sr0 /mnt
echo "FIRST $(cat /mnt/marker.txt)"
cksum </dev/sr0 | sed 's/^/SUM /'
step mounted
cat /mnt/marker.txt >/dev/null
umount /mnt
step unmounted
mount -t iso9660 -o ro /dev/sr0 /mnt
echo "SECOND $(cat /mnt/marker.txt)"
umount /mnt
sg_start --eject /dev/sr0
step ejected
! mount -t iso9660 -o ro /dev/sr0 /mnt 2>/dev/null || exit 11
sg_start --load /dev/sr0
mount -t iso9660 -o ro /dev/sr0 /mnt
echo "THIRD $(cat /mnt/marker.txt)"
umount /mnt
node --logout
