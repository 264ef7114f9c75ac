# Owner, group, mode and links of /dev/vfio/N; numbers below, because that is what the kernel checks.

property() { # ADDRESS NAME
    busctl get-property org.vfio.Bind1 "/org/vfio/Bind1/device/pci_$(echo "$1" | tr ':.' '__')" \
        org.vfio.Bind1.Device "$2"
}
node_of() { # ADDRESS: sets NODE and OWNER
    group_of "$1"
    NODE=/dev/vfio/$GROUP
    OWNER=$(stat -c '%u:%g %a' "$NODE" 2>&1)
}
has_owner() { node_of "$1"; [ "$OWNER" = "$2" ]; }
assert_owner() { # NAME ADDRESS OWNER
    node_of "$2"
    assert_equal "$1" "$OWNER" "$3"
}
assert_links() { # NAME ADDRESS CLAIM
    node_of "$2"
    assert_equal "$1: by-address" "$(readlink -f "/dev/vfio/by-address/$2")" "$NODE"
    assert_equal "$1: by-claim" "$(readlink -f "/dev/vfio/by-claim/$3/$2")" "$NODE"
}
assert_all() { # NAME
    assert_owner "$1: node of usual" "$USUAL" "0:$KVM 660"
    assert_owner "$1: node of human" "$HUMAN" "1000:1000 600"
    assert_owner "$1: node of numbers" "$NUMBERS" "4242:4343 640"
    assert_owner "$1: node of pair" "$PAIR_0" "$NOBODY:$KVM 600"
    assert_links "$1: usual" "$USUAL" usual
    assert_links "$1: human" "$HUMAN" human
    assert_links "$1: numbers" "$NUMBERS" numbers
    assert_links "$1: first of pair" "$PAIR_0" pair
    assert_links "$1: second of pair" "$PAIR_1" pair
}
assert_no_dangling_links() { # NAME
    assert_equal "$1: no link leads nowhere" "$(find /dev/vfio/by-* -xtype l)" ""
}
as() { # USER:GROUP[:GROUPS] COMMAND…
    identity=$1
    shift
    user=${identity%%:*} group=${identity#*:}
    case "$group" in
        *:*) groups=--groups=${group#*:} ;;
        *) groups=--clear-groups ;;
    esac
    setpriv --reuid="$user" --regid="${group%%:*}" "$groups" \
        --no-new-privs --inh-caps=-all --bounding-set=-all "$@"
}

# Opens container, group and device, maps memory for DMA, asks for the regions.
assert_works() { # NAME IDENTITY ADDRESS IDS
    node_of "$3"
    output=$(as "$2" vfio-open "$3" 2>&1)
    assert_equal "$1: all the way" "$(echo "$output" | tail -n 1)" ready
    assert_match "$1: opened its group" "$output" "*opened $NODE$NL*"
    assert_match "$1: mapped memory for DMA" "$output" "*set the IOMMU to type 1${NL}mapped *"
    assert_match "$1: read the regions" "$output" "*region 0 has *region 7 has *ids $4$NL*"
}
assert_refused() { # NAME IDENTITY ADDRESS
    node_of "$3"
    output=$(as "$2" vfio-open "$3" 2>&1)
    assert_equal "$1" "$(echo "$output" | tail -n 1)" "vfio-open: $NODE: Permission denied"
}

at_boot() {
    assert_all "at boot"
    for address in "$USUAL" "$HUMAN" "$NUMBERS" "$PAIR_0"; do
        node_of "$address"
        check "systemd has dev-vfio-$GROUP.device" systemctl is-active "dev-vfio-$GROUP.device"
    done
    assert_no_dangling_links "at boot"
    if [ -e /dev/vfio/devices ]; then
        assert_equal "device node: links" "$(readlink -f "/dev/vfio/devices/by-address/$HUMAN")" \
            "/dev/vfio/devices/$(ls "/sys/bus/pci/devices/$HUMAN/vfio-dev")"
    else
        info "this kernel makes no device nodes"
    fi
}

unknown_account() { # NAME ADDRESS
    assert_driver "$2" vfio-pci "$1: bound all the same"
    assert_owner "$1: the node stays root's" "$2" "0:0 600"
    assert_equal "$1: State" "$(property "$2" State)" 's "bound"'
    assert_equal "$1: Reason" "$(property "$2" Reason)" 's "account-unknown"'
}

unknown_accounts() {
    unknown_account "unknown user" "$NO_USER"
    unknown_account "unknown group" "$NO_GROUP"
    assert_match "the journal names the accounts" "$(journalctl -b -o cat --no-pager \
        VFIO_BIND_REASON=account-unknown)" "*carol*"
    useradd --uid 1001 carol
    groupadd --gid 4444 lab
    udevadm trigger --subsystem-match=vfio
    udevadm settle
    assert_owner "the account is made: udevadm trigger sets the node" "$NO_USER" "1001:$KVM 660"
    assert_owner "the group is made: udevadm trigger sets the node" "$NO_GROUP" "0:4444 660"
    reason_is_gone() { [ "$(property "$1" Reason)" = 's ""' ]; }
    check "the account is made: no reason any more" wait_for 10 reason_is_gone "$NO_USER"
    check "the group is made: no reason any more" wait_for 10 reason_is_gone "$NO_GROUP"
}

