# What dracut's initramfs took, and what its host drivers got.

object() { echo "/org/vfio/Bind1/device/pci_$(echo "$1" | tr ':.' '__')"; }
assert_property() { # ADDRESS NAME VALUE
    assert_equal "$2 of $1" \
        "$(busctl get-property org.vfio.Bind1 "$(object "$1")" org.vfio.Bind1.Device "$2")" "$3"
}

wait_booted
dmesg > /run/rig-dmesg
assert_no_failed_units
case "$BOOT" in
    gave-back* | asked) ;;
    *) assert_driver "$TWIN" nvme ;;
esac
case "$BOOT" in
    control)
        assert_driver "$DRIVE" nvme
        refute "nothing of us is in the image" grep -q vfio-bindd /run/rig-dmesg
        for name in DRIVE NICS_0 NICS_1; do
            eval "address=\$$name"
            if dmesg_probed "$address"; then info "probed-$name yes"; fi
        done
        ;;
    off)
        assert_property "$DRIVE" ClaimedStage 's "boot"'
        assert_property "$DRIVE" TakenFrom 's "nvme"'
        check "which initramfs it was is known all the same" test -s /run/vfio-bindd/initramfs
        ;;
    gave-back*)
        # Where systemd runs, its journal has it rather than the kernel's log, which goes there too.
        journalctl -b > /run/rig-journal
        check "the root's controller was taken" \
            grep -q "vfio-bindd-helper.*$ROOT_DISK .*bound to vfio-pci" /run/rig-journal
        check "it was given back" \
            grep -q "vfio-bindd-helper.*$ROOT_DISK .*given back to nvme" /run/rig-journal
        assert_driver "$ROOT_DISK" nvme
        assert_property "$ROOT_DISK" State 's "gave-back"'
        [ "$BOOT" = gave-back ] ||
            check "after it was seen that nobody is asked for a passphrase" \
                grep -q "Finished vfio-bindd-giveback-wait.service" /run/rig-journal
        ;;
    asked)
        journalctl -b > /run/rig-journal
        check "the time was over while somebody was asked" \
            grep -q "Starting vfio-bindd-giveback-wait.service" /run/rig-journal
        check "the answer made the root appear" test -e /run/rig-answer
        refute "nothing was given back" grep -q "given back to" /run/rig-journal
        for address in "$DRIVE" "$TWIN"; do
            assert_driver "$address" vfio-pci
            assert_not_probed "$address"
            assert_property "$address" ClaimedStage 's "initrd"'
        done
        ;;
    *)
        for address in "$DRIVE" "$NICS_0" "$NICS_1"; do
            assert_driver "$address" vfio-pci
            assert_not_probed "$address"
            assert_property "$address" Provenance 's "clean"'
            assert_property "$address" ClaimedStage 's "initrd"'
        done
        check "which initramfs it was is known" test -s /run/vfio-bindd/initramfs
        ;;
esac
