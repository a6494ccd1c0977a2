# Two nodes of a cluster, of which the guest is one and the host the other: each fences the other, as fence_scsi does it.
# Given: PORTAL and TARGET.
set -e
modprobe sg
log_in iqn.2026-11.test.lunaport:node1 1
disk=/dev/sda
persist() { # persist NAME OPTION...
  name=$1
  shift
  run "$name" sg_persist "$@" $disk
}
write() { # write NAME: one block, by the kernel's block layer
  run "$1" sh -c "head -c 4096 /dev/urandom | dd of=$disk bs=4096 seek=8 conv=fsync 2>&1"
}
persist register --out --register --param-sark=0xa --param-aptpl
persist reserve --out --reserve --param-rk=0xa --prout-type=5
write reserved
step reserved
# The other node has registered too.
persist keys --in --read-keys
persist fence --out --preempt-abort --param-rk=0xa --param-sark=0xb --prout-type=5
persist keys-after --in --read-keys
write goes-on
step fenced
# The other node has come back, and takes this one out while it writes.
dmesg -c >/dev/null
echo "STEP writing"
number=0
while head -c 4096 /dev/urandom | dd of=$disk bs=4096 seek=8 conv=fsync 2>/dev/null; do
  number=$((number + 1))
  test $number -lt 1000 || exit 13
done
echo "WROTE $number"
run messages dmesg
write shut-out
run read sh -c "dd if=$disk bs=4096 skip=8 count=1 iflag=direct 2>/dev/null | wc -c"
persist reserve-shut-out --out --reserve --param-rk=0xa --prout-type=5
persist come-back --out --register-ignore --param-sark=0xa
write back
persist keys-back --in --read-keys
persist clear --out --clear --param-rk=0xa
exit 0
