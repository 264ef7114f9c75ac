# What a user sees after `systemctl enable vfio-bindd` and a reboot.

object() { echo "/org/vfio/Bind1/device/pci_$(echo "$1" | tr ':.' '__')"; }
property() { # ADDRESS NAME: sets VALUE
    VALUE=$(busctl get-property org.vfio.Bind1 "$(object "$1")" org.vfio.Bind1.Device "$2")
}
assert_property() { # ADDRESS NAME VALUE
    property "$1" "$2"
    assert_equal "$2 of $1" "$VALUE" "$3"
}
node_of() { # ADDRESS: sets NODE
    group_of "$1"
    NODE=$(stat -c '%U:%G %a' "/dev/vfio/$GROUP" 2>&1)
}

tell_probes() {
    for name in NVME_A NVME_B PAIR_0 PAIR_1 COMBO_0 COMBO_1; do
        eval "address=\$$name"
        if dmesg_probed "$address"; then info "probed-$name yes"; fi
    done
}

control() {
    assert_driver "$NVME_A" nvme
    assert_driver "$PAIR_0" e1000
    refute "no node without us" test -e /dev/vfio/0
    tell_probes
}

bound() {
    for device in "$NVME_A" "$PAIR_0" "$PAIR_1" "$COMBO_0" "$COMBO_1"; do
        assert_driver "$device" vfio-pci
        assert_property "$device" State 's "bound"'
        assert_property "$device" Reason 's ""'
    done
    assert_driver "$NVME_B" nvme
    check "the unclaimed twin was probed" dmesg_probed "$NVME_B"
    driver_of "$PAIR_BRIDGE"
    assert_equal "the bridge is untouched" "$DRIVER" none
    assert_property "$NVME_A" Role 's "selected"'
    assert_property "$PAIR_1" Role 's "companion"'
    assert_property "$COMBO_1" Role 's "companion"'
    assert_property "$PAIR_BRIDGE" Role 's "bridge"'
    assert_property "$NVME_B" Role 's "none"'
    node_of "$NVME_A"
    assert_equal "node of the drive" "$NODE" "root:kvm 660"
    node_of "$PAIR_0"
    assert_equal "node of the pair" "$NODE" "nobody:kvm 600"
    assert_equal "link by address" "$(readlink -f "/dev/vfio/by-address/$PAIR_1")" "/dev/vfio/$GROUP"
    assert_equal "link by claim" "$(readlink -f "/dev/vfio/by-claim/pair/$PAIR_1")" \
        "/dev/vfio/$GROUP"
    assert_equal "absent claim" "$(busctl get-property org.vfio.Bind1 \
        /org/vfio/Bind1/claim/not_2dhere org.vfio.Bind1.Claim State)" 's "absent"'
    assert_equal "state of the whole" "$(busctl get-property org.vfio.Bind1 /org/vfio/Bind1 \
        org.vfio.Bind1.Manager State)" 's "running"'
    assert_equal "settled" "$(busctl get-property org.vfio.Bind1 /org/vfio/Bind1 \
        org.vfio.Bind1.Manager Settled)" 'b true'
    check "vfio-bind.target is reached" systemctl is-active vfio-bind.target
    assert_no_failed_units
    vfio-bindctl list | save_file list -
    vfio-bindctl list --json=pretty | save_file list.json -
}

claimed() {
    for device in "$NVME_A" "$PAIR_0" "$PAIR_1" "$COMBO_0" "$COMBO_1"; do
        assert_not_probed "$device"
        assert_property "$device" Provenance 's "clean"'
        assert_property "$device" TakenFrom 's ""'
        assert_property "$device" ClaimedStage 's "boot"'
    done
}

host_driver_first() {
    for device in "$NVME_A" "$COMBO_0"; do
        check "the initramfs's nvme probed $device" dmesg_probed "$device"
        assert_property "$device" Provenance 's "taken"'
        assert_property "$device" TakenFrom 's "nvme"'
    done
    assert_property "$PAIR_0" TakenFrom 's "e1000"'
}

wait_booted
case "$BOOT" in
    control) control ;;
    claimed) bound; claimed ;;
    host-driver-first) bound; host_driver_first ;;
esac
