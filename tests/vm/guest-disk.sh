# A day of a disk on the kernel's iSCSI initiator. Given: PORTAL, TARGET and the four CHAP values.
set -e
step() { # step NAME...: let the host act before going on
  echo "STEP $*"
  read -r answer
}
node() { iscsiadm -m node -T "$TARGET" -p "$PORTAL" "$@"; }

echo InitiatorName=iqn.2026-11.test.lunaport:guest >/etc/iscsi/initiatorname.iscsi
iscsid
discovery() { iscsiadm -m discoverydb -t st -p "$PORTAL" "$@"; }
found=$(iscsiadm -m discovery -t st -p "$PORTAL" || :)
case $found in *"$TARGET"*) exit 10 ;; esac # nobody is told who has not authenticated
discovery -o new || :
for pair in authmethod=CHAP username="$USER_NAME" password="$USER_SECRET" \
  username_in="$NAS_NAME" password_in="$NAS_SECRET"; do
  discovery -o update -n "discovery.sendtargets.auth.${pair%%=*}" -v "${pair#*=}"
done
discovery --discover
for pair in \
  session.auth.authmethod=CHAP session.auth.username="$USER_NAME" session.auth.password=wrong-secret-1 \
  session.auth.username_in="$NAS_NAME" session.auth.password_in="$NAS_SECRET" session.initial_login_retry_max=1 \
  'conn[0].iscsi.HeaderDigest=CRC32C' 'conn[0].iscsi.DataDigest=CRC32C'; do
  node -o update -n "node.${pair%%=*}" -v "${pair#*=}"
done
! node --login || exit 11
dmesg -c >/dev/null # the refused login is in it
node -o update -n node.session.auth.password -v "$USER_SECRET"
node --login
for _ in $(seq 100); do
  disk=$(ls /sys/class/iscsi_session/session*/device/target*/*:0/block 2>/dev/null) && break
  sleep 0.1
done
test -n "$disk"
echo "DISK $disk $(cat /sys/block/$disk/size) $(cat /sys/block/$disk/device/vendor /sys/block/$disk/device/model | tr '\n' ' ')"
echo "CACHE $(cat /sys/class/scsi_disk/*/cache_type), PROVISIONING $(cat /sys/class/scsi_disk/*/provisioning_mode)"
iscsiadm -m session -P 2 | grep -E 'Digest|username|State:' || :
step logged-in

mkfs.ext4 -q "/dev/$disk"
mount -t ext4 "/dev/$disk" /mnt
head -c 12000000 /dev/urandom >/tmp/file
cp /tmp/file /mnt/file
umount /mnt
echo 3 >/proc/sys/vm/drop_caches
mount -t ext4 "/dev/$disk" /mnt
cmp /tmp/file /mnt/file
step written

# The host grows the share: the kernel hears of it by a unit attention, and takes the new size with a rescan.
before=$(cat /sys/block/$disk/size)
echo 1 >"/sys/block/$disk/device/rescan"
after=$(cat /sys/block/$disk/size)
echo "GROWN $before $after"
test "$after" -gt "$before"
resize2fs "/dev/$disk"
head -c 40000000 /dev/zero >/mnt/in-the-new-space
sync
rm /mnt/in-the-new-space
rm /mnt/file
sync
fstrim -v /mnt
step trimmed

cp /tmp/file /mnt/file
umount /mnt
e2fsck -fn "/dev/$disk"
node --logout
test ! -e "/sys/block/$disk"
dmesg | grep -iE 'i/o error|medium error|detected conn error' && exit 12
exit 0
