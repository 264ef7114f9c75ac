# driverctl is the real one. libvirt does not fit into this guest: what it writes is written here as
# virPCIDeviceBindWithDriverOverride() and virPCIDeviceUnbindWithOverride() do it (src/util/virpci.c
# of libvirt 11): override, unbind, drivers_probe.

SYSFS=/sys/bus/pci

property() { # ADDRESS NAME: sets VALUE
    VALUE=$(busctl get-property org.vfio.Bind1 \
        "/org/vfio/Bind1/device/pci_$(echo "$1" | tr ':.' '__')" org.vfio.Bind1.Device "$2" 2>&1)
}
state_is() { # ADDRESS STATE
    property "$1" State
    [ "$VALUE" = "s \"$2\"" ]
}
assert_state() { # ADDRESS STATE NAME
    if wait_for 15 state_is "$1" "$2"; then ok "$3"
    else fail "$3" "$VALUE" "$(journalctl -b -u vfio-bindd | tail -n 10)"; fi
}
rebind() { # ADDRESS OVERRIDE
    printf '%s\n' "$2" > "$SYSFS/devices/$1/driver_override"
    [ ! -e "$SYSFS/devices/$1/driver" ] || echo "$1" > "$SYSFS/devices/$1/driver/unbind"
    echo "$1" > "$SYSFS/drivers_probe"
}
libvirt_detach() { rebind "$1" vfio-pci; }
libvirt_reattach() { rebind "$1" ''; }
# (QEMU's own: `managed='yes'` for what is on a VFIO driver already neither unbinds nor reattaches.)

linked() { # ADDRESS
    [ -e "/dev/vfio/by-address/$1" ]
}
not_linked() { # ADDRESS: no link, not even one that leads nowhere
    [ ! -L "/dev/vfio/by-address/$1" ]
}

# From here on udev has a drive that appears open for so long.
slow_udev() { # SECONDS, 0: not any more
    mkdir -p /run/udev/rules.d
    rule="ACTION==\"add|change\", SUBSYSTEM==\"block\", RUN+=\"/bin/sleep $1\""
    [ "$1" != 0 ] || rule=''
    echo "$rule" > /run/udev/rules.d/99-slow.rules
    udevadm control --reload
}

wait_booted
assert_driver "$TOLD" vfio-pci "bound"
assert_driver "$TAKEN" vfio-pci "bound, the other one"

# driverctl, reported
check "driverctl set-override" driverctl set-override "$TOLD" nvme
assert_state "$TOLD" drifted "driverctl: shown as drifted"
assert_driver "$TOLD" nvme "driverctl: left with what it was given to"
property "$TOLD" DriftCount
assert_equal "driverctl: counted" "$VALUE" "u 1"
check "driverctl: in the journal" sh -c \
    "journalctl -b -u vfio-bindd | grep -q '$TOLD.*another program changed it'"
if wait_for 5 not_linked "$TOLD"; then ok "driverctl: no link leads nowhere"
else fail "driverctl: no link leads nowhere" "$(ls -l /dev/vfio/by-address)"; fi
check "driverctl unset-override" driverctl unset-override "$TOLD"
assert_driver "$TOLD" nvme "driverctl: unset leaves it with the host"
check "vfio-bindctl apply takes it again" vfio-bindctl apply told
assert_state "$TOLD" bound "bound again after apply"
if wait_for 5 linked "$TOLD"; then ok "with its link"
else fail "with its link" "$(ls -l /dev/vfio/by-address)"; fi

# driverctl, reclaimed: three times, then it is left alone
for turn in 1 2 3; do
    [ "$turn" != 1 ] || slow_udev 4
    check "driverctl set-override, turn $turn" driverctl --nosave set-override "$TAKEN" nvme
    if wait_driver "$TAKEN" vfio-pci 15; then ok "reclaimed, turn $turn"
    else fail "reclaimed, turn $turn" "not taken again"; fi
    assert_state "$TAKEN" bound "and bound, turn $turn"
    slow_udev 0
done
check "driverctl set-override, once more" driverctl --nosave set-override "$TAKEN" nvme
assert_state "$TAKEN" drifted "the fourth time it is left"
property "$TAKEN" Reason
assert_equal "and says so" "$VALUE" 's "reclaim-gave-up"'
assert_driver "$TAKEN" nvme "with what it was given to"

# libvirt
group_of "$TOLD"
libvirt_reattach "$TOLD"
assert_state "$TOLD" drifted "libvirt: a reattached device is shown as drifted"
assert_driver "$TOLD" nvme "libvirt: the host has it"
libvirt_detach "$TOLD"
assert_state "$TOLD" bound "libvirt: a detached one is bound"
node_is_right() { [ "$(stat -c '%U %G %a' "/dev/vfio/$GROUP")" = "root kvm 640" ]; }
if wait_for 10 linked "$TOLD"; then ok "libvirt: its link is there again"
else fail "libvirt: its link is there again" "$(ls -l /dev/vfio/by-address)"; fi
if wait_for 5 node_is_right; then ok "libvirt: its node has its owner"
else fail "libvirt: its node has its owner" "$(ls -l /dev/vfio)"; fi
check "released all the same" busctl call --timeout=60 org.vfio.Bind1 /org/vfio/Bind1 \
    org.vfio.Bind1.Manager ReleaseDevice 'sa{sv}' "$TOLD" 0
assert_driver "$TOLD" nvme "to the host's driver"
read -r override < "$SYSFS/devices/$TOLD/driver_override"
assert_equal "with no override left" "$override" "(null)"
assert_no_failed_units