users() {
    assert_works "alice, owner" 1000:1000 "$HUMAN" 1b36:0010
    assert_refused "carol and the device of alice" 1001:1001 "$HUMAN"
    assert_refused "carol in kvm and the device of alice" "1001:1001:$KVM" "$HUMAN"
    assert_works "carol, member of kvm" "1001:1001:$KVM" "$USUAL" 1b36:0010
    assert_refused "carol, no member of kvm" 1001:1001 "$USUAL"
    assert_works "4242, owner by number" 4242:4242 "$NUMBERS" 1b36:0010
    assert_refused "4343 may only read" 1001:4343 "$NUMBERS"
    assert_works "nobody, first of the pair" "$NOBODY:$NOBODY" "$PAIR_0" 8086:100e
    assert_works "nobody, second of the pair" "$NOBODY:$NOBODY" "$PAIR_1" 8086:100e
    assert_refused "alice and the device of nobody" 1000:1000 "$PAIR_0"
}

triggered() {
    udevadm trigger
    udevadm settle
    assert_all "after udevadm trigger"
    udevadm trigger --action=add
    udevadm settle
    assert_all "after udevadm trigger --action=add"
}

# The last member goes, and with it the node; the first one comes, and with it another node.
node_made_again() {
    for round in 1 2 3; do
        node_of "$HUMAN"
        before=$(stat -c %i "$NODE")
        echo "$HUMAN" > /sys/bus/pci/drivers/vfio-pci/unbind
        check "unbound $round: the node goes" test ! -e "$NODE"
        check "unbound $round: the link leads to nothing else" \
            test ! -e "/dev/vfio/by-address/$HUMAN"
        echo "$HUMAN" > /sys/bus/pci/drivers/vfio-pci/bind
        check "bound again $round: the node is as it was" wait_for 10 has_owner "$HUMAN" \
            "1000:1000 600"
        udevadm settle
        refute "bound again $round: it is another node" \
            test "$before" = "$(stat -c %i "$NODE")"
        assert_links "bound again $round" "$HUMAN" human
        check "bound again $round: systemd has it" systemctl is-active "dev-vfio-$GROUP.device"
    done
}

plugged() {
    check "plugged" hotplug_add SLOT e1000e
    check "plugged: bound" wait_driver "$SLOT" vfio-pci
    check "plugged: the node" wait_for 10 has_owner "$SLOT" "1000:$DISK 660"
    udevadm settle
    assert_links plugged "$SLOT" plugged
    assert_works "alice and what was plugged" 1000:1000 "$SLOT" 8086:10d3
    check "pulled" hotplug_del SLOT
    udevadm settle
    check "pulled: no link by address" test ! -L "/dev/vfio/by-address/$SLOT"
    check "pulled: no link by claim" test ! -e /dev/vfio/by-claim/plugged
    assert_no_dangling_links pulled
}

# As libvirt does at the begin and end of a virtual machine.
given_away() {
    node_of "$HUMAN"
    chown 1001:1001 "$NODE"
    check "given away: set back" wait_for 10 has_owner "$HUMAN" "1000:1000 600"

    mkfifo /tmp/hold
    as 1000:1000 vfio-open "$HUMAN" --hold < /tmp/hold > /tmp/held 2>&1 &
    exec 7> /tmp/hold
    check "held open" wait_for 10 grep -q ready /tmp/held
    chown 1001:1001 "$NODE"
    is_shown() {
        [ "$(busctl get-property org.vfio.Bind1 "/org/vfio/Bind1/group/$GROUP" \
            org.vfio.Bind1.Group NodeUser)" = "u $1" ]
    }
    check "given away while open: shown" wait_for 10 is_shown 1001
    assert_owner "given away while open: left" "$HUMAN" "1001:1001 600"
    exec 7>&-
    wait
    chown 1001:0 "$NODE"
    check "given away after use: set back" wait_for 10 has_owner "$HUMAN" "1000:1000 600"

    # As udev has it while it sets permissions, which opens nothing.
    vfio-open "$HUMAN" --hold-path < /tmp/hold > /tmp/path-held 2>&1 &
    exec 7> /tmp/hold
    check "a path to it is held" wait_for 10 grep -q ready /tmp/path-held
    chown 1001:0 "$NODE"
    check "given away beside a path to it: set back" wait_for 10 has_owner "$HUMAN" \
        "1000:1000 600"
    exec 7>&-
    wait
    chown 1001:0 "$NODE"
    said() { journalctl -b -o cat --no-pager -t vfio-bindd | grep -q 'dynamic_ownership'; }
    check "given away again and again: reported" wait_for 10 said
    assert_owner "given away again and again: left" "$HUMAN" "1001:0 600"
    udevadm trigger --subsystem-match=vfio
    udevadm settle
    assert_owner "an event sets it again" "$HUMAN" "1000:1000 600"
}

released() {
    node_of "$NUMBERS"
    check "released" busctl call org.vfio.Bind1 /org/vfio/Bind1 org.vfio.Bind1.Manager \
        ReleaseDevice 'sa{sv}' "$NUMBERS" 0
    check "released: no node" test ! -e "$NODE"
    check "released: no link" test ! -L "/dev/vfio/by-address/$NUMBERS"
    assert_no_dangling_links released
    check "bound again" busctl call org.vfio.Bind1 /org/vfio/Bind1 org.vfio.Bind1.Manager \
        BindDevice 'sa{sv}' "$NUMBERS" 0
    # Ready when announced: nothing is waited for.
    assert_owner "bound again: the node at once" "$NUMBERS" "4242:4343 640"
    assert_links "bound again: the links at once" "$NUMBERS" numbers
}

wait_booted
KVM=$(getent group kvm | cut -d: -f3)
DISK=$(getent group disk | cut -d: -f3)
NOBODY=$(id -u nobody)
at_boot
unknown_accounts
users
triggered
node_made_again
plugged
given_away
released
assert_all "at the end"
assert_no_failed_units
