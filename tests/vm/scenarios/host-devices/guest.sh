helper=/usr/lib/vfio-bindd/vfio-bindd-helper
record=/var/lib/vfio-bindd/host-devices

# would_bind NAME STAGE WANTED: what the early pass would take now, of the four.
would_bind() {
    $helper boot --stage="$2" --dry-run > /tmp/said 2>&1
    said=$(cat /tmp/said)
    would=
    for name in DISK TWIN NIC SOUND_0; do
        eval "address=\$$name"
        echo "$said" | grep -q "$address ([0-9a-f:]*) would be bound" && would="$would $name"
    done
    assert_equal "$1" "$would" "$3"
}

# A first boot: nobody knows yet.
would_bind "without a record an initramfs takes no disk and no network card" initrd " SOUND_0"
would_bind "the boot service takes no network card, for the rest it goes by what is in use" boot " DISK TWIN SOUND_0"

# What is mounted and what has an address is recorded.
modprobe nvme
modprobe e1000e
wait_driver "$DISK" nvme 20
wait_driver "$NIC" e1000e 20
for disk in /sys/bus/pci/devices/"$DISK"/nvme/nvme*/nvme*n1; do disk=/dev/${disk##*/}; done
wait_for 20 test -b "$disk"
mke2fs -q "$disk"
mkdir -p /srv
modprobe ext4
check "the disk is mounted" mount -t ext4 "$disk" /srv
check "a record is written" $helper record
text=$(cat $record)
assert_match "it lists the mounted disk" "$text" \
    "*path=${DISK_PORT}/00.0 address=$DISK id=1b36:0010:1af4:1100 * uses=system*$disk is mounted on /srv*"
case "$text" in *"$TWIN"*) fail "not its twin" "$text" ;; *) ok "not its twin" ;; esac
umount /srv
modprobe -r nvme
wait_driver "$DISK" none 20
would_bind "an early pass leaves that disk alone" boot " TWIN NIC SOUND_0"
assert_match "it says why" "$said" "*the host needs $DISK (when it last ran: $disk is mounted on /srv)*"

# For an initramfs, what was recorded before stays in it.
check "a copy is written" $helper record --output=/tmp/copy
assert_match "what the record lists is in the copy" "$(cat /tmp/copy)" "*address=$DISK *"

# A damaged one is none.
sed -i 's/system/holders/' $record
would_bind "with a damaged record an initramfs is as careful as without one" initrd " SOUND_0"
assert_match "it says so" "$said" "*it is damaged*"

# The last resort. A record that lists nothing lets the initramfs take all.
check "a record of a host that needs nothing" $helper record
check "the early pass of an initramfs" $helper boot --stage=initrd
for name in DISK TWIN NIC SOUND_0; do
    eval "assert_driver \"\$$name\" vfio-pci"
done
check "the record is handed on" cmp $record /run/vfio-bindd/host-devices
check "it is given back" $helper giveback
wait_driver "$DISK" nvme 20
assert_driver "$DISK" nvme
assert_driver "$TWIN" nvme
assert_driver "$NIC" e1000e
assert_driver "$SOUND_0" vfio-pci "what holds no root stays"
assert_match "the state says so" "$(cat /run/vfio-bindd/functions/"$DISK")" "*STATE=gave-back*"
check "giving back twice" $helper giveback
assert_driver "$DISK" nvme "giving back twice changes nothing"
check "the early pass after that" $helper boot --stage=boot
assert_driver "$DISK" nvme "what was given back is not taken again"
assert_driver "$SOUND_0" vfio-pci
