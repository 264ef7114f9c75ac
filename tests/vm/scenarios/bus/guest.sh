# What can be told from an exit status is judged here; trees, interfaces and signals by scenario.py.

NAME=org.vfio.Bind1
ROOT=/org/vfio/Bind1
MANAGER=org.vfio.Bind1.Manager
DEVICE=org.vfio.Bind1.Device

object() { echo "$ROOT/device/pci_$(echo "$1" | tr ':.' '__')"; }
property() { busctl get-property "$NAME" "$(object "$1")" "$DEVICE" "$2"; }
manager() { busctl call "$NAME" "$ROOT" "$MANAGER" "$@"; }
as_alice() { runuser -u alice -- "$@"; }
# The objects, and the manager's properties, which an object manager does not list.
objects() {
    "$@" busctl --json=short call "$NAME" "$ROOT" org.freedesktop.DBus.ObjectManager \
        GetManagedObjects
    "$@" busctl --json=short call "$NAME" "$ROOT" org.freedesktop.DBus.Properties GetAll s \
        "$MANAGER"
}

# error_of COMMAND…: sets ERROR to the name of the D-Bus error, MESSAGE to its text.
error_of() {
    error_output=$(SYSTEMD_LOG_LEVEL=debug "$@" 2>&1)
    ERROR=$(echo "$error_output" |
        sed -n 's/.*Got message type=error .*error-name=\([^ ]*\) .*/\1/p' | tail -n 1)
    MESSAGE=$(echo "$error_output" | sed -n 's/^Call failed: //p')
}
assert_error() { # NAME ERROR COMMAND…
    error_name=$1 error_wanted=$2
    shift 2
    error_of "$@"
    assert_equal "$error_name" "$ERROR" "$error_wanted"
}

# --- Tree, interfaces ---------------------------------------------------------------------------

tell_tree() {
    busctl tree --list "$NAME" | grep / | sort | save_file tree -
    {
        echo /
        echo /org
        echo /org/vfio
        for name in "" /device /group /claim /claim/drive /claim/pair /claim/plugged \
            /physical_function /physical_function/card; do echo "$ROOT$name"; done
        for entry in /sys/bus/pci/devices/*; do object "${entry##*/}"; done
        for entry in /sys/kernel/iommu_groups/*; do echo "$ROOT/group/${entry##*/}"; done
        echo /org/freedesktop
        echo /org/freedesktop/LogControl1
    } | sort | save_file tree-expected -
    group_of "$NVME_A"
    busctl introspect --xml-interface "$NAME" "$ROOT" | save_file xml-Manager -
    busctl introspect --xml-interface "$NAME" "$(object "$NVME_A")" | save_file xml-Device -
    busctl introspect --xml-interface "$NAME" "$ROOT/group/$GROUP" | save_file xml-Group -
    busctl introspect --xml-interface "$NAME" "$ROOT/claim/drive" | save_file xml-Claim -
    busctl introspect --xml-interface "$NAME" "$ROOT/physical_function/card" |
        save_file xml-PhysicalFunction -
    busctl introspect "$NAME" "$(object "$NVME_A")" | save_file introspect.txt -
    check "introspect has values" busctl introspect "$NAME" "$(object "$NVME_A")"
}

# --- Who may what -------------------------------------------------------------------------------

denied() { # NAME COMMAND…
    denied_name=$1
    shift
    error_of as_alice "$@"
    case "$ERROR" in
        org.freedesktop.DBus.Error.AccessDenied | \
        org.freedesktop.DBus.Error.InteractiveAuthorizationRequired)
            ok "alice may not $denied_name" ;;
        *) fail "alice may not $denied_name" "error '$ERROR': $MESSAGE" ;;
    esac
}

