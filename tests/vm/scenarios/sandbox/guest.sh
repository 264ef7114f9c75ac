# What the daemon does with each privilege that its unit leaves to it, and what it cannot do.

NAME=org.vfio.Bind1
ROOT=/org/vfio/Bind1

object() { echo "$ROOT/device/pci_$(echo "$1" | tr ':.' '__')"; }
property() { busctl get-property "$NAME" "$(object "$1")" "$NAME.Device" "$2"; }
manager() { busctl call "$NAME" "$ROOT" "$NAME.Manager" "$@"; }

# A shell in the daemon's control group, hence under its rules for devices.
in_control_group() { # COMMAND
    sh -c "echo \$\$ > /sys/fs/cgroup/system.slice/vfio-bindd.service/cgroup.procs && $1"
}
exposures() {
    for unit in vfio-bindd.service vfio-bindd-early.service; do
        info "exposure-$unit" "$(systemd-analyze security --no-pager "$unit" | tail -n 1)"
    done
}

modules_and_nodes() {
    assert_driver "$DRIVE" vfio-pci "the early pass loads the module and binds"
    group_of "$DRIVE"
    assert_equal "the node has an owner of the name service" "$(stat -c '%U:%G %a' "/dev/vfio/$GROUP")" \
        "alice:alice 600"
    assert_equal "directories of links are open to all" \
        "$(stat -c %a /dev/vfio/by-address /dev/vfio/by-claim | tr '\n' ' ')" "755 755 "
    assert_equal "state is open to all" "$(stat -c %a "/run/vfio-bindd/functions/$DRIVE")" 644

    # Once more by the daemon, without the module.
    check "released" manager ReleaseDevice 'sa{sv}' "$DRIVE" 0
    assert_driver "$DRIVE" nvme "given back"
    modprobe -r vfio-pci
    refute "vfio-pci is not loaded" test -e /sys/bus/pci/drivers/vfio-pci
    check "bound by the daemon's worker" manager BindDevice 'sa{sv}' "$DRIVE" 0
    assert_driver "$DRIVE" vfio-pci "the daemon's worker loads the module and binds"
    group_of "$DRIVE"
    assert_equal "the daemon's worker gives it its owner" \
        "$(stat -c '%U:%G %a' "/dev/vfio/$GROUP")" "alice:alice 600"
}

serial() {
    assert_match "configuration space beyond 64 bytes: a serial number" \
        "$(property "$NIC" Serial)" 's "[0-9a-f]*[0-9a-f]"'
}

holders() {
    mkfifo /tmp/hold
    runuser -u alice -- vfio-open "$DRIVE" --hold < /tmp/hold > /tmp/held 2>&1 &
    exec 7> /tmp/hold
    wait_for 10 grep -q ready /tmp/held
    group_of "$DRIVE"
    assert_match "another user's process is found" \
        "$(busctl call "$NAME" "$ROOT/group/$GROUP" "$NAME.Group" ListHolders)" '*"vfio-open"*'
    exec 7>&-
    wait
}

# A block device whose kind was registered after the daemon had started.
late_block_device() {
    disk=$(ls "/sys/bus/pci/devices/$LATER/nvme/"*/ | grep '^nvme.*n1$')
    modprobe loop
    truncate -s 1M /tmp/image
    loop=$(losetup -f --show /tmp/image)
    check "the daemon may look at a drive" in_control_group "head -c 1 /dev/$disk > /dev/null"
    check "and at a device of a new kind" in_control_group "head -c 1 $loop > /dev/null"
    refute "but write to none" in_control_group "dd if=/dev/zero of=$loop bs=512 count=1"
    refute "nor to a terminal" in_control_group "echo > /dev/tty1"
    losetup -d "$loop"

    mke2fs -q -F "/dev/$disk"
    mount "/dev/$disk" /home
    output=$(manager BindDevice 'sa{sv}' "$LATER" 0 2>&1)
    assert_match "a file system that the sandbox hides is in use" "$output" "*/home*"
    assert_driver "$LATER" nvme "and its drive stays"
    umount /home
}

# In ways that the descriptors of a program's first thread do not tell.
hidden_use() { # HOW TEXT USER
    mkfifo /tmp/keep
    runuser -u "$3" -- keep-device "$1" "/dev/$disk" < /tmp/keep > /tmp/kept 2>&1 &
    exec 7> /tmp/keep
    wait_for 10 grep -q ready /tmp/kept || fail "keep-device $1" "$(cat /tmp/kept)"
    output=$(manager BindDevice 'sa{sv}' "$LATER" 0 2>&1 7>&-)
    assert_match "a drive that is in use by $1 is seen" "$output" "*/dev/$disk is $2 keep-device*"
    assert_driver "$LATER" nvme "and stays"
    exec 7>&-
    wait
    rm /tmp/keep
}

# The kernel has it open for others, and claims nothing.
served() {
    subsystem=/sys/kernel/config/nvmet/subsystems/nqn.2014-08.org.example:drive
    modprobe -a configfs nvmet
    mountpoint -q /sys/kernel/config || mount -t configfs configfs /sys/kernel/config
    mkdir -p "$subsystem/namespaces/1"
    printf '/dev/%s' "$disk" > "$subsystem/namespaces/1/device_path"
    echo 1 > "$subsystem/namespaces/1/enable"
    assert_equal "a drive is served to other machines" \
        "$(cat "$subsystem/namespaces/1/enable")" 1
    output=$(manager BindDevice 'sa{sv}' "$LATER" 0 2>&1)
    assert_match "which is use" "$output" \
        "*/dev/$disk is served to other machines as nqn.2014-08.org.example:drive*"
    assert_driver "$LATER" nvme "and it stays"
    echo 0 > "$subsystem/namespaces/1/enable"
    rmdir "$subsystem/namespaces/1" "$subsystem"
}

wait_booted
exposures
modules_and_nodes
serial
holders
late_block_device
chmod 0664 "/dev/$disk"
hidden_use --mapped "mapped by" alice
hidden_use --thread "open in" alice
served
check "what is not in use is bound" manager BindDevice 'sa{sv}' "$LATER" 0
assert_driver "$LATER" vfio-pci "and on VFIO"
assert_no_failed_units
