# Two portals, one disk, dm-multipath over both; paths go and come back under I/O. Given: PORTAL, PORTAL_2 and TARGET.
set -e
modprobe -a dm_multipath dm_service_time
/lib/systemd/systemd-udevd --daemon --children-max=2
echo InitiatorName=iqn.2026-11.test.lunaport:multipath >/etc/iscsi/initiatorname.iscsi
iscsid
run discovery iscsiadm -m discovery -t st -p "$PORTAL"
for pair in 'session.timeo.replacement_timeout=2' 'conn[0].timeo.noop_out_interval=2' 'conn[0].timeo.noop_out_timeout=4' \
  'conn[0].iscsi.HeaderDigest=CRC32C' 'conn[0].iscsi.DataDigest=CRC32C'; do
  iscsiadm -m node -o update -n "node.${pair%%=*}" -v "${pair#*=}"
done
iscsiadm -m node --login
printf 'defaults {\n find_multipaths no\n user_friendly_names yes\n no_path_retry 30\n polling_interval 1\n max_polling_interval 1\n}\n' \
  >/etc/multipath.conf
mkdir -p /etc/multipath /run/multipath /var/lib
multipathd
show() { multipathd show paths raw format '%i %t %T %o'; }
paths() { # paths COUNT: wait until so many are ready
  for _ in $(seq 300); do
    test "$(show | grep -c 'active ready running')" = "$1" && return
    sleep 0.2
  done
  show
  return 1
}
paths 2
run both show
disk=/dev/dm-0
mkfs.ext4 -q $disk
mount -t ext4 $disk /mnt
head -c 400000 /dev/urandom >/tmp/file
echo 0 >/tmp/written

(
  number=0
  until test -e /tmp/enough; do
    number=$((number + 1))
    cp /tmp/file "/mnt/$((number % 20))" && sync "/mnt/$((number % 20))" && echo $number >/tmp/written || touch /tmp/failed
  done
) &
writer=$!
goes_on() { # goes_on NAME: five more files are written and synchronized, and none failed
  before=$(cat /tmp/written)
  for _ in $(seq 300); do
    test "$(cat /tmp/written)" -ge $((before + 5)) && break
    sleep 0.2
  done
  run "$1" test "$(cat /tmp/written)" -ge $((before + 5)) -a ! -e /tmp/failed
}
goes_on before
# Nothing that is sent to the second portal arrives, and nobody says so.
ip route add blackhole "${PORTAL_2%:*}/32"
paths 1
run cut show
goes_on with-one
step cut
ip route del blackhole "${PORTAL_2%:*}/32"
paths 2
goes_on with-both
step back
# The host has ended the session of the first portal.
goes_on after-the-end
paths 2
touch /tmp/enough
wait $writer
sync
umount /mnt
echo 3 >/proc/sys/vm/drop_caches
mount -t ext4 $disk /mnt
for file in /mnt/[0-9]*; do cmp /tmp/file $file || exit 14; done
umount /mnt
e2fsck -fn $disk
dmesg | grep -iE 'error, dev dm-|buffer i/o error|ext4-fs error' && exit 12
exit 0
