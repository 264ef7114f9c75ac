# VFs are created as any operator does, by writing sriov_numvfs.

set_vfs() { echo "$2" > "/sys/bus/pci/devices/$1/sriov_numvfs"; }

all_on() { # PF FIRST LAST DRIVER
    vf=$2
    while [ "$vf" -le "$3" ]; do
        vf_address "$1" "$vf" || return 1
        driver_of "$VF"
        [ "$DRIVER" = "$4" ] || return 1
        vf=$((vf + 1))
    done
}

assert_all_on() { # NAME PF FIRST LAST DRIVER
    if wait_for 30 all_on "$2" "$3" "$4" "$5"; then
        ok "$1"
    else
        fail "$1" "$VF is on $DRIVER, expected $5"
    fi
}

probed() { # PF: sets PROBED to how many of its VFs a host driver has probed
    PROBED=0
    for link in "/sys/bus/pci/devices/$1"/virtfn*; do
        [ -e "$link" ] || continue
        if dmesg_probed "$(basename "$(readlink "$link")")"; then PROBED=$((PROBED + 1)); fi
    done
}

control() {
    set_vfs "$HALF" 8
    sleep 2
    probed "$HALF"
    info "probed $PROBED"
}

round() { # NAME COUNT
    check "$1: $2 VFs are created" set_vfs "$PF" "$2"
    assert_all_on "$1: all $2 VFs are on vfio-pci" "$PF" 0 $(($2 - 1)) vfio-pci
    probed "$PF"
    assert_equal "$1: no host driver probed a VF" "$PROBED" 0
    assert_driver "$PF" nvme "$1: the PF still works for the host"
    check "$1: they go again" set_vfs "$PF" 0
}

claimed() {
    udevadm settle
    assert_equal "autoprobe is off before VFs come" \
        "$(cat "/sys/bus/pci/devices/$PF/sriov_drivers_autoprobe")" 0
    round "with the daemon" 8
    round "again, more of them" 32
    round "once more, fewer" 5

    check "HALF gets 8 VFs" set_vfs "$HALF" 8
    assert_all_on "vf=0-3 are on vfio-pci" "$HALF" 0 3 vfio-pci
    vf_address "$HALF" 0
    assert_equal "a VF tells its PF" "$(busctl get-property org.vfio.Bind1 \
        "/org/vfio/Bind1/device/pci_$(echo "$VF" | tr ':.' '__')" org.vfio.Bind1.Device \
        PhysicalFunction)" "o \"/org/vfio/Bind1/device/pci_$(echo "$HALF" | tr ':.' '__')\""
    # QEMU's nvme VFs do not come online, so that the host's probe fails; that it was tried shows
    # that the rest was given to the host.
    vf_address "$HALF" 7
    check "the rest goes to the host's driver" wait_for 30 dmesg_probed "$VF"
    vf_address "$HALF" 3
    assert_not_probed "$VF" "the last claimed one was not probed"

    check "LEFT gets 4 VFs" set_vfs "$LEFT" 4
    assert_all_on "the claimed VF of LEFT is on vfio-pci" "$LEFT" 1 1 vfio-pci
    udevadm settle
    probed "$LEFT"
    assert_equal "HostVFs=leave: the others stay without driver" "$PROBED" 0
    assert_all_on "HostVFs=leave: no driver" "$LEFT" 2 3 none

    assert_all_on "NumVFs=3 were made and bound" "$MADE" 0 2 vfio-pci
    assert_equal "NumVFs=3 made three" "$(cat "/sys/bus/pci/devices/$MADE/sriov_numvfs")" 3

    systemctl stop vfio-bindd
    round "without the daemon" 8
    check "HALF again, without the daemon" set_vfs "$HALF" 0
    check "HALF gets 8 VFs, without the daemon" set_vfs "$HALF" 8
    assert_all_on "vf=0-3 are on vfio-pci, without the daemon" "$HALF" 0 3 vfio-pci
    assert_no_failed_units
}

wait_booted
case "$BOOT" in
    control) control ;;
    claimed) claimed ;;
esac
