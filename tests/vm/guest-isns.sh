# The kernel's initiator finds its target through an iSNS server. Given: ISNS (host:port), TARGET, PORTAL.
set -e
step() { # step NAME...: let the host act before going on
  echo "STEP $*"
  read -r answer
}
discover() { iscsiadm -m discovery -t isns -p "$ISNS"; }

echo InitiatorName=iqn.2026-11.test.lunaport:guest >/etc/iscsi/initiatorname.iscsi
iscsid
echo "FOUND $(discover | tr '\n' ' ')"
iscsiadm -m node -T "$TARGET" -p "$PORTAL" --login
for _ in $(seq 100); do
  disk=$(ls /sys/class/iscsi_session/session*/device/target*/*:0/block 2>/dev/null) && break
  sleep 0.1
done
test -n "$disk"
echo "DISK $disk $(cat /sys/block/$disk/size)"
step logged-in
iscsiadm -m node -T "$TARGET" -p "$PORTAL" --logout
# The host renames the target: the server knows at once.
step logged-out
echo "FOUND-THEN $(discover | tr '\n' ' ')"
exit 0