unprivileged() {
    objects | save_file objects-root -
    objects as_alice | save_file objects-alice -
    group_of "$NVME_A"
    for pair in "$ROOT $MANAGER" "$(object "$NVME_A") $DEVICE" "$ROOT/group/$GROUP $NAME.Group" \
        "$ROOT/claim/drive $NAME.Claim" "$ROOT/physical_function/card $NAME.PhysicalFunction"; do
        check "alice reads ${pair#* }" as_alice busctl call "$NAME" "${pair% *}" \
            org.freedesktop.DBus.Properties GetAll s "${pair#* }"
        check "alice sees the interface of ${pair% *}" \
            as_alice busctl introspect "$NAME" "${pair% *}"
    done
    for call in "Plan a{sv} 0" "Explain s $NVME_A" "GetDevice s $NVME_A" "GetGroup u $GROUP" \
        "GetClaim s drive" ListDevices ListClaims; do
        # shellcheck disable=SC2086
        check "alice asks ${call%% *}" as_alice busctl call "$NAME" "$ROOT" "$MANAGER" $call
    done

    denied reload busctl call "$NAME" "$ROOT" "$MANAGER" Reload
    denied apply busctl call "$NAME" "$ROOT" "$MANAGER" Apply 'asa{sv}' 0 0
    denied bind busctl call "$NAME" "$ROOT" "$MANAGER" BindDevice 'sa{sv}' "$FREE" 0
    denied release busctl call "$NAME" "$ROOT" "$MANAGER" ReleaseDevice 'sa{sv}' "$NVME_A" 0
    denied "bind a device" busctl call "$NAME" "$(object "$FREE")" "$DEVICE" Bind 'a{sv}' 0
    denied "release a device" busctl call "$NAME" "$(object "$NVME_A")" "$DEVICE" Release 'a{sv}' 0
    denied "list holders" busctl call "$NAME" "$ROOT/group/$GROUP" "$NAME.Group" ListHolders
    denied "override the guard" busctl call "$NAME" "$ROOT" "$MANAGER" BindDevice 'sa{sv}' \
        "$FREE" 1 allow-in-use as 1 process
    denied "set a property" busctl set-property "$NAME" "$(object "$NVME_A")" "$DEVICE" State s \
        unclaimed
    denied "set the log level" busctl set-property "$NAME" /org/freedesktop/LogControl1 \
        org.freedesktop.LogControl1 LogLevel s debug
    denied "own the name" busctl call org.freedesktop.DBus /org/freedesktop/DBus \
        org.freedesktop.DBus RequestName su "$NAME" 0
    assert_driver "$FREE" nvme "after alice: the host's drive"
    assert_driver "$NVME_A" vfio-pci "after alice: the claimed drive"

    # What an administrator allows by a rule, for one device.
    cat > /etc/polkit-1/rules.d/50-alice.rules <<RULE
polkit.addRule(function(action, subject) {
    if (subject.user == "alice" && action.id.startsWith("org.vfio.Bind1.") &&
        action.lookup("device") == "$FREE")
        return polkit.Result.YES;
});
RULE
    may() { as_alice busctl call "$NAME" "$ROOT" "$MANAGER" BindDevice 'sa{sv}' "$FREE" 0; }
    check "by a polkit rule alice may bind a device" wait_for 5 may
    assert_driver "$FREE" vfio-pci "by a polkit rule: bound"
    denied "release another device all the same" busctl call "$NAME" "$ROOT" "$MANAGER" \
        ReleaseDevice 'sa{sv}' "$NVME_A" 0
    check "by a polkit rule alice may release it" as_alice busctl call "$NAME" "$ROOT" "$MANAGER" \
        ReleaseDevice 'sa{sv}' "$FREE" 0
    assert_driver "$FREE" nvme "by a polkit rule: released"
    rm /etc/polkit-1/rules.d/50-alice.rules
}

# --- Errors -------------------------------------------------------------------------------------

unknown_option() { # CALL…
    error_of busctl call "$NAME" "$ROOT" "$MANAGER" "$@"
    assert_equal "$1: an unknown option is an error" "$ERROR" \
        org.freedesktop.DBus.Error.InvalidArgs
    assert_match "$1: the error names it" "$MESSAGE" "*'colour'*"
}

