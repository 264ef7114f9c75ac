# Each step is shown with its command, and checked.

show() { # COMMAND…
    printf '\n$ %s\n' "$*"
    "$@" 2>&1
}
heading() { printf '\n--- %s\n' "$1"; }

# The universal script of this field.
groups() {
    for group in /sys/kernel/iommu_groups/*; do
        for device in "$group"/devices/*; do
            driver_of "${device##*/}"
            case "$DRIVER" in
                vfio-pci | nvme | e1000 | virtio-pci)
                    printf 'group %3s  %s  %s\n' "${group##*/}" "${device##*/}" "$DRIVER"
                    ;;
            esac
        done
    done | sort
}

tell() {
    heading "The configuration"
    show cat /etc/vfio-bind.conf
    heading "After boot: claimed functions are on vfio-pci, their twins on the host's driver"
    groups
    show vfio-bindctl list
    heading "No host driver has probed what is claimed (the other drive was probed)"
    printf '\n$ dmesg | grep "nvme nvme.*pci function"\n'
    dmesg | grep 'nvme nvme.*pci function'
    heading "Who may open it"
    show ls -l /dev/vfio
    show ls -l /dev/vfio/by-claim/scratch-drive /dev/vfio/by-claim/network-cards
    heading "Four virtual functions are created: three are claimed"
    printf '\n$ echo 4 > /sys/bus/pci/devices/%s/sriov_numvfs\n' "$PF"
    echo 4 > "/sys/bus/pci/devices/$PF/sriov_numvfs"
    udevadm settle
    wait_driver "$PF_VF2" vfio-pci
    show vfio-bindctl list
    heading "On D-Bus"
    show busctl --no-pager tree org.vfio.Bind1
    show busctl --no-pager introspect org.vfio.Bind1 \
        "/org/vfio/Bind1/device/pci_$(echo "$NVME_A" | tr ':.' '__')" org.vfio.Bind1.Device
    heading "In the journal"
    show journalctl -b --no-pager -o cat -t vfio-bindd -t vfio-bindd-helper
}

wait_booted
tell > /tmp/shown
save_file shown /tmp/shown
assert_driver "$NVME_A" vfio-pci
assert_driver "$NVME_B" nvme
assert_driver "$PAIR_0" vfio-pci
assert_driver "$PAIR_1" vfio-pci
assert_driver "$PF_VF0" vfio-pci
assert_not_probed "$NVME_A"
check "the twin was probed" dmesg_probed "$NVME_B"
assert_equal "list knows the claim" "$(vfio-bindctl list --json=short | jq -r \
    '.. | objects | select(.Name? == "scratch-drive") | .State')" bound
assert_no_failed_units
