# The early pass may unbind host drivers, so it is for boots alone, however the unit gets started.

early() { systemctl show -P "$1" vfio-bindd-early.service; }
early_is_done() { [ "$(early ActiveState)" = active ]; }

wait_booted
assert_driver "$NVME_A" nvme "boot"
check "systemctl enable" systemctl enable vfio-bindd
check "an ordinary service" systemctl start systemd-tmpfiles-clean.service
check "the target" systemctl start vfio-bind.target
assert_driver "$NVME_A" nvme "after the target"
check "isolate" systemctl isolate multi-user.target
check "isolate starts the unit" wait_for 60 early_is_done
assert_driver "$NVME_A" nvme "which takes nothing from the host"
assert_match "and says why" "$(journalctl -b -o cat -q -t vfio-bindd-helper)" \
    "systemd-udevd is running already*"
# Up to systemd 255 this executes the programs of rules.
udevadm test --action=add "/sys/bus/pci/devices/$NVME_A" > /tmp/udevadm-test 2>&1
save_file udevadm-test /tmp/udevadm-test
assert_equal "udevadm test takes nothing" "$(readlink /sys/bus/pci/devices/"$NVME_A"/driver)" \
    "../../../../bus/pci/drivers/nvme"
check "systemd has nothing to say about the units" \
    systemd-analyze verify --man=no vfio-bindd.service vfio-bindd-early.service vfio-bind.target
if udevadm --help | grep -q ' verify'; then
    check "nor udev about the rules" udevadm verify /usr/lib/udev/rules.d/10-vfio-bindd.rules
else
    skip "udevadm verify" "systemd 254 brings it"
fi
assert_equal "no warning names us" "$(journalctl -b -q -p warning -o cat | grep -i vfio-bind)" ""
assert_equal "interrupts are remapped" "$(busctl get-property org.vfio.Bind1 /org/vfio/Bind1 \
    org.vfio.Bind1.Manager InterruptRemapping)" 's "yes"'
assert_no_failed_units