errors() {
    unknown_option Apply 'asa{sv}' 0 1 colour s red
    unknown_option Plan 'a{sv}' 1 colour s red
    unknown_option BindDevice 'sa{sv}' "$FREE" 1 colour s red
    unknown_option ReleaseDevice 'sa{sv}' "$NVME_A" 1 colour s red
    assert_error "an option of another type" org.freedesktop.DBus.Error.InvalidArgs \
        manager Apply 'asa{sv}' 0 1 prune s yes
    assert_match "the error says which type" "$MESSAGE" "*'prune'*'b'*"
    assert_error "an option of another method" org.freedesktop.DBus.Error.InvalidArgs \
        manager Apply 'asa{sv}' 0 1 no-probe b true
    assert_error "the system may not be taken" org.freedesktop.DBus.Error.InvalidArgs \
        manager BindDevice 'sa{sv}' "$FREE" 1 allow-in-use as 1 system
    assert_error "no such device" "$NAME.Error.NoSuchDevice" manager GetDevice s 0000:7f:00.0
    assert_error "no address at all" "$NAME.Error.NoSuchDevice" manager GetDevice s drive
    assert_error "no such group" "$NAME.Error.NoSuchGroup" manager GetGroup u 4711
    assert_error "no such claim" "$NAME.Error.NoSuchClaim" manager GetClaim s nothing
    assert_error "no such claim to apply" "$NAME.Error.NoSuchClaim" \
        manager Apply 'asa{sv}' 1 nothing 0
    assert_error "no such driver" "$NAME.Error.DriverNotVfio" \
        manager BindDevice 'sa{sv}' "$FREE" 1 driver s no-such-driver
    assert_driver "$FREE" nvme "after errors: the host's drive"
    assert_error "a bridge" org.freedesktop.DBus.Error.NotSupported \
        manager BindDevice 'sa{sv}' "$NVME_A_PORT" 0

    # Mounted: no option helps.
    disk=$(ls "/sys/bus/pci/devices/$FREE/nvme/"*/ | grep '^nvme.*n1$')
    mke2fs -q -F "/dev/$disk"
    mount "/dev/$disk" /mnt
    assert_error "a mounted drive" "$NAME.Error.InUseSystem" manager BindDevice 'sa{sv}' "$FREE" 0
    assert_match "the error names the mount" "$MESSAGE" "*/mnt*"
    assert_error "a mounted drive and every leave" "$NAME.Error.InUseSystem" manager BindDevice \
        'sa{sv}' "$FREE" 1 allow-in-use as 4 holders network display process
    assert_driver "$FREE" nvme "mounted: the host's drive"
    umount /mnt
}

# --- Reading methods ----------------------------------------------------------------------------

reading() {
    for form in "$NVME_A" "${NVME_A#0000:}" "pci_$(echo "$NVME_A" | tr ':.' '__')"; do
        assert_equal "GetDevice $form" "$(manager GetDevice s "$form")" "o \"$(object "$NVME_A")\""
    done
    group_of "$NVME_A"
    assert_equal GetGroup "$(manager GetGroup u "$GROUP")" "o \"$ROOT/group/$GROUP\""
    assert_equal GetClaim "$(manager GetClaim s drive)" "o \"$ROOT/claim/drive\""
    assert_match ListDevices "$(manager ListDevices)" \
        "a(ssssssssssssssssssssou) * \"$NVME_A\" * \"vfio-pci\" * \"$ROOT/claim/drive\" $GROUP *"
    assert_match ListClaims "$(manager ListClaims)" \
        "a(s(su)asasssassss) * \"drive\" \"/etc/vfio-bind.conf\" * \"bound\" \"\" \"\"*"
    assert_equal "Plan: nothing to do" "$(manager Plan 'a{sv}' 0)" "a(isssss) 0"
    assert_match "Plan of the next boot" "$(manager Plan 'a{sv}' 1 next-boot b true)" \
        "*$GROUP \"$NVME_A\" \"bind\" \"\" \"vfio-pci\" \"\"*"
    assert_match "Explain a claimed drive" "$(manager Explain s "$NVME_A")" \
        "*\"drive\" \"/etc/vfio-bind.conf\" 2 \"\" \"yes\" \"\"*"
    assert_match "Explain a free one" "$(manager Explain s "$FREE")" \
        "*\"drive\" \"/etc/vfio-bind.conf\" 2 \"\" \"no\" \"\"*"
    drive="\"$(object "$NVME_A")\" \"bound\" \"\""
    assert_equal "Apply: how everything is" "$(manager Apply 'asa{sv}' 0 0)" "a(oss) 3 $drive \
\"$(object "$PAIR_0")\" \"bound\" \"\" \"$(object "$PAIR_1")\" \"bound\" \"\""
    assert_equal "Apply of one claim" "$(manager Apply 'asa{sv}' 1 drive 0)" "a(oss) 1 $drive"
}

# --- Round trips --------------------------------------------------------------------------------

override_of() { cat "/sys/bus/pci/devices/$1/driver_override"; }
power_of() { cat "/sys/bus/pci/devices/$1/power/control"; }

