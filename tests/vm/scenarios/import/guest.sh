# What other tools bind is bound by claims after them, and nothing else.

CONFIG=/etc/vfio-bind.conf.d

# bound NAME…: sets BOUND to those of them that are on vfio-pci.
bound() {
    BOUND=
    for bound_name; do
        eval "driver_of \"\$$bound_name\""
        [ "$DRIVER" != vfio-pci ] || BOUND="$BOUND $bound_name"
    done
}

# import TOOL [FILE…]
import() {
    vfio-bindctl import "$@" > "$CONFIG/50-$1.conf" 2> "/root/remove-$1" ||
        fail "import $1" "status $?" "$(cat "/root/remove-$1")"
    save_file "50-$1.conf" "$CONFIG/50-$1.conf"
    save_file "remove-$1" "/root/remove-$1"
}

# remove TOOL…: as standard error said.
remove() {
    for tool; do
        check "remove $tool" sh -e "/root/remove-$tool"
    done
}

assert_gone() {
    for path; do refute "$path is gone" test -e "$path"; done
}

# assert_clean NAME…: no host driver has seen them.
assert_clean() {
    for clean_name; do
        eval "assert_not_probed \"\$$clean_name\""
    done
}

node_of() {
    group_of "$1"
    NODE=$(stat -c '%U:%G %a' "/dev/vfio/$GROUP")
}

# As the README says: the daemon writes down what the host needs, and the next boot goes by that.
enable_project() {
    check "enable" systemctl enable --now vfio-bindd
    check "what the host needs is written down" wait_for 60 test -s \
        /var/lib/vfio-bindd/host-devices
}

assert_no_error() {
    vfio-bindctl doctor > /root/doctor
    assert_equal "the doctor finds no error" "$?" 0
    save_file "doctor-$PHASE" /root/doctor
}

# --- driverctl, ids=, OpenNebula's script, libvirt -----------------------------------------------

# HOSTS is as the script left it: new_id takes it too, if nvme was late.
EVERY="BY_DRIVERCTL BY_SCRIPT BY_ID_1 BY_ID_2 BY_VIRSH MANAGED"
BEFORE=" BY_DRIVERCTL BY_SCRIPT BY_ID_1 BY_ID_2 BY_VIRSH"

tools_first() {
    check "driverctl" driverctl set-override "$BY_DRIVERCTL" vfio-pci
    check "OpenNebula's unit is enabled" systemctl enable vfio-bind.service
    reboot_into import
}

tools_import() {
    # what "virsh nodedev-detach" does, which libvirt does not keep over a reboot
    bind_by_hand "$BY_VIRSH" vfio-pci
    # shellcheck disable=SC2086
    bound $EVERY
    assert_equal "the other tools bind" "$BOUND" "$BEFORE"
    node_of "$BY_SCRIPT"
    assert_equal "the node is by the rule" "$NODE" "nobody:kvm 660"
    mkdir -p "$CONFIG"
    for tool in driverctl kernel opennebula libvirt; do import "$tool"; done
    check "what was imported is right" vfio-bindctl check
    check "the other drive is a comment" grep -q "^#Match=$HOSTS " "$CONFIG/50-opennebula.conf"
    check "the difference is named" grep -q "managed='yes'" "$CONFIG/50-libvirt.conf"
    remove driverctl kernel opennebula libvirt
    assert_gone "/etc/driverctl.d/pci-$BY_DRIVERCTL" /etc/modprobe.d/vfio.conf \
        /etc/sysconfig/vfio-bind /etc/systemd/system/vfio-bind.service /usr/local/bin/vfio-bind
    assert_equal "other rules of the file stay" \
        "$(cat /etc/udev/rules.d/70-opennebula.rules)" \
        '# who may use them
KERNEL=="rig-none", ENV{KEPT}="yes"
KERNEL=="rig-none", ENV{KEPT}="too"'
    check "libvirt manages no more" grep -q "managed='no'" /etc/libvirt/qemu/managed.xml
    # shellcheck disable=SC2086
    bound $EVERY
    assert_equal "removing them changed no binding" "$BOUND" "$BEFORE"
    enable_project
    reboot_into after
}

tools_after() {
    # shellcheck disable=SC2086
    bound $EVERY
    assert_equal "those of before, and what was named" "$BOUND" "$BEFORE MANAGED"
    assert_driver "$HOSTS" nvme
    # shellcheck disable=SC2086
    assert_clean $BEFORE MANAGED
    node_of "$BY_SCRIPT"
    assert_equal "the node is as by the rule" "$NODE" "nobody:kvm 660"
    assert_no_error
    assert_match "export" "$(vfio-bindctl export qemu driverctl)" \
        "*-device vfio-pci,host=$BY_DRIVERCTL*"
}

# --- one-deploy, and a script and a rule of one's own --------------------------------------------

OTHERS="PF_VF0 PF_VF1 PF_VF2 PF_VF3 BY_DPDK BY_RULE HOSTS"

deploy_first() {
    check "one-deploy's unit" systemctl enable --now "sriov-enable@$PF-4.service"
    check "driverctl" driverctl set-override "$PF_VF0" vfio-pci
    check "driverctl, too" driverctl set-override "$PF_VF2" vfio-pci
    check "the script's unit" systemctl enable dpdk.service
    reboot_into import
}

