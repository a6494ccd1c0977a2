# Stands before every guest script.
step() { # step NAME...: let the host act before going on
  echo "STEP $*"
  read -r answer
}

run() { # run NAME COMMAND...: what it prints, between marks, with its exit code
  echo "<<< $1"
  shift
  code=0
  "$@" || code=$?
  echo ">>> $code"
}

log_in() { # log_in NAME COUNT: be this initiator, log in to TARGET at PORTAL, and wait for so many disks
  echo "InitiatorName=$1" >/etc/iscsi/initiatorname.iscsi
  iscsid
  iscsiadm -m discovery -t st -p "$PORTAL"
  iscsiadm -m node -T "$TARGET" -p "$PORTAL" --login
  for _ in $(seq 100); do
    test "$(ls -d /sys/class/iscsi_session/session*/device/target*/*:*/block/* 2>/dev/null | wc -l)" = "$2" && return
    sleep 0.1
  done
  return 1
}
