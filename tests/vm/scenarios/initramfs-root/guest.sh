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

wait_booted
dmesg > /run/rig-dmesg
case "$(findmnt -no SOURCE /)" in
    /dev/nvme*) ok "the root is on NVMe" ;;
    *) fail "the root is on NVMe" "$(findmnt -no SOURCE /)" ;;
esac
assert_driver "$ROOT_DISK" nvme "the root's controller is the host's"
assert_property "$ROOT_DISK" State 's "refused"'
assert_property "$ROOT_DISK" Reason 's "in-use-system"'
assert_no_failed_units
case "$BOOT" in
    record)
        in_initramfs "$ROOT_DISK" host-device
        assert_driver "$OTHER" vfio-pci
        assert_not_probed "$OTHER"
        assert_property "$OTHER" Provenance 's "clean"'
        assert_property "$OTHER" ClaimedStage 's "initrd"'
        ;;
    no-record)
        in_initramfs "$ROOT_DISK" deferred-to-next-stage
        in_initramfs "$OTHER" deferred-to-next-stage
        assert_driver "$OTHER" vfio-pci
        assert_property "$OTHER" TakenFrom 's "nvme"'
        ;;
    wrong-record)
        check "it was taken" grep -q "vfio-bindd-helper.*$ROOT_DISK .*bound to vfio-pci" \
            /run/rig-dmesg
        check "it was probed once it was given back" dmesg_probed "$ROOT_DISK"
        ;;
esac
