# What the root needs is never taken, through whatever layers; in a crash kernel nothing is.

object() { echo "/org/vfio/Bind1/device/pci_$(echo "$1" | tr ':.' '__')"; }
assert_property() { # ADDRESS NAME VALUE
    assert_equal "$2 of $1" \
        "$(busctl get-property org.vfio.Bind1 "$(object "$1")" org.vfio.Bind1.Device "$2")" "$3"
}
assert_host_needs() { # ADDRESS
    assert_driver "$1" nvme "the root's controller $1 is the host's"
    assert_property "$1" State 's "refused"'
    assert_property "$1" Reason 's "in-use-system"'
    check "the record names $1" grep -q "address=$1 .*uses=system" \
        /var/lib/vfio-bindd/host-devices
}
in_initramfs() { # ADDRESS REASON: what was said before the root was mounted
    check "the initramfs says $2 of $1" \
        grep -q "vfio-bindd-helper.*$1.*reason $2" /run/rig-dmesg
}
assert_root_is() { assert_equal "the root" "$(findmnt -no SOURCE /)" "$1"; }

# The kernel's own driver was there first; before any other could be loaded, it had to go.
assert_taken_over() {
    check "the driver of $SERIAL is built in" grep -q /8250_pci.ko \
        "/lib/modules/$(uname -r)/modules.builtin"
    assert_driver "$SERIAL" vfio-pci
    check "the initramfs says that it took $SERIAL over" \
        grep -q "vfio-bindd-helper.*$SERIAL .*taken from serial" /run/rig-dmesg
    assert_property "$SERIAL" Provenance 's "taken"'
    assert_property "$SERIAL" TakenFrom 's "serial"'
    assert_property "$SERIAL" ClaimedStage 's "initrd"'
}

crypt() {
    assert_root_is /dev/mapper/rig-root
    check "dm-crypt is below it" sh -c 'dmsetup table rig-root | grep -w crypt'
    in_initramfs "$ROOT_DISK" deferred-to-next-stage
    assert_host_needs "$ROOT_DISK"
    assert_driver "$OTHER" vfio-pci
    assert_property "$OTHER" TakenFrom 's "nvme"'
    assert_taken_over
}

assert_other_is_clean() {
    assert_driver "$OTHER" vfio-pci
    assert_not_probed "$OTHER"
    assert_property "$OTHER" Provenance 's "clean"'
    assert_property "$OTHER" ClaimedStage 's "initrd"'
}

raid() {
    assert_root_is /dev/md0
    for address in "$ROOT_DISK" "$ROOT_DISK_2"; do
        in_initramfs "$address" host-device
        assert_host_needs "$address"
        check "$address is in the mirror" sh -c "ls -l /sys/block/md0/slaves | grep -F $address/"
    done
    assert_other_is_clean
}

luks() {
    assert_root_is /dev/mapper/luks-root
    check "LUKS is below it" sh -c 'dmsetup info -c --noheadings -o uuid luks-root | grep CRYPT-LUKS2-'
    in_initramfs "$ROOT_DISK" host-device
    assert_host_needs "$ROOT_DISK"
    assert_other_is_clean
}

kdump() {
    check "this is a crash kernel" test -e /proc/vmcore
    for address in "$ROOT_DISK" "$OTHER"; do
        assert_driver "$address" nvme "$address is the host's"
    done
    assert_driver "$SERIAL" serial "$SERIAL is the host's"
    check "the initramfs says why" grep -q 'vfio-bindd-helper.*kdump kernel' /run/rig-dmesg
    check "apply finds nothing to do" vfio-bindctl apply
    assert_driver "$OTHER" nvme "$OTHER is still the host's"
}

wait_booted
dmesg > /run/rig-dmesg
assert_no_failed_units
"$BOOT"
