# The kernel's initiator, told by the manual what to type. Given: DISCOVERY, README, CONNECT, as they stand there.
echo InitiatorName=iqn.2026-11.test.lunaport:reader >/etc/iscsi/initiatorname.iscsi
iscsid
echo

disks() { # disks COUNT: wait for so many
  for _ in $(seq 100); do
    test "$(ls -d /sys/class/iscsi_session/session*/device/target*/*:*/block/* 2>/dev/null | wc -l)" = "$1" && return
    sleep 0.1
  done
  return 1
}

follow() { # follow LINES: type them
  printf '%s\n' "$1" >/tmp/lines
  sh -e /tmp/lines
}

run discovery follow "$DISCOVERY"
run readme follow "$README"
run one disks 1
run connect follow "$CONNECT"
run two disks 2
run leave iscsiadm -m node --logout
exit 0
