# Library of the guest scripts, for POSIX sh (dash and busybox). See README.md for what each does.
# A fork costs 10 ms and more in an emulated processor: builtins first.

. /rig/env
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin
PHASE=first
[ -e /rig/phase ] && read -r PHASE < /rig/phase
NL='
'

# rig_port NAME: sets rig_device to the node of a virtio-serial port. On a busy host the script may
# come before udev has loaded their driver.
rig_port() {
    rig_left=300
    while [ "$rig_left" -gt 0 ]; do
        for rig_entry in /sys/class/virtio-ports/*; do
            { read -r rig_name < "$rig_entry/name"; } 2>/dev/null || continue
            if [ "$rig_name" = "$1" ]; then
                rig_device=/dev/${rig_entry##*/}
                return 0
            fi
        done
        sleep 0.1
        rig_left=$((rig_left - 1))
    done
    echo "rig: no virtio-serial port $1" >&2
    return 1
}

# A port may be open once: a script that a person runs beside the scenario's own gets none.
if rig_port rig.results && { : >> "$rig_device"; } 2>/dev/null; then exec 8>> "$rig_device"
else exec 8>&1; fi
if rig_port rig.host && { : >> "$rig_device"; } 2>/dev/null; then exec 9<> "$rig_device"; fi

# --- Results ------------------------------------------------------------------------------------

ok() { printf 'ok %s\n' "$1" >&8; }
skip() { printf 'skip %s: %s\n' "$1" "$2" >&8; }
info() { printf 'info %s\n' "$*" >&8; }

# fail NAME WHY [DETAILS]: both may have many lines.
fail() {
    printf 'not ok %s: %s\n' "$1" "${2%%"$NL"*}" >&8
    rig_rest=
    case "$2" in *"$NL"*) rig_rest=${2#*"$NL"}$NL ;; esac
    rig_rest=$rig_rest${3:+$3$NL}
    while [ -n "$rig_rest" ]; do
        printf '# %s\n' "${rig_rest%%"$NL"*}" >&8
        rig_rest=${rig_rest#*"$NL"}
    done
}

# check NAME COMMAND…: the command succeeds.
check() {
    rig_name=$1
    shift
    if rig_output=$("$@" 2>&1); then
        ok "$rig_name"
    else
        fail "$rig_name" "status $? of: $*" "$rig_output"
    fi
}

# refute NAME COMMAND…: the command fails.
refute() {
    rig_name=$1
    shift
    if rig_output=$("$@" 2>&1); then
        fail "$rig_name" "succeeded: $*" "$rig_output"
    else
        ok "$rig_name"
    fi
}

# assert_equal NAME ACTUAL EXPECTED
assert_equal() {
    if [ "$2" = "$3" ]; then ok "$1"; else fail "$1" "'$2', expected '$3'"; fi
}

# assert_match NAME ACTUAL PATTERN: a shell pattern.
assert_match() {
    # shellcheck disable=SC2254
    case "$2" in
        $3) ok "$1" ;;
        *) fail "$1" "'$2' does not match '$3'" ;;
    esac
}

# save_file NAME PATH: brings a file to the results directory ("-" reads standard input).
save_file() {
    printf 'file %s\n' "$1" >&8
    if [ "$2" = - ]; then base64; else base64 < "$2"; fi >&8
    echo end >&8
}

# --- Devices ------------------------------------------------------------------------------------

