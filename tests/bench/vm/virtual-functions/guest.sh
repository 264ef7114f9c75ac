# Every round measures each way once, in the same boot, one after the other. What is not ours runs
# while our rules are off, by the switch, and the daemon is stopped.

read -r ROUNDS FULL < /etc/bench-rounds
VFS=32
SWITCH=/etc/systemd/system/sysinit.target.wants/vfio-bindd-early.service
CLOCK=/usr/local/bin/vm-bind-clock
AUTOPROBE=/sys/bus/pci/devices/$PF/sriov_drivers_autoprobe

switch_on() { ln -s "/usr/lib/systemd/system/${SWITCH##*/}" "$SWITCH"; }
switch_off() { rm "$SWITCH"; }
# A rule of driverctl starts a shell script for every node in /dev/vfio. It is there in the rounds
# of driverctl only: who does not have that package has no such rule.
driverctl_rules() { # on|off
    mkdir -p /run/udev/rules.d
    for rules in 05-driverctl 89-vfio-uio; do
        case $1 in
        on) rm -f "/run/udev/rules.d/$rules.rules" ;;
        off) ln -sf /dev/null "/run/udev/rules.d/$rules.rules" ;;
        esac
    done
    udevadm control --reload
}
quiesce() { udevadm settle; sleep 1; }

measure() { # WAY MODE [COMMAND…]: adds WAY=USEC to the round
    way=$1
    mode=$2
    shift 2
    quiesce
    if ! found=$("$CLOCK" "$mode" "$PF" "$VFS" "$@" 2>/run/clock); then
        fail "$way" "$(cat /run/clock)" "$(dmesg | tail)"
        found="0 0"
    fi
    text="$text $way=${found% *} $way-write=${found#* }"
    quiesce
    echo 0 > "/sys/bus/pci/devices/$PF/sriov_numvfs"
}

status() { # KEY of /proc/PID/status: sets VALUE
    while read -r key VALUE rest; do
        [ "$key" = "$1:" ] && return 0
    done < "/proc/$DAEMON/status"
}
switches() {
    status voluntary_ctxt_switches
    SWITCHES=$VALUE
    status nonvoluntary_ctxt_switches
    SWITCHES=$((SWITCHES + VALUE))
}

all_bound() {
    for vf in "/sys/bus/pci/devices/$1"/virtfn*; do
        [ -e "$vf/driver" ] || return 1
    done
}

idle() {
    DAEMON=$(systemctl show -P MainPID vfio-bindd)
    for pf in "$PF" "$MORE"; do
        echo "$VFS" > "/sys/bus/pci/devices/$pf/sriov_numvfs"
        wait_for 30 all_bound "$pf"
    done
    quiesce
    sleep 5
    switches
    before=$SWITCHES
    sleep 60
    switches
    info "idle context switches in 60 s: $((SWITCHES - before)) (one is the watchdog's in 90 s)"
    status VmRSS
    info "idle VmRSS with 64 virtual functions: $VALUE KiB"
    save_file smaps "/proc/$DAEMON/smaps"
    echo 0 > "/sys/bus/pci/devices/$MORE/sriov_numvfs"
    echo 0 > "/sys/bus/pci/devices/$PF/sriov_numvfs"
}

# As people write it.
cat > /run/shell-loop <<END
for vf in /sys/bus/pci/devices/$PF/virtfn*; do
    address=\$(basename "\$(readlink "\$vf")")
    echo vfio-pci > /sys/bus/pci/devices/\$address/driver_override
    echo "\$address" > /sys/bus/pci/drivers_probe
done
END
cat > /run/driverctl-loop <<END
for vf in /sys/bus/pci/devices/$PF/virtfn*; do
    driverctl --nosave set-override "\$(basename "\$(readlink "\$vf")")" vfio-pci
done
END

wait_booted
assert_equal "automatic probing is off" "$(cat "$AUTOPROBE")" 0
driverctl_rules off
[ "$FULL" = no ] || idle
modprobe vfio_pci
for round in $(seq "$ROUNDS"); do
    text=
    measure ours wait
    systemctl stop vfio-bindd
    measure helper wait
    switch_off
    measure loop loop
    # They take so long that a few rounds must do.
    if [ "$round" -le 3 ] && [ "$FULL" = yes ]; then
        measure shell wait sh /run/shell-loop
        driverctl_rules on
        measure driverctl wait sh /run/driverctl-loop
        driverctl_rules off
    fi
    info "round$text"
    switch_on
    systemctl start vfio-bindd
done
assert_no_failed_units
