# Three batches of seven rounds each. A slot takes seconds to let a card go, so those of a batch go
# together; the cards are plugged one at a time.

BATCHES=3

property() { # ADDRESS NAME: sets VALUE
    VALUE=$(busctl get-property org.vfio.Bind1 \
        "/org/vfio/Bind1/device/pci_$(echo "$1" | tr ':.' '__')" org.vfio.Bind1.Device "$2")
}
is_bound() { property "$address" State; [ "$VALUE" = 's "bound"' ]; }

plug_claimed() { # INDEX
    eval "address=\$CLAIMED_$1"
    rounds=$((rounds + 1))
    hotplug_add "CLAIMED_$1" e1000e || { failed=$((failed + 1)); return; }
    wait_for 2 rig_has_driver "$address" vfio-pci || late="$late $rounds:$DRIVER"
    udevadm settle
    wait_for 5 is_bound || wrong="$wrong${NL}round $rounds: State is $VALUE"
    property "$address" Provenance
    if dmesg_probed "$address"; then
        taken=$((taken + 1))
        [ "$VALUE" = 's "taken"' ] || wrong="$wrong${NL}round $rounds: probed, but $VALUE"
        property "$address" TakenFrom
        [ "$VALUE" = 's "e1000e"' ] || wrong="$wrong${NL}round $rounds: TakenFrom $VALUE"
    else
        [ "$VALUE" = 's "clean"' ] || wrong="$wrong${NL}round $rounds: not probed, but $VALUE"
    fi
    group_of "$address"
    found=$(stat -c '%U:%G %a' "/dev/vfio/$GROUP" 2>&1)
    [ "$found" = "nobody:kvm 660" ] || nodes="$nodes${NL}round $rounds: $found"
    found=$(readlink -f "/dev/vfio/by-address/$address")
    [ "$found" = "/dev/vfio/$GROUP" ] || nodes="$nodes${NL}round $rounds: link to $found"
}

plug_other() { # INDEX
    eval "address=\$OTHER_$1"
    hotplug_add "OTHER_$1" e1000e || { failed=$((failed + 1)); return; }
    wait_for 2 rig_has_driver "$address" e1000e || late_others="$late_others $rounds:$DRIVER"
}

# A card is asked for until QEMU knows of none: "guest is busy" while the slot's indicator blinks,
# "already in the process of unplug" until the guest has let go.
pull() { qmp "{\"execute\":\"device_del\",\"arguments\":{\"id\":\"$1\"}}"; }
is_gone() { case "$(pull "$1")" in *DeviceNotFound*|*"not found"*) return 0 ;; esac; return 1; }

pull_all() {
    for index in 0 1 2 3 4 5 6; do
        pull "CLAIMED_$index" > /dev/null
        pull "OTHER_$index" > /dev/null
    done
    for index in 0 1 2 3 4 5 6; do
        wait_for 30 is_gone "CLAIMED_$index" || failed=$((failed + 1))
        wait_for 30 is_gone "OTHER_$index" || failed=$((failed + 1))
    done
    udevadm settle
}

none() { # NAME TEXT
    if [ -z "${2#0}" ]; then ok "$1"; else fail "$1" "not in every round" "$2"; fi
}

wait_booted
assert_driver "$LOADED" e1000e "the host's driver is loaded"
late='' late_others='' wrong='' nodes='' rounds=0 failed=0 taken=0 batch=0
while [ "$batch" -lt "$BATCHES" ]; do
    dmesg -C
    for index in 0 1 2 3 4 5 6; do
        plug_claimed "$index"
        plug_other "$index"
    done
    pull_all
    batch=$((batch + 1))
done
info "hotplug: $taken of $rounds claimed functions were taken from e1000e, the others clean"
none "plugged and pulled" "$failed"
none "claimed: on vfio-pci within 2 s" "$late"
none "claimed: shown as bound, and taken in exactly the rounds that show the host's probe" "$wrong"
none "claimed: node and link right" "$nodes"
none "unclaimed: on the host's driver within 2 s" "$late_others"
check "no link is left behind" test ! -e "/dev/vfio/by-address/$CLAIMED_0"
assert_no_failed_units
