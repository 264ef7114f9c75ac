# What the rig promises to scenarios of the system tier.

files() {
    assert_equal "file of the folder" "$(cat /etc/rig-test/from-folder)" "nic $NIC"
    assert_equal "file of FILES" "$(cat /etc/rig-test/from-setting)" "nvme $NVME_A"
    assert_equal "owner and mode" "$(stat -c '%U:%G %a' /etc/rig-test/from-folder)" "root:root 644"
    assert_equal "mode of a program" "$(stat -c '%U:%G %a' /usr/local/bin/rig-test)" "root:root 755"
    assert_equal "a program runs" "$(rig-test)" "it runs"
    assert_equal "a link stays a link" "$(readlink /etc/rig-test/link)" from-folder
    for unit in systemd-hwdb-update systemd-firstboot; do
        assert_equal "$unit was not needed" \
            "$(systemctl show -P ConditionResult "$unit.service")" no
    done
}

groups() {
    check "IOMMU groups exist" test -e /sys/kernel/iommu_groups/0
    group_members "$PAIR_0"
    assert_equal "bridge and cards are one group" "$MEMBERS" "$PAIR_BRIDGE $PAIR_0 $PAIR_1"
    group_members "$COMBO_0"
    assert_equal "functions of a slot are one group" "$MEMBERS" "$COMBO_0 $COMBO_1"
    group_members "$MISC_0"
    assert_equal "functions on bus 0 are one group" "$MEMBERS" "$MISC_0 $MISC_1"
    group_members "$NVME_A"
    assert_equal "a drive is alone in its group" "$MEMBERS" "$NVME_A"
    driver_of "$MISC_0"
    assert_equal "edu has no driver" "$DRIVER" none
}

drivers() {
    assert_driver "$NVME_A" nvme
    assert_driver "$NVME_B" nvme
    assert_driver "$PF" nvme
    assert_driver "$COMBO_1" e1000e
    assert_driver "$PAIR_1" e1000
    assert_driver "$HOST_NIC" virtio-pci
    for device in "$NVME_A" "$PAIR_0" "$NIC"; do
        check "the log shows the probe of $device" dmesg_probed "$device"
    done
    refute "the log shows no probe of edu" dmesg_probed "$MISC_0"
}

virtual_functions() {
    echo 0 > "/sys/bus/pci/devices/$PF/sriov_drivers_autoprobe"
    check "32 VFs" sh -c "echo 32 > /sys/bus/pci/devices/$PF/sriov_numvfs"
    vf_address "$PF" 31
    assert_equal "address of the last VF" "$VF" "$PF_VF31"
    group_members "$VF"
    assert_equal "a VF is alone in its group" "$MEMBERS" "$VF"
    check "no VFs" sh -c "echo 0 > /sys/bus/pci/devices/$PF/sriov_numvfs"
}

hotplug() {
    assert_driver "$SLOT" absent "the slot is empty"
    check "plug a card" hotplug_add SLOT e1000e
    check "its driver binds" wait_driver "$SLOT" e1000e
    check "pull it" hotplug_del SLOT
    check "plug a drive" hotplug_add SLOT nvme serial=second
    check "its driver binds, too" wait_driver "$SLOT" nvme
    check "pull a drive of the boot" hotplug_del NVME_B
    case "$(qmp '{"execute":"query-status"}')" in
        *'"status": "running"'*) ok "QMP from the guest" ;;
        *) fail "QMP from the guest" "not running" ;;
    esac
}

case "$PHASE" in
    first)
        check "systemd has booted" wait_booted
        assert_no_failed_units
        files
        groups
        drivers
        virtual_functions
        hotplug
        echo changed > /etc/rig-test/from-setting
        reboot_into second
        ;;
    second)
        check "systemd has booted again" wait_booted
        assert_no_failed_units "no failed units after the reboot"
        assert_equal "files outlive a reboot" "$(cat /etc/rig-test/from-setting)" changed
        assert_driver "$NVME_A" nvme "drive is back after the reboot"
        ;;
esac
