# At boot, at hot-plug, at the creation of virtual functions, at a call over D-Bus.

wait_booted
assert_driver "$NVME_A" nvme "boot"
check "hot-plug works" hotplug_add SLOT e1000e
check "hot-plug: the host's driver" wait_driver "$SLOT" e1000e
check "virtual functions" sh -c "echo 4 > /sys/bus/pci/devices/$PF/sriov_numvfs"
check "virtual functions: the host's driver tries" wait_for 20 dmesg_probed "$PF_VF0"
assert_equal "virtual functions: autoprobe untouched" \
    "$(cat "/sys/bus/pci/devices/$PF/sriov_drivers_autoprobe")" 1
refute "a call over D-Bus starts nothing" busctl call org.vfio.Bind1 /org/vfio/Bind1 \
    org.freedesktop.DBus.Peer Ping
assert_equal "the daemon is not running" "$(systemctl is-active vfio-bindd)" inactive
udevadm trigger
udevadm settle
check "no state was written" test ! -e /run/vfio-bindd
refute "vfio-pci was not loaded" test -e /sys/module/vfio_pci
assert_equal "no line in the journal" \
    "$(journalctl -b -o cat -q -t vfio-bindd -t vfio-bindd-helper)" ""
assert_no_failed_units

# The switch, as a user turns it: at work after the next boot only, nothing is taken from the host.
check "systemctl enable --now" systemctl enable --now vfio-bindd
assert_driver "$NVME_A" nvme "enable --now takes nothing from the host"
assert_equal "what waits says so" "$(busctl get-property org.vfio.Bind1 \
    "/org/vfio/Bind1/device/pci_$(echo "$NVME_A" | tr ':.' '__')" org.vfio.Bind1.Device Reason)" \
    's "needs-apply"'
check "systemctl disable --now" systemctl disable --now vfio-bindd
check "hot-plug after disable" hotplug_del SLOT
check "hot-plug after disable: again" hotplug_add SLOT e1000e
check "hot-plug after disable: the host's driver" wait_driver "$SLOT" e1000e
