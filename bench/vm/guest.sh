# In the guest: LIO and Lunaport, each on a file of MIB in memory, full of data. LIO at port 3260, Lunaport at 3261.
set -e
mount -t tmpfs -o size=$((MIB * 2 + 64))m tmpfs /mnt
for file in lio lunaport; do
  # Not zeros: what was never written would be read from nowhere.
  yes "$file" 2>/dev/null | dd of=/mnt/$file.img bs=1M count="$MIB" iflag=fullblock 2>/dev/null
done

modprobe -a configfs target_core_mod target_core_file iscsi_target_mod
mount -t configfs configfs /sys/kernel/config
cd /sys/kernel/config/target
mkdir -p core/fileio_0/disk
# Buffered: its write cache is the page cache, as Lunaport's is.
echo "fd_dev_name=/mnt/lio.img,fd_dev_size=$((MIB << 20)),fd_buffered_io=1" >core/fileio_0/disk/control
echo 1 >core/fileio_0/disk/enable
group=iscsi/iqn.2026-11.test.lunaport:lio/tpgt_1
mkdir -p $group
mkdir -p $group/np/10.0.2.15:3260 $group/lun/lun_0
ln -s "$PWD/core/fileio_0/disk" $group/lun/lun_0/disk
echo 0 >$group/attrib/authentication
echo 0 >$group/attrib/demo_mode_write_protect
echo 1 >$group/attrib/generate_node_acls
echo 1 >$group/attrib/cache_dynamic_acls
echo 1 >$group/enable
cd /

export PYTHONPATH=/opt/lunaport:/opt/wheels PYTHONDONTWRITEBYTECODE=1
python3 /opt/lunaport/serve.py /mnt/lunaport.img 3261 >/run/lunaport.log 2>&1 &
for _ in $(seq 3000); do
  if grep -q serves /run/lunaport.log; then
    step READY
    exit 0
  fi
  kill -0 $! || break
  sleep 0.1
done
cat /run/lunaport.log
exit 1
