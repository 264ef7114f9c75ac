# Everything is in use in another way before it is asked for: by address, by class, as a companion,
# and by address in spite of its use.

ROOT=0000:00:02.0

object() { echo "/org/vfio/Bind1/device/pci_$(echo "$1" | tr ':.' '__')"; }
property() { # ADDRESS NAME: sets VALUE
    VALUE=$(busctl get-property org.vfio.Bind1 "$(object "$1")" org.vfio.Bind1.Device "$2")
    VALUE=${VALUE#s }
}

disk_of() { # ADDRESS: sets DISK
    for rig_entry in "/sys/bus/pci/devices/$1"/nvme/nvme*/nvme*n*; do DISK=${rig_entry##*/}; done
}
interface_of() { # ADDRESS: sets INTERFACE
    for rig_entry in "/sys/bus/pci/devices/$1"/net/*; do INTERFACE=${rig_entry##*/}; done
}

# --- What the host does with them ---------------------------------------------------------------

fill() { # DEVICE POINT: a file system with data, mounted
    mke2fs -q -t ext4 "$1"
    mkdir -p "$2"
    mount "$1" "$2"
    dd if=/dev/urandom of="$2/data" bs=64k count=16 status=none
    sync -f "$2/data"
}

use_partition() {
    disk_of "$MOUNTED"
    # one partition from sector 2048 on, 100000 sectors long
    {
        printf '\000\000\000\000\203\000\000\000\000\010\000\000\240\206\001\000'
        dd if=/dev/zero bs=48 count=1 status=none
        printf '\125\252'
    } | dd of="/dev/$DISK" bs=1 seek=446 status=none
    blockdev --rereadpt "/dev/$DISK"
    udevadm settle
    fill "/dev/${DISK}p1" /srv/mounted
}

use_mapper() {
    disk_of "$LINEAR"
    echo "0 100000 linear /dev/$DISK 0" | dmsetup create linear
    fill /dev/mapper/linear /srv/linear
    disk_of "$LOGICAL"
    echo "0 100000 linear /dev/$DISK 2048" | dmsetup create group-volume --uuid LVM-guard
    dd if=/dev/urandom of=/dev/mapper/group-volume bs=64k count=16 status=none
}

# Documentation/admin-guide/md.rst, "MD devices in sysfs"
use_raid() {
    disk_of "$RAID"
    modprobe raid1
    echo md_guard > /sys/module/md_mod/parameters/new_array
    raid=/sys/block/md_guard/md
    echo raid1 > $raid/level
    echo 1 > $raid/raid_disks
    cat "/sys/block/$DISK/dev" > $raid/new_dev
    echo 60000 > "$raid/dev-$DISK/size"
    echo 0 > "$raid/dev-$DISK/slot"
    echo 60000 > $raid/component_size
    echo active > $raid/array_state
    fill /dev/md_guard /srv/raid
}

use_swap() {
    disk_of "$SWAP"
    mkswap "/dev/$DISK" > /dev/null
    swapon "/dev/$DISK"
}

use_raw() {
    disk_of "$RAW"
    RAW_DISK=/dev/$DISK
    dd if=/dev/urandom of="$RAW_DISK" bs=64k count=16 status=none
    sleep 3000 < "$RAW_DISK" &
}

# Unmounted, but not gone: a program has it as its directory.
use_lazily() {
    disk_of "$LAZY"
    fill "/dev/$DISK" /srv/lazy
    (cd /srv/lazy && exec sleep 3000) &
    LAZY_USER=$!
    wait_for 10 test "/proc/$LAZY_USER/cwd" -ef /srv/lazy
    umount -l /srv/lazy
}

use_in_namespace() {
    disk_of "$NAMESPACE"
    mke2fs -q -t ext4 "/dev/$DISK"
    mkdir -p /srv/namespace
    unshare --mount --propagation private sh -c "mount /dev/$DISK /srv/namespace
        dd if=/dev/urandom of=/srv/namespace/data bs=64k count=16 status=none
        : > /run/namespace; exec sleep 3000" &
    NAMESPACE_USER=$!
    wait_for 20 test -e /run/namespace
}

# A service of the kernel, which no process, mount or device above tells of.
use_target() {
    disk_of "$TARGET"
    modprobe target_core_mod
    modprobe target_core_iblock
    mountpoint -q /sys/kernel/config || mount -t configfs configfs /sys/kernel/config
    target=/sys/kernel/config/target/core/iblock_0/guard
    mkdir -p $target
    echo "udev_path=/dev/$DISK" > $target/control
    echo 1 > $target/enable
    assert_equal "the kernel serves a drive" "$(cat $target/enable)" 1
}

use_pair() {
    disk_of "$PAIR_1"
    fill "/dev/$DISK" /srv/pair
}

use_network() {
    interface_of "$HOST_NIC"
    [ -d "/sys/class/net/$INTERFACE" ] ||
        for rig_entry in "/sys/bus/pci/devices/$HOST_NIC"/virtio*/net/*; do
            INTERFACE=${rig_entry##*/}
        done
    ip link set "$INTERFACE" up
    ip address add 10.0.2.15/24 dev "$INTERFACE"
    ip route add default via 10.0.2.2 dev "$INTERFACE"
    ip link add br0 type bridge
    interface_of "$BRIDGED"
    ip link set "$INTERFACE" master br0
    ip link add bond0 type bond
    interface_of "$BONDED"
    ip link set "$INTERFACE" master bond0
    interface_of "$TAGGED"
    ip link set "$INTERFACE" up
    ip link add link "$INTERFACE" name vlan5 type vlan id 5
    metric=100
    for upper in br0 bond0 vlan5; do
        metric=$((metric + 1))
        ip address add "10.$metric.0.1/24" dev $upper
        ip link set $upper up
        ip route add default via "10.$metric.0.2" dev $upper metric $metric
    done
    interface_of "$HIDDEN"
    ip netns add away
    ip link set "$INTERFACE" netns away
}

