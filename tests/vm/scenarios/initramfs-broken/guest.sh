# Being here is most of what is to be shown; the boot service does what the initramfs did not.

object() { echo "/org/vfio/Bind1/device/pci_$(echo "$1" | tr ':.' '__')"; }
assert_property() { # ADDRESS NAME VALUE
    assert_equal "$2 of $1" \
        "$(busctl get-property org.vfio.Bind1 "$(object "$1")" org.vfio.Bind1.Device "$2")" "$3"
}
said() { check "the kernel log has: $1" grep -q "$1" /run/rig-dmesg; }
systemd_said() {
    check "systemd says: $1" sh -c "journalctl -b | grep -q 'vfio-bindd-initrd.service: .*$1'"
}

wait_booted
dmesg > /run/rig-dmesg
case "$BOOT" in
    dracut-*)
        systemctl list-units --failed --plain --no-legend > /run/rig-failed
        check "the unit of the initramfs failed" grep -q '^vfio-bindd-initrd.service ' \
            /run/rig-failed
        assert_equal "and no other" "$(wc -l < /run/rig-failed)" 1
        ;;
    *) assert_no_failed_units ;;
esac
assert_driver "$SOUND" vfio-pci
if [ "$BOOT" = intact ]; then
    assert_property "$SOUND" ClaimedStage 's "initrd"'
else
    assert_property "$SOUND" ClaimedStage 's "boot"'
fi
case "$BOOT" in
    plan) said "$SOUND .*would be bound to vfio-pci" ;;
    configuration-truncated) said "/etc/vfio-bind.conf:2" ;;
    helper-killed) said 'failed (137)' ;;
    helper-sleeping) said 'is not over after 20 s' ;;
    library-missing) said 'failed (127)' ;;
    dracut-killed) systemd_said 'status=9/KILL' ;;
    dracut-sleeping) systemd_said 'start operation timed out' ;;
esac
