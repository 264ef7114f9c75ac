# Tells what the initramfs did, from the order of the kernel's log.

wait_booted
assert_driver "$NVME" nvme
assert_driver "$NIC" e1000e
assert_no_failed_units
probed=no
hook=no
root=no
dmesg > /run/rig-dmesg
while read -r line; do
    case "$line" in
        *"EXT4-fs (vda): mounted"*) root=yes ;;
        *"pci function $NVME"*) [ "$root" = yes ] || probed=yes ;;
        *"rig-test: hook"*) [ "$root" = yes ] || hook=yes ;;
    esac
done < /run/rig-dmesg
info "probed-before-root $probed"
info "hook-ran $hook"