# driver_of ADDRESS: sets DRIVER to the driver's name, "none", or "absent".
driver_of() {
    rig_link=/sys/bus/pci/devices/$1
    if [ ! -e "$rig_link" ]; then
        DRIVER=absent
    elif [ ! -e "$rig_link/driver" ]; then
        DRIVER=none
    else
        DRIVER=$(readlink "$rig_link/driver")
        DRIVER=${DRIVER##*/}
    fi
}

# assert_driver ADDRESS DRIVER|none|absent [NAME]
assert_driver() {
    driver_of "$1"
    assert_equal "${3:-driver of $1}" "$DRIVER" "$2"
}

# group_of ADDRESS: sets GROUP to the number of the IOMMU group, or "none".
group_of() {
    GROUP=none
    [ -e "/sys/bus/pci/devices/$1/iommu_group" ] || return 0
    GROUP=$(readlink "/sys/bus/pci/devices/$1/iommu_group")
    GROUP=${GROUP##*/}
}

# group_members ADDRESS: sets MEMBERS to the addresses in its IOMMU group, sorted.
group_members() {
    MEMBERS=
    for rig_entry in "/sys/bus/pci/devices/$1/iommu_group/devices"/*; do
        MEMBERS="$MEMBERS${MEMBERS:+ }${rig_entry##*/}"
    done
}

# vf_address PF-ADDRESS INDEX: sets VF by the kernel's own link.
vf_address() {
    VF=$(readlink "/sys/bus/pci/devices/$1/virtfn$2") || { VF=none; return 1; }
    VF=${VF##*/}
}

# dmesg_probed ADDRESS: true if the kernel log shows a host driver's probe of the function.
dmesg_probed() {
    dmesg | grep -qE "nvme nvme[0-9]+: pci function $1|\
(nvme|e1000|e1000e|igb|igbvf|ahci|xhci_hcd|snd_hda_intel|virtio-pci) $1[ :]"
}

# assert_not_probed ADDRESS [NAME]
assert_not_probed() {
    if dmesg_probed "$1"; then
        fail "${2:-no host driver probed $1}" "the kernel log shows a probe" \
            "$(dmesg | grep -F "$1")"
    else
        ok "${2:-no host driver probed $1}"
    fi
}

# bind_by_hand ADDRESS DRIVER: override, unbind, probe; no assertion.
bind_by_hand() {
    echo "$2" > "/sys/bus/pci/devices/$1/driver_override" || return 1
    [ ! -e "/sys/bus/pci/devices/$1/driver" ] ||
        echo "$1" > "/sys/bus/pci/devices/$1/driver/unbind" || return 1
    echo "$1" > /sys/bus/pci/drivers_probe
}

# wait_for SECONDS COMMAND…: until the command succeeds, trying ten times a second. Ten and more are
# patience and no promise: an emulator that gets little of its host has three times as long.
wait_for() {
    rig_left=$(($1 * 10))
    [ "$1" -lt 10 ] || rig_left=$((rig_left * 3))
    shift
    until "$@"; do
        rig_left=$((rig_left - 1))
        [ "$rig_left" -gt 0 ] || return 1
        sleep 0.1
    done
}

rig_has_driver() { driver_of "$1"; [ "$DRIVER" = "$2" ]; }
rig_is_present() { [ -e "/sys/bus/pci/devices/$1" ]; }
rig_is_absent() { [ ! -e "/sys/bus/pci/devices/$1" ]; }

# wait_driver ADDRESS DRIVER|none|absent [SECONDS]
wait_driver() { wait_for "${3:-20}" rig_has_driver "$1" "$2"; }

# --- The host -----------------------------------------------------------------------------------

# rig_ask REQUEST: sends a line, sets REPLY to the answer; fails if that is an error.
rig_ask() {
    printf '%s\n' "$1" >&9
    IFS= read -r REPLY <&9
    case "$REPLY" in
        error*|*'"error"'*) return 1 ;;
    esac
}

# qmp JSON: runs a QMP command on the host, prints its reply (one line).
qmp() {
    rig_ask "qmp $1"
    rig_status=$?
    printf '%s\n' "$REPLY"
    return "$rig_status"
}

# wait_event NAME SECONDS [KEY=VALUE]: until QEMU has sent the event (also if it came before).
wait_event() { rig_ask "wait-event $*"; }

# hotplug_add SLOT MODEL [PROPERTY=VALUE…]: plugs a device into the slot of that name.
hotplug_add() {
    eval "rig_address=\$$1"
    if ! rig_ask "plug $*"; then
        echo "$REPLY" >&2
        return 1
    fi
    wait_for 20 rig_is_present "$rig_address"
}

# hotplug_del NAME: pulls a device (also one that was there at boot) and waits until it is gone.
hotplug_del() {
    eval "rig_address=\$$1"
    if ! rig_ask "unplug $1"; then
        echo "$REPLY" >&2
        return 1
    fi
    wait_for 20 rig_is_absent "$rig_address"
}

# reboot_into PHASE: reboots; the same script runs again with PHASE set. Does not return.
reboot_into() {
    if [ "$TIER" != system ]; then
        fail reboot "the kernel tier keeps nothing over a reboot"
        return 1
    fi
    : > /run/rig-leaving
    echo "$1" > /rig/phase
    rig_save_logs
    printf 'reboot %s\n' "$1" >&8
    sync
    systemctl reboot
    exit 0
}

# power_off: ends the guest by its own shutdown instead of at once. Does not return.
power_off() {
    : > /run/rig-leaving
    rig_save_logs
    printf 'poweroff\n' >&8
    if [ "$TIER" = system ]; then systemctl poweroff; else poweroff -f; fi
    exit 0
}

# --- systemd ------------------------------------------------------------------------------------

# wait_booted: until systemd has no start-up job left and udev has handled every device. (The
# targets wait for neither: multi-user.target is often reached before nvme has probed.)
wait_booted() {
    timeout 120 systemctl is-system-running --wait > /dev/null
    udevadm settle --timeout=60
}

# assert_no_failed_units [NAME]
assert_no_failed_units() {
    rig_output=$(systemctl list-units --failed --plain --no-legend)
    if [ -z "$rig_output" ]; then
        ok "${1:-no failed units}"
    else
        fail "${1:-no failed units}" "${rig_output%% *} and perhaps others" "$rig_output"
    fi
}

# --- The rig's own use --------------------------------------------------------------------------

# The topology's promise: each device at the address it foretold.
rig_check_devices() {
    [ "$PHASE" = first ] || return 0
    while read -r rig_address rig_ids; do
        if read -r rig_vendor < "/sys/bus/pci/devices/$rig_address/vendor" &&
           read -r rig_device < "/sys/bus/pci/devices/$rig_address/device" &&
           [ "${rig_vendor#0x}:${rig_device#0x}" = "$rig_ids" ]; then
            continue
        fi
        fail "rig-topology $rig_ids" "not at $rig_address" "$(ls /sys/bus/pci/devices)"
    done < /rig/devices
}

# Microseconds since the kernel's start, and since systemd's.
rig_report_timing() {
    rig_reached=$(systemctl show -P ActiveEnterTimestampMonotonic multi-user.target)
    rig_started=$(systemctl show -P UserspaceTimestampMonotonic)
    info "multi-user-usec $rig_reached"
    info "userspace-usec $((rig_reached - rig_started))"
}

rig_save_logs() {
    dmesg | save_file "dmesg-$PHASE" -
    [ "$TIER" = system ] || return 0
    journalctl -b --no-pager -o short-monotonic 2>/dev/null | save_file "journal-$PHASE" -
}

rig_conclude() {
    rig_save_logs
    printf 'done\n' >&8
}