# The host's drive, taken and given back, by both ways in; every setting as it was.
taken_and_given_back() { # NAME POWER BIND RELEASE
    echo "$2" > "/sys/bus/pci/devices/$FREE/power/control"
    check "$1: bind" "$3"
    assert_driver "$FREE" vfio-pci "$1: bound"
    assert_equal "$1: State" "$(property "$FREE" State)" 's "bound"'
    assert_equal "$1: Provenance" "$(property "$FREE" Provenance)" 's "taken"'
    assert_equal "$1: TakenFrom" "$(property "$FREE" TakenFrom)" 's "nvme"'
    group_of "$FREE"
    assert_equal "$1: node as [Defaults] say" "$(stat -c '%U:%G %a' "/dev/vfio/$GROUP")" \
        "root:kvm 660"
    check "$1: release" "$4"
    assert_driver "$FREE" nvme "$1: the host has it back"
    assert_equal "$1: Driver says who took it" "$(property "$FREE" Driver)" 's "nvme"'
    assert_equal "$1: the override is gone" "$(override_of "$FREE")" "(null)"
    assert_equal "$1: power/control is as before" "$(power_of "$FREE")" "$2"
    wait_for 20 test -e "/dev/$disk"
    check "$1: the disk is there again" test -b "/dev/$disk"
}
bind_free() { manager BindDevice 'sa{sv}' "$FREE" 0; }
release_free() { manager ReleaseDevice 'sa{sv}' "$FREE" 0; }
bind_object() { busctl call "$NAME" "$(object "$FREE")" "$DEVICE" Bind 'a{sv}' 0; }
release_object() { busctl call "$NAME" "$(object "$FREE")" "$DEVICE" Release 'a{sv}' 0; }

# A claimed drive that no host driver ever had: its modalias tells who may have it.
clean_one_given_back() {
    assert_equal "clean: Provenance" "$(property "$NVME_A" Provenance)" 's "clean"'
    check "clean: release" manager ReleaseDevice 'sa{sv}' "$NVME_A" 0
    assert_driver "$NVME_A" nvme "clean: the host has it"
    assert_equal "clean: the override is gone" "$(override_of "$NVME_A")" "(null)"
    assert_equal "clean: State" "$(property "$NVME_A" State)" 's "released"'
    check "clean: reload" manager Reload
    check "clean: apply" manager Apply 'asa{sv}' 0 0
    assert_driver "$NVME_A" nvme "clean: a release by hand holds through reload and apply"
    check "clean: bind" manager BindDevice 'sa{sv}' "$NVME_A" 0
    assert_driver "$NVME_A" vfio-pci "clean: bound again"
    assert_equal "clean: not clean any more" "$(property "$NVME_A" Provenance)" 's "taken"'
}

whole_group() {
    assert_equal "pair: release names both" "$(manager ReleaseDevice 'sa{sv}' "$PAIR_1" 1 \
        no-probe b true)" "ao 2 \"$(object "$PAIR_0")\" \"$(object "$PAIR_1")\""
    assert_driver "$PAIR_0" none "pair: no-probe leaves the first without driver"
    assert_driver "$PAIR_1" none "pair: no-probe leaves the second without driver"
    assert_equal "pair: bind names both" "$(manager BindDevice 'sa{sv}' "$PAIR_0" 0)" \
        "ao 2 \"$(object "$PAIR_0")\" \"$(object "$PAIR_1")\""
    assert_driver "$PAIR_1" vfio-pci "pair: both are bound"
    check "pair: release with a blacklisted driver" manager ReleaseDevice 'sa{sv}' "$PAIR_0" 0
    assert_driver "$PAIR_0" none "pair: a blacklisted driver is not loaded for the first"
    assert_driver "$PAIR_1" none "pair: nor for the second"
    check "pair: e1000 was not loaded" test ! -e /sys/module/e1000
    check "pair: bind once more" manager BindDevice 'sa{sv}' "$PAIR_0" 0
}

open_group() {
    mkfifo /tmp/hold
    vfio-open "$NVME_A" --hold < /tmp/hold > /tmp/held &
    holder=$!
    exec 7> /tmp/hold
    wait_for 10 grep -q ready /tmp/held
    group_of "$NVME_A"
    assert_equal "open: ListHolders" "$(busctl call "$NAME" "$ROOT/group/$GROUP" "$NAME.Group" \
        ListHolders)" "a(usss) 1 $holder \"vfio-open\" \"rig.service\" \"\""
    assert_error "open: release is refused" "$NAME.Error.BusyVfio" manager ReleaseDevice \
        'sa{sv}' "$NVME_A" 0
    assert_match "open: the error names the process" "$MESSAGE" "*$holder*"
    assert_driver "$NVME_A" vfio-pci "open: still bound"
    assert_equal "open: still shown as bound" "$(property "$NVME_A" State)" 's "bound"'
    exec 7>&-
    wait "$holder"
}