use_vfio() {
    modprobe vfio-pci
    bind_by_hand "$PASSED" vfio-pci
    mkfifo /run/hold
    vfio-open "$PASSED" --hold < /run/hold > /run/passed.log 2>&1 &
    PASSED_USER=$!
    exec 6> /run/hold
    group_of "$PASSED"
    wait_for 20 passed_is_open
}
passed_is_open() { ls -l "/proc/$PASSED_USER/fd" | grep -q "/dev/vfio/$GROUP"; }

sums() {
    (
        cd /srv && sha256sum mounted/data linear/data raid/data pair/data
        sha256sum "/proc/$LAZY_USER/cwd/data" "/proc/$NAMESPACE_USER/root/srv/namespace/data"
        head -c 1M "$RAW_DISK" | sha256sum
        head -c 1M /dev/mapper/group-volume | sha256sum
    )
}

# --- Asking for them ----------------------------------------------------------------------------

ask_for() { # NAME
    ASKED=$1
    cp "/root/$1.conf" /etc/vfio-bind.conf
    systemctl reload vfio-bindd
    vfio-bindctl --json=off apply > /run/apply.log 2>&1
    assert_equal "$1: apply says that it was refused" "$?" 3
    save_file "apply-$1" /run/apply.log
}

refused() { # ADDRESS DRIVER REASON TEXT-PATTERN
    assert_driver "$1" "$2" "$ASKED: $1 stays on $2"
    property "$1" Reason
    assert_equal "$ASKED: why $1 is not taken" "$VALUE" "\"$3\""
    property "$1" ReasonText
    # shellcheck disable=SC2254
    assert_match "$ASKED: what is in the way of $1" "$VALUE" "$4"
}

system_is_refused() {
    # Only the look right before the first write tells of this one.
    refused "$TARGET" nvme in-use-system '*is held exclusively by something in the kernel*'
    refused "$ROOT" virtio-pci in-use-system '*is mounted on /.*choose another device*'
    refused "$MOUNTED" nvme in-use-system '*p1 is mounted on /srv/mounted. Unmount it*'
    refused "$LINEAR" nvme in-use-system '*/dev/mapper/linear is mounted on /srv/linear.*'
    refused "$RAID" nvme in-use-system '*/dev/md_guard is mounted on /srv/raid.*'
    refused "$SWAP" nvme in-use-system '*is swap space in use. Run \\"swapoff *'
    refused "$LAZY" nvme in-use-system '*holds a file system in use.*'
    refused "$NAMESPACE" nvme in-use-system '*is mounted on /srv/namespace as process * (sleep)*'
    refused "$PF" nvme pf-has-vfs '*has virtual functions enabled.*'
}

all_is_refused() {
    system_is_refused
    refused "$LOGICAL" nvme in-use-holders '*/dev/mapper/group-volume is assembled from*'
    refused "$RAW" nvme in-use-process "*$RAW_DISK is open in sleep (process *"
    refused "$HOST_NIC" virtio-pci in-use-network '*carries the default route. Move*'
    refused "$BRIDGED" e1000e in-use-network '*carries the default route through br0.*'
    refused "$BONDED" e1000e in-use-network '*carries the default route through bond0.*'
    refused "$TAGGED" e1000e in-use-network '*carries the default route through vlan5.*'
    refused "$HIDDEN" e1000e in-use-network '*is in another network namespace.*'
    refused "$DISPLAY" none in-use-display '*console of the host*'
}

wait_booted
use_partition
use_mapper
use_raid
use_swap
use_raw
use_lazily
use_in_namespace
use_target
use_pair
use_network
use_vfio
echo 2 > "/sys/bus/pci/devices/$PF/sriov_numvfs"
udevadm settle
sums > /run/sums-before

ask_for by-address
all_is_refused
refused "$PAIR_1" nvme in-use-system '*is mounted on /srv/pair.*'
assert_driver "$PAIR_0" nvme "what shares a group with a mounted drive stays"
assert_driver "$FREE" vfio-pci "what nobody uses is taken"
assert_driver "$PASSED" vfio-pci "what a process has open through vfio is left to it"

ask_for by-class
all_is_refused
refused "$PAIR_1" nvme in-use-system '*is mounted on /srv/pair.*'
sums > /run/sums-after
assert_equal "the data are as they were" "$(cat /run/sums-after)" "$(cat /run/sums-before)"

ask_for in-spite
system_is_refused
refused "$PAIR_1" nvme in-use-system '*is mounted on /srv/pair.*'
refused "$PASSED" vfio-pci busy-vfio "*open in $PASSED_USER (vfio-open)*"
for address in "$LOGICAL" "$RAW" "$HOST_NIC" "$BRIDGED" "$BONDED" "$TAGGED" "$HIDDEN" "$DISPLAY"; do
    assert_driver "$address" vfio-pci "in-spite: $address is taken"
done
check "the vfio device is still held" kill -0 "$PASSED_USER"
(cd /srv && sha256sum mounted/data linear/data raid/data pair/data) > /run/sums-last
assert_equal "the system's data are as they were" "$(cat /run/sums-last)" \
    "$(head -n 4 /run/sums-before)"