deploy_import() {
    for name in PF_VF0 PF_VF2; do eval "wait_driver \"\$$name\" vfio-pci"; done
    # shellcheck disable=SC2086
    bound $OTHERS
    # trixie's driverctl writes new_id, which takes what has no driver: nvme refuses QEMU's VFs
    if grep -q new_id /usr/sbin/driverctl; then
        before=" PF_VF0 PF_VF1 PF_VF2 PF_VF3 BY_DPDK BY_RULE"
    else before=" PF_VF0 PF_VF2 BY_DPDK BY_RULE"; fi
    assert_equal "the other tools bind" "$BOUND" "$before"
    mkdir -p "$CONFIG"
    import one-deploy /root/inventory.yml
    vfio-bindctl suggest dpdk "$BY_DPDK" > "$CONFIG/60-dpdk.conf"
    vfio-bindctl suggest rule "$BY_RULE" > "$CONFIG/60-rule.conf"
    save_file 60-dpdk.conf "$CONFIG/60-dpdk.conf"
    assert_match "the doctor finds the rule" "$(vfio-bindctl doctor)" \
        "*udev-rule: /etc/udev/rules.d/10-drive.rules:1: *"
    check "what was imported is right" vfio-bindctl check
    case "$before" in *PF_VF1*)
        check "what new_id took is a comment" grep -q "^#Match=pf=$PF vf=1 " \
            "$CONFIG/50-one-deploy.conf"
        check "all of it" grep -q "^#Match=pf=$PF vf=3 " "$CONFIG/50-one-deploy.conf" ;;
    esac
    check "a mode for everybody is named" grep -q "never more than 0660" \
        "$CONFIG/50-one-deploy.conf"
    remove one-deploy
    check "remove the script" systemctl disable dpdk.service
    rm /etc/udev/rules.d/10-drive.rules
    assert_gone "/etc/driverctl.d/pci-$PF_VF0" "/etc/driverctl.d/pci-$PF_VF2" \
        /etc/systemd/system/sriov-enable@.service /usr/local/sbin/sriov-manage.sh \
        /etc/udev/rules.d/99-mode.rules \
        "/etc/systemd/system/multi-user.target.wants/sriov-enable@$PF-4.service"
    # shellcheck disable=SC2086
    bound $OTHERS
    assert_equal "removing them changed no binding" "$BOUND" "$before"
    enable_project
    reboot_into after
}

deploy_after() {
    check "bound" vfio-bindctl wait --timeout=120 one-deploy dpdk rule
    read -r count < "/sys/bus/pci/devices/$PF/sriov_numvfs"
    assert_equal "as many virtual functions" "$count" 4
    # shellcheck disable=SC2086
    bound $OTHERS
    assert_equal "the same devices as before, but those of the comments" "$BOUND" " PF_VF0 PF_VF2 BY_DPDK BY_RULE"
    assert_driver "$HOSTS" e1000e
    assert_clean PF_VF0 PF_VF2 BY_DPDK BY_RULE
    node_of "$PF_VF0"
    assert_equal "its node" "$NODE" "root:kvm 660"
    assert_no_error
}

# --- the kernel's command line -------------------------------------------------------------------

command_line() {
    bound BY_ID_1 BY_ID_2 HOSTS
    assert_equal "vfio-pci takes them by their kind" "$BOUND" " BY_ID_1 BY_ID_2"
    mkdir -p "$CONFIG"
    import kernel
    assert_equal "what the next boot is told" "$(cat "$CONFIG/50-kernel.conf")" \
        "$(cat /root/expected)"
    remove kernel
    assert_gone /etc/modules-load.d/vfio.conf
    assert_equal "the boot loader has the other words" "$(cat /root/boot-loader)" "iommu=pt quiet"
}

# Enabled without having run, on a host that has no other network card.
command_line_after_first() {
    bound BY_ID_1 BY_ID_2 HOSTS
    assert_equal "nothing is known of what the host needs yet" "$BOUND" ""
    assert_match "which is said, with what to do" "$(vfio-bindctl list)" \
        '*needs-apply: *"vfio-bindctl apply" takes it*'
    check "apply" vfio-bindctl apply
    bound BY_ID_1 BY_ID_2 HOSTS
    assert_equal "the same devices as before, but those of the comments" "$BOUND" " BY_ID_1 BY_ID_2"
    check "what the host needs is written down" wait_for 60 test -s \
        /var/lib/vfio-bindd/host-devices
    reboot_into second
}

command_line_after_second() {
    bound BY_ID_1 BY_ID_2 HOSTS
    assert_equal "the same devices as before, from the start" "$BOUND" " BY_ID_1 BY_ID_2"
    assert_clean BY_ID_1 BY_ID_2
    assert_driver "$HOSTS" nvme
    assert_no_error
}

wait_booted
case "$BOOT $PHASE" in
    "tools "*) "tools_$PHASE" ;;
    "one-deploy "*) "deploy_$PHASE" ;;
    "command-line first") command_line ;;
    *) "command_line_after_$PHASE" ;;
esac
assert_no_failed_units
