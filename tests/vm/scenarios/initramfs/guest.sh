# What the initramfs took, and what its host drivers got.

object() { echo "/org/vfio/Bind1/device/pci_$(echo "$1" | tr ':.' '__')"; }
assert_property() { # ADDRESS NAME VALUE
    assert_equal "$2 of $1" \
        "$(busctl get-property org.vfio.Bind1 "$(object "$1")" org.vfio.Bind1.Device "$2")" "$3"
}

# Whether a host driver probed the function, and whether the root was there: no, early, late.
tell_probes() {
    for name in DRIVE TWIN NICS_0 NICS_1 SATA USB; do
        eval "address=\$$name"
        probed=no
        if dmesg_probed "$address"; then
            probed=late
            if sed '/EXT4-fs (vda): mounted/q' /run/rig-dmesg | grep -q " $address"; then
                probed=early
            fi
        fi
        info "probed-$name $probed"
    done
}

clean() { # ADDRESS…
    for address in "$@"; do
        assert_driver "$address" vfio-pci
        assert_not_probed "$address"
        assert_property "$address" State 's "bound"'
        assert_property "$address" Provenance 's "clean"'
        assert_property "$address" ClaimedStage 's "initrd"'
    done
}

control() {
    assert_driver "$DRIVE" nvme
    refute "nothing of us is in the image" grep -q vfio-bindd /run/rig-dmesg
    refute "no state" test -e /run/vfio-bindd
}

claimed() {
    clean "$DRIVE" "$NICS_0" "$NICS_1" "$SATA" "$USB"
    assert_driver "$TWIN" nvme
    manager() { busctl get-property org.vfio.Bind1 /org/vfio/Bind1 org.vfio.Bind1.Manager "$1"; }
    assert_equal "what booted" "$(manager BootedInitramfsState)" 's "current"'
    # The disk's own image is of the guest's installation; the rig boots another one.
    assert_equal "what will boot" "$(manager InitramfsState)" 's "missing"'
}

off() {
    assert_driver "$DRIVE" vfio-pci
    assert_property "$DRIVE" Provenance 's "taken"'
    assert_property "$DRIVE" ClaimedStage 's "boot"'
    assert_driver "$SATA" ahci
}

wait_booted
dmesg > /run/rig-dmesg
tell_probes
assert_no_failed_units
case "$BOOT" in
    control) control ;;
    claimed) claimed ;;
    off) off ;;
esac
