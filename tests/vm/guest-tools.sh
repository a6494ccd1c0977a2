# sg3-utils and sdparm on the kernel's initiator. Given: PORTAL, TARGET with LUNs 0 and 1 (encrypted), VPD_PAGES.
set -e
modprobe sg
log_in iqn.2026-11.test.lunaport:tools 2
disk=/dev/sg0 encrypted=/dev/sg1
head -c 8388608 /dev/urandom >/tmp/random
yes block | head -c 512 >/tmp/block
(cat /tmp/block; head -c 512 /dev/zero) >/tmp/block-and-zeros
sums() { # sums NAME FIRST COUNT [DISK]: how much that is not zero lies in these blocks, and its checksum
  rm -f /tmp/read
  sg_dd if="${4:-$disk}" of=/tmp/read bs=512 skip="$2" count="$3" 2>/dev/null
  run "$1" sh -c 'tr -d "\0" </tmp/read | wc -c; sha256sum </tmp/read'
}

# Who it is
run inquiry sg_inq -d $disk
for page in $VPD_PAGES; do run "vpd-$page" sg_vpd --page="0x$page" $disk; done
run luns sg_luns --decode $disk
run capacity sg_readcap --long $disk
run opcodes sg_opcodes --mask --rctd $disk
run functions sg_opcodes --tmf --repd $disk
run port-groups sg_rtpg --decode $disk
run ready sg_turs --number=10 $disk
run sense sg_requests $disk
run modes sg_modes --all $disk
run logs sg_logs --all $disk

# Write cache, as the kernel sees it
cache() {
  echo 1 >/sys/block/sda/device/rescan
  run "$1" cat /sys/class/scsi_disk/0:0:0:0/cache_type
}
run cache-clear sdparm --clear=WCE $disk
run cache-get sdparm --get=WCE $disk
cache cache-off
run cache-set sdparm --set=WCE $disk
cache cache-on

# Blocks and their space
run write sg_dd if=/tmp/random of=$disk bs=512 bpt=256
run random sh -c 'tr -d "\0" </tmp/random | wc -c; sha256sum </tmp/random'
sums written 0 16384
run status-written sg_get_lba_status --lba=0 --maxlen=1024 $disk
run unmap sg_unmap --lba=0 --num=8192 --force $disk
sums unmapped 0 8192
run status-unmapped sg_get_lba_status --lba=0 --maxlen=1024 $disk
run same-16 sg_write_same --16 --in=/tmp/block --xferlen=512 --lba=0 --num=4096 $disk
sums same-16-read 0 4096
run same-10 sg_write_same --10 --in=/tmp/block --xferlen=512 --lba=4096 --num=4096 $disk
sums same-10-read 4096 4096
run same-ndob sg_write_same --ndob --lba=0 --num=2048 $disk
sums same-ndob-read 0 2048
run same-unmap sg_write_same --16 --unmap --lba=2048 --num=2048 $disk
run status-same sg_get_lba_status --lba=2048 --maxlen=1024 $disk
run compare-and-write sg_compare_and_write --in=/tmp/block-and-zeros --lba=5000 --num=1 --xferlen=1024 $disk
sums compare-and-write-read 4999 3
run compare-and-write-again sg_compare_and_write --in=/tmp/block-and-zeros --lba=5000 --num=1 --xferlen=1024 $disk
run write-verify sg_write_verify --16 --lba=0 --num=1 --ilen=512 --in=/tmp/block $disk
run write-atomic sg_write_x --atomic=0 --bs=512 --lba=1 --num=1 --in=/tmp/block $disk
run write-or sg_write_x --or --bs=512 --lba=2 --num=1 --in=/tmp/block $disk
sums three 0 3
run verify sg_verify --lba=0 --count=128 $disk
run verify-same sg_verify --16 --lba=0 --count=1 --ndo=512 --in=/tmp/block $disk
run verify-other sg_verify --16 --lba=5000 --count=1 --ndo=512 --in=/tmp/block $disk
run synchronize sg_sync $disk
run buffer-write sg_write_buffer --mode=0xa --length=512 --in=/tmp/block $disk
run buffer-read sg_raw --request=512 --outfile=/tmp/echo $disk 3c 0a 00 00 00 00 00 02 00 00
run buffer-same cmp /tmp/echo /tmp/block

# Third-party copy
run copy-parameters sg_copy_results --params $disk
run copy sg_xcopy if=$disk of=$encrypted bs=512 skip=8192 seek=8192 count=8192
sums copy-source 8192 8192
sums copy-read 8192 8192 $encrypted

# Persistent reservations, from one nexus
persist() { # persist NAME OPTION...
  name=$1
  shift
  run "$name" sg_persist "$@" $disk
}
persist register --out --register --param-sark=0xa --param-aptpl
persist reserve --out --reserve --param-rk=0xa --prout-type=5
persist keys --in --read-keys
persist reservation --in --read-reservation
persist full-status --in --read-full-status
persist capabilities --in --report-capabilities
persist preempt --out --preempt --param-rk=0xa --param-sark=0xa --prout-type=6
persist preempted --in --read-reservation
persist release --out --release --param-rk=0xa --prout-type=6
persist released --in --read-reservation
persist ignore --out --register-ignore --param-sark=0xb
persist wrong-key --out --reserve --param-rk=0xa --prout-type=1
persist reserve-again --out --reserve --param-rk=0xb --prout-type=1
persist move --out --register-move --param-rk=0xb --param-sark=0xc --relative-target-port=1 \
  --transport-id=iqn.2026-11.test.lunaport:other,i,0x800000000001
persist moved --in --read-full-status
persist clear --out --clear --param-rk=0xb
persist cleared --in --read-keys

# Resets, stopping, erasing
run reset sg_reset --device $disk
run reset-told sg_turs $disk
run reset-over sg_turs $disk
run stop sg_start --stop $disk
run stopped sg_turs $disk
run start sg_start --start $disk
run erase-blocks sg_sanitize --block --quick --wait $disk
sums erased-blocks 0 16384
run status-erased sg_get_lba_status --lba=0 --maxlen=1024 $disk
run overwrite sg_sanitize --overwrite --pattern=/tmp/block --ipl=512 --quick --wait $disk
sums overwritten 100000 4096
run erase-no-key sg_sanitize --crypto --quick --wait $disk
run erase-key sg_sanitize --crypto --quick --wait $encrypted
sums erased-key 8192 8192 $encrypted
run format sg_format --format --quick --wait $disk
sums formatted 100000 4096
exit 0
