# What strace saw is what the kernel was asked.

object() { echo "/org/vfio/Bind1/device/pci_$(echo "$1" | tr ':.' '__')"; }
property() { # ADDRESS NAME
    busctl get-property org.vfio.Bind1 "$(object "$1")" org.vfio.Bind1.Device "$2"
}
daemon() { systemctl show -P MainPID vfio-bindd; }

assert_quiet() { # NAME [PATTERN OF WHAT MAY BE WRITTEN]
    grep -E '"/?sys/|bus/pci|devices/pci|driver_override|sriov_|power/control' \
        /run/vfio-bindd/trace | grep -E 'O_WRONLY|O_RDWR|creat\(' |
        grep -vE "${2:-^$}" > /tmp/writes
    assert_equal "$1: no file below /sys is opened for writing" "$(cat /tmp/writes)" ""
    for device in "$NVME_A" "$PAIR_0" "$PAIR_1"; do
        assert_driver "$device" vfio-pci "$1: $device stays bound"
    done
    : > /run/vfio-bindd/trace
}

answers() { busctl call org.vfio.Bind1 /org/vfio/Bind1 org.freedesktop.DBus.Peer Ping; }

wait_booted
check "the trace is being written" grep -q 'bus/pci\|devices/pci' /run/vfio-bindd/trace
provenance=$(property "$NVME_A" Provenance)
bound_at=$(property "$NVME_A" BoundTimestamp)
assert_quiet "first start after the early pass"

check "restart" systemctl restart vfio-bindd
assert_quiet restart
systemctl kill --kill-whom=all -s KILL vfio-bindd 2> /dev/null ||
    systemctl kill --kill-who=all -s KILL vfio-bindd
check "it comes back by itself" wait_for 60 answers
assert_quiet "kill -9"
check "reload" systemctl reload vfio-bindd
check "it answers" answers
assert_quiet "reload with an unchanged configuration"
check "stop" systemctl stop vfio-bindd
assert_quiet stop
check "start" systemctl start vfio-bindd
assert_quiet start
assert_equal "provenance outlives all that" "$(property "$NVME_A" Provenance)" "$provenance"
assert_equal "so does the time of binding" "$(property "$NVME_A" BoundTimestamp)" "$bound_at"

rm /etc/vfio-bind.conf.d/pair.conf
check "reload without a claim" systemctl reload vfio-bindd
removed() { [ "$(property "$PAIR_0" Reason)" = 's "claim-removed"' ]; }
check "its devices say claim-removed" wait_for 20 removed
assert_equal "and are still bound" "$(property "$PAIR_0" State)" 's "bound"'
# The configuration is another one: udev is asked to look at the claimed node again, and no more.
group_of "$NVME_A"
assert_quiet "reload with a claim removed" "\"sys/class/vfio/$GROUP/uevent\""

printf '[Claim drive]\nMatch=%s\nMatchh=x\n' "$NVME_A" > /etc/vfio-bind.conf
refute "a reload with errors says so" systemctl reload vfio-bindd
degraded() {
    [ "$(busctl get-property org.vfio.Bind1 /org/vfio/Bind1 org.vfio.Bind1.Manager State)" = \
        's "degraded"' ]
}
check "a reload with errors degrades" wait_for 20 degraded
assert_equal "the last good version holds" "$(property "$NVME_A" State)" 's "bound"'
assert_match "the error is on the bus" "$(busctl get-property org.vfio.Bind1 /org/vfio/Bind1 \
    org.vfio.Bind1.Manager ConfigurationErrors)" '*"/etc/vfio-bind.conf" 3 1 *Match*'
assert_quiet "reload with errors"
assert_no_failed_units
