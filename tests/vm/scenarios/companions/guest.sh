# Whole groups or none, and each refusal says what to do.

object() { echo "/org/vfio/Bind1/device/pci_$(echo "$1" | tr ':.' '__')"; }
assert_property() { # ADDRESS NAME VALUE
    assert_equal "$2 of $1" \
        "$(busctl get-property org.vfio.Bind1 "$(object "$1")" org.vfio.Bind1.Device "$2")" "$3"
}
journal_of() { # ADDRESS
    journalctl -b -o cat --no-pager "VFIO_BIND_DEVICE=$1"
}

refused() { # NAME FIRST SECOND REASON-OF-THE-SECOND
    assert_driver "$2" e1000 "$1: the claimed card stays with the host"
    assert_driver "$3" e1000 "$1: the other card stays with the host"
    assert_property "$2" State 's "refused"'
    assert_property "$3" Reason "s \"$4\""
}

wait_booted
refused slot "$SLOT_0" "$SLOT_1" companion-not-listed
assert_match "slot: the refusal gives the line to add" "$(journalctl -b -o cat -t vfio-bindd)" \
    "*Match=$SLOT_1*"
refused none "$NONE_0" "$NONE_1" companion-not-listed
refused excluded "$EXCLUDED_0" "$EXCLUDED_1" excluded
assert_driver "$HOTPLUG_BRIDGE_BRIDGE" shpchp
refused hotplug-bridge "$HOTPLUG_BRIDGE_0" "$HOTPLUG_BRIDGE_1" group-refused
assert_property "$HOTPLUG_BRIDGE_BRIDGE" Reason 's "bridge-driver-holds-group"'
assert_property "$SLOT_1" Role 's "companion"'
assert_property "$EXCLUDED_1" Role 's "excluded"'

assert_driver "$LISTED_0" vfio-pci
assert_driver "$LISTED_1" vfio-pci
assert_property "$LISTED_1" Role 's "selected"'

assert_driver "$DETACH_0" vfio-pci
assert_driver "$DETACH_1" none
assert_property "$DETACH_1" State 's "detached"'
modprobe -r e1000
modprobe e1000
udevadm trigger
udevadm settle
assert_driver "$DETACH_1" none "detached through modprobe and udevadm trigger"
assert_driver "$DETACH_0" vfio-pci "bound through modprobe and udevadm trigger"
assert_driver "$SLOT_0" e1000 "the host's card is back with its driver"
assert_not_probed "$DETACH_1"
assert_not_probed "$LISTED_0"
assert_equal "refusals degrade the whole" "$(busctl get-property org.vfio.Bind1 /org/vfio/Bind1 \
    org.vfio.Bind1.Manager State)" 's "degraded"'
assert_no_failed_units
