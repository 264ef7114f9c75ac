# Nothing fails, nothing is taken, and the reason is on the bus and in the journal.

manager() { busctl get-property org.vfio.Bind1 /org/vfio/Bind1 org.vfio.Bind1.Manager "$1"; }
claim() { busctl get-property org.vfio.Bind1 "/org/vfio/Bind1/claim/$1" org.vfio.Bind1.Claim "$2"; }

refused() { # CLAIM STATE REASON
    assert_equal "the claim's state" "$(claim "$1" State)" "s \"$2\""
    assert_equal "the claim's reason" "$(claim "$1" Reason)" "s \"$3\""
    assert_equal "the whole is degraded" "$(manager State)" 's "degraded"'
    assert_match "the journal has the reason" \
        "$(journalctl -b -o cat --no-pager "VFIO_BIND_REASON=$3")" "?*"
}

# Microseconds that multi-user.target can have waited for our units: all of their start-up.
report_own_start_up() {
    sum=0
    for unit in vfio-bindd-early.service vfio-bindd.service vfio-bind.target; do
        left=$(systemctl show -P InactiveExitTimestampMonotonic "$unit")
        reached=$(systemctl show -P ActiveEnterTimestampMonotonic "$unit")
        sum=$((sum + reached - left))
    done
    info "own-start-up-usec $sum"
}

wait_booted
assert_no_failed_units
report_own_start_up
case "${BOOT%-again}" in
    control)
        assert_driver "$NVME_A" nvme
        ;;
    no-iommu)
        refused drive refused no-iommu
        assert_equal "no IOMMU on the bus" "$(manager Iommu)" 's "none"'
        assert_driver "$NVME_A" nvme
        ;;
    no-module)
        refused drive failed driver-missing
        assert_driver "$NVME_A" nvme "the host has its drive"
        ;;
    shared-group)
        refused card refused companion-not-listed
        assert_driver "$PAIR_0" e1000
        assert_driver "$PAIR_1" e1000
        ;;
    absent)
        assert_equal "absent" "$(claim away State)" 's "absent"'
        assert_equal "an absent device degrades nothing" "$(manager State)" 's "running"'
        ;;
esac
