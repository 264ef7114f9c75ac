# One group changes between the host's drivers and VFIO, another one is never given to a host driver
# in between. In the end both are released, and everything is compared with a boot without us.

MANAGER="org.vfio.Bind1 /org/vfio/Bind1 org.vfio.Bind1.Manager"
read -r ROUNDS < /etc/rounds

describe() { # tells the settings of each function
    functions=
    for device in /sys/bus/pci/devices/*; do
        address=${device##*/}
        driver_of "$address"
        text=$DRIVER
        for name in driver_override power/control sriov_drivers_autoprobe sriov_numvfs; do
            value=-
            [ ! -e "$device/$name" ] || read -r value < "$device/$name"
            text="$text $name=$value"
        done
        info "$address" "$text"
        functions="$functions $address"
    done
    info functions "$functions"
}

call() { # METHOD ADDRESS OPTIONS…
    # shellcheck disable=SC2086
    answer=$(busctl call --timeout=60 $MANAGER "$1" 'sa{sv}' "$2" ${3:-0} 2>&1) ||
        broken="$broken${NL}round $round: $1 $2: $answer"
}
has() { # DRIVER OF PAIR, DRIVER OF CLEAN
    rig_has_driver "$PAIR_0" "$1" && rig_has_driver "$PAIR_1" "$1" && rig_has_driver "$CLEAN" "$2"
}
quiet() { [ "$(pgrep -c -P "$DAEMON")" = 0 ]; }
measure() { # sets DESCRIPTORS, CHILDREN and MEMORY, in kB
    wait_for 10 quiet
    CHILDREN=$(pgrep -c -P "$DAEMON")
    DESCRIPTORS=$(ls "/proc/$DAEMON/fd" | wc -l)
    MEMORY=$(sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$DAEMON/status")
    info "round-$round" "$DESCRIPTORS descriptors, $CHILDREN children, $MEMORY kB"
}

wait_booted
if [ "$BOOT" = control ]; then
    describe
    return 0
fi

DAEMON=$(systemctl show -P MainPID vfio-bindd)
assert_driver "$CLEAN" vfio-pci "the claimed one is bound"
assert_driver "$PAIR_0" e1000 "the host has the other ones"
assert_not_probed "$CLEAN"
modprobe vfio-pci
broken=
round=0
first=10
[ "$ROUNDS" -lt 100 ] || first=50
while [ "$round" -lt "$ROUNDS" ]; do
    round=$((round + 1))
    call BindDevice "$PAIR_0"
    call ReleaseDevice "$CLEAN" '1 no-probe b true'
    has vfio-pci none || broken="$broken${NL}round $round: not bound and released"
    call ReleaseDevice "$PAIR_1"
    call BindDevice "$CLEAN"
    has e1000 vfio-pci || broken="$broken${NL}round $round: not released and bound"
    [ "$round" != 1 ] || measure
    if [ "$round" = "$first" ]; then
        measure
        descriptors=$DESCRIPTORS
        memory=$MEMORY
    fi
done
if [ -z "$broken" ]; then ok "$ROUNDS rounds"
else fail "$ROUNDS rounds" "not all of them" "$broken"; fi
assert_not_probed "$CLEAN" "in all rounds no host driver probed the clean one"

measure
assert_equal "the daemon is still the same" "$(systemctl show -P MainPID vfio-bindd)" "$DAEMON"
assert_equal "as many descriptors as after round $first" "$DESCRIPTORS" "$descriptors"
assert_equal "no children" "$CHILDREN" 0
if [ $((MEMORY - memory)) -le 256 ]; then ok "memory grew by at most 256 KiB"
else fail "memory grew by at most 256 KiB" "from $memory to $MEMORY kB"; fi

call ReleaseDevice "$CLEAN"
if wait_for 20 has e1000 nvme; then ok "released to the host's driver"
else fail "released to the host's driver" "$answer"; fi
assert_equal "nothing of ours is left in /dev/vfio" "$(find /dev/vfio -type l)" ""
assert_equal "nor an intent" "$(ls /run/vfio-bindd/intents)" ""
describe
