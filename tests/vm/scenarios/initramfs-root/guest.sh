# The root is there whatever is claimed, and what became of its controller is explained.

object() { echo "/org/vfio/Bind1/device/pci_$(echo "$1" | tr ':.' '__')"; }
assert_property() { # ADDRESS NAME VALUE
    assert_equal "$2 of $1" \
        "$(busctl get-property org.vfio.Bind1 "$(object "$1")" org.vfio.Bind1.Device "$2")" "$3"
}
in_initramfs() { # ADDRESS REASON: what was said before the root was mounted
    check "the initramfs says $2 of $1" \
        grep -q "vfio-bindd-helper.*$1.*reason $2" /run/rig-dmesg
}
assert_refused() { # ADDRESS REASON
    assert_property "$1" State 's "refused"'
    assert_property "$1" Reason "s \"$2\""
}
assert_explained() { # ADDRESS TEXT: what an operator reads
    vfio-bindctl status "$1" > /run/rig-status
    check "the status of $1 explains: $2" grep -q "$2" /run/rig-status
}
taken_in_initramfs() { # ADDRESS
    assert_driver "$1" vfio-pci
    assert_not_probed "$1"
    assert_property "$1" Provenance 's "clean"'
    assert_property "$1" ClaimedStage 's "initrd"'
}
taken_later() { # ADDRESS
    assert_driver "$1" vfio-pci
    assert_property "$1" Provenance 's "taken"'
    assert_property "$1" ClaimedStage 's "boot"'
}

root_is_claimed() {
    in_initramfs "$ROOT_DISK" "$1"
    assert_refused "$ROOT_DISK" in-use-system
    assert_explained "$ROOT_DISK" 'is mounted on /\.'
}
root_is_companion() {
    in_initramfs "$NEIGHBOUR" "$1"
    assert_driver "$NEIGHBOUR" snd_hda_intel "the root's neighbour is the host's too"
    assert_refused "$NEIGHBOUR" group-refused
    assert_explained "$NEIGHBOUR" 'is mounted on /\.'
}
gave_back() {
    check "it was taken" \
        grep -q "vfio-bindd-helper.*$ROOT_DISK .*bound to vfio-pci" /run/rig-dmesg
    check "it was given back" \
        grep -q "vfio-bindd-helper.*$ROOT_DISK .*given back to nvme" /run/rig-dmesg
    assert_property "$ROOT_DISK" State 's "gave-back"'
    assert_explained "$ROOT_DISK" 'because it did not find its root'
    refute "whoever wants it nevertheless is refused" vfio-bindctl bind "$ROOT_DISK"
    assert_driver "$ROOT_DISK" nvme "it stays the host's"
    check "the record names it from now on" \
        grep -q "address=$ROOT_DISK .*uses=system" /var/lib/vfio-bindd/host-devices
}

wait_booted
dmesg > /run/rig-dmesg
case "$(findmnt -no SOURCE /)" in
    /dev/nvme*) ok "the root is on NVMe" ;;
    *) fail "the root is on NVMe" "$(findmnt -no SOURCE /)" ;;
esac
assert_driver "$ROOT_DISK" nvme "the root's controller is the host's"
assert_no_failed_units
case "$BOOT" in
    record|address)
        root_is_claimed host-device
        taken_in_initramfs "$OTHER"
        ;;
    no-record|address-no-record)
        root_is_claimed deferred-to-next-stage
        in_initramfs "$OTHER" deferred-to-next-stage
        taken_later "$OTHER"
        ;;
    companion)
        root_is_companion host-device
        taken_in_initramfs "$OTHER"
        ;;
    companion-no-record)
        root_is_companion deferred-to-next-stage
        taken_later "$OTHER"
        ;;
    wrong-record) gave_back ;;
esac
