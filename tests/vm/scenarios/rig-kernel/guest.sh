# What the rig promises to scenarios of the kernel tier.

for module in nvme e1000 e1000e vfio_pci vfio_iommu_type1; do
    check "module $module" modprobe "$module"
done

check "IOMMU groups exist" test -e /sys/kernel/iommu_groups/0
group_members "$PAIR_0"
assert_equal "bridge and cards are one group" "$MEMBERS" "$PAIR_BRIDGE $PAIR_0 $PAIR_1"
group_members "$FAR_PAIR_0"
assert_equal "so on the second root bus" "$MEMBERS" "$FAR_PAIR_BRIDGE $FAR_PAIR_0 $FAR_PAIR_1"
group_members "$LATE"
assert_equal "a device on its own port is alone" "$MEMBERS" "$LATE"
assert_driver "$PAIR_0" e1000
check "the log shows the probe" dmesg_probed "$PAIR_0"

check "bind a card to vfio-pci" bind_by_hand "$PAIR_0" vfio-pci
assert_driver "$PAIR_0" vfio-pci
assert_driver "$PAIR_1" e1000
check "bind the other" bind_by_hand "$PAIR_1" vfio-pci
group_of "$PAIR_0"
check "the group's node exists" test -c "/dev/vfio/$GROUP"

check "8 VFs" sh -c "echo 8 > /sys/bus/pci/devices/$PF/sriov_numvfs"
vf_address "$PF" 7
assert_equal "address of the last VF" "$VF" "$PF_VF7"

check "plug a card" hotplug_add SLOT e1000e
check "its driver binds" wait_driver "$SLOT" e1000e
check "pull it" hotplug_del SLOT