configuration() {
    check "Reload" manager Reload
    configuration_is() { [ "$(busctl get-property "$NAME" "$ROOT" "$MANAGER" \
        ConfigurationState)" = "s \"$1\"" ]; }
    check "ConfigurationState: as it was read" configuration_is current
    echo "Colour=red" >> /etc/vfio-bind.conf
    check "ConfigurationState: changed" wait_for 10 configuration_is changed
    check "list names the reload" sh -c 'vfio-bindctl list | grep "systemctl reload vfio-bindd"'
    assert_error "Reload of a broken configuration" "$NAME.Error.InvalidConfiguration" \
        manager Reload
    assert_match "ConfigurationErrors name it" "$(busctl get-property "$NAME" "$ROOT" "$MANAGER" \
        ConfigurationErrors)" '*"/etc/vfio-bind.conf" 13 1 *Colour*'
    sed -i '$d' /etc/vfio-bind.conf
    check "Reload of the mended one" manager Reload
    check "ConfigurationState: as it was read last" wait_for 10 configuration_is current
    no_errors() { [ "$(busctl get-property "$NAME" "$ROOT" "$MANAGER" ConfigurationErrors)" = \
        "a(suus) 0" ]; }
    check "no errors any more" wait_for 10 no_errors
}

log_control() {
    control() { busctl "$1" "$NAME" /org/freedesktop/LogControl1 org.freedesktop.LogControl1 \
        "$2" ${3:+s "$3"}; }
    assert_equal "log level" "$(control get-property LogLevel)" 's "info"'
    check "systemctl service-log-level" systemctl service-log-level vfio-bindd debug
    assert_equal "log level: changed" "$(control get-property LogLevel)" 's "debug"'
    manager Apply 'asa{sv}' 0 0 > /dev/null
    udevadm trigger --subsystem-match=vfio --settle
    said() { journalctl -b -o cat --no-pager -t vfio-bindd -p 7..7 | grep -q "Looked at"; }
    check "log level: debugging messages" wait_for 10 said
    assert_error "no such log level" org.freedesktop.DBus.Error.InvalidArgs control set-property \
        LogLevel loud
    check "log level: back" control set-property LogLevel info
    assert_equal "log target" "$(control get-property LogTarget)" 's "auto"'
    assert_equal "syslog identifier" "$(control get-property SyslogIdentifier)" 's "vfio-bindd"'
}

# --- Signals ------------------------------------------------------------------------------------

# From begin_capture to end_capture NAME: all signals, and the objects before and after.
begin_capture() {
    udevadm settle
    objects > /tmp/before
    # Since systemd 256 a file gets what was written only in blocks.
    stdbuf -oL busctl --json=short monitor "$NAME" > /tmp/signals &
    monitor=$!
    # It does not say everywhere when it has begun: it sees somebody ask.
    is_monitored() { property "$NVME_A" State > /dev/null && [ -s /tmp/signals ]; }
    check "signals are monitored" wait_for 10 is_monitored
    watch-nodes /dev/vfio > /tmp/nodes &
    watch=$!
    check "nodes are watched" wait_for 10 grep -q ready /tmp/nodes
}
end_capture() {
    udevadm settle
    objects > /tmp/after
    # The reply is in the capture too, so that everything before it has been written.
    check "signals: $1: captured" wait_for 10 \
        grep -q '"type":"method_return".*GetManagedObjects\|"a{oa{sa{sv}}}"' /tmp/signals
    kill "$monitor" "$watch"
    wait "$monitor" "$watch"
    save_file "nodes-$1" /tmp/nodes
    save_file "signals-$1" /tmp/signals
    save_file "before-$1" /tmp/before
    save_file "after-$1" /tmp/after
}
is_bound() { [ "$(property "$1" State)" = 's "bound"' ]; }

tell_node() { # NAME ADDRESS
    group_of "$2"
    info "node-$1 $(stat -c '%U:%G %a' "/dev/vfio/$GROUP")"
}

signals() {
    begin_capture
    check "signals: plugged" hotplug_add SLOT e1000e
    check "signals: plugged: bound" wait_for 20 is_bound "$SLOT"
    tell_node plugged "$SLOT"
    end_capture plugged

    begin_capture
    check "signals: released" manager ReleaseDevice 'sa{sv}' "$SLOT" 0
    end_capture released

    begin_capture
    check "signals: bound" manager BindDevice 'sa{sv}' "$SLOT" 0
    tell_node bound "$SLOT"
    end_capture bound

    begin_capture
    check "signals: pulled" hotplug_del SLOT
    is_gone() { ! manager GetDevice s "$SLOT"; }
    check "signals: pulled: gone" wait_for 10 is_gone
    end_capture pulled
}

wait_booted
disk=$(ls "/sys/bus/pci/devices/$FREE/nvme/"*/ | grep '^nvme.*n1$')
tell_tree
reading
unprivileged
errors
taken_and_given_back "by the manager" on bind_free release_free
taken_and_given_back "by the object" auto bind_object release_object
clean_one_given_back
whole_group
open_group
configuration
log_control
signals
assert_no_failed_units
