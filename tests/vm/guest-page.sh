# The kernel's initiator, told by the page what to type. Given: LINES, as they are to be copied.
set -e
step() { # step NAME...: let the host act before going on
  echo "STEP $*"
  read -r answer
}

echo InitiatorName=iqn.2026-11.test.lunaport:guest >/etc/iscsi/initiatorname.iscsi
iscsid
printf '%s\n' "$LINES" >/tmp/lines
sh -e /tmp/lines
for _ in $(seq 100); do
  disk=$(ls /sys/class/iscsi_session/session*/device/target*/*:0/block 2>/dev/null) && break
  sleep 0.1
done
test -n "$disk"
before=$(cat /sys/block/$disk/size)
mkfs.ext4 -q "/dev/$disk"
mount -t ext4 "/dev/$disk" /mnt
( while :; do head -c 3000000 /dev/zero >/mnt/load; sync; sleep 0.05; done ) &
load=$!
step mounted

# The host grows the disk by the page while it is written to.
for _ in $(seq 50); do
  echo 1 >"/sys/block/$disk/device/rescan"
  test "$(cat /sys/block/$disk/size)" -gt "$before" && break
  sleep 0.2
done
echo "GROWN $before $(cat /sys/block/$disk/size)"
resize2fs "/dev/$disk"
step grown
kill $load
exit 0
