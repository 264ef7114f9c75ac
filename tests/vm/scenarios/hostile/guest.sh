helper=/usr/lib/vfio-bindd/vfio-bindd-helper

# The early pass itself, with each configuration in turn, on the host while it runs: nothing that
# it uses would be taken, and nothing takes long or breaks.
plans() {
    for file in /root/hostile/*.conf; do
        name=${file##*/}
        cp "$file" /etc/vfio-bind.conf
        if said=$(timeout 20 $helper boot --dry-run 2>&1); then ok "$name is planned"
        else fail "$name is planned" "status $?" "$said"; fi
        for address in "$ROOT_DISK" "$HOST_NIC" "$DATA"; do
            refute "$name: $address stays" sh -c \
                'echo "$1" | grep "$2 ([0-9a-f:]*) would be "' sh "$said" "$address"
        done
    done
}

wait_booted
check "$BOOT: multi-user is reached" systemctl is-active multi-user.target
assert_driver "$ROOT_DISK" virtio-pci "$BOOT: the root's disk is the host's"
assert_driver "$HOST_NIC" e1000e "$BOOT: the network card is the host's"
assert_driver "$DATA" nvme "$BOOT: the disk of fstab is the host's"
check "$BOOT: it is mounted" mountpoint -q /srv
check "$BOOT: the root can be written" touch /root/written
check "$BOOT: the network is there" wait_for 30 busybox ping -c 1 -W 2 10.0.2.2
check "$BOOT: one can log in" systemctl is-active systemd-user-sessions.service \
    serial-getty@ttyS0.service
check "$BOOT: a login gets a shell" su --login root --command "test -w /root"
assert_no_failed_units "$BOOT: no unit has failed"
if [ "$BOOT" = plans ]; then
    plans
else
    check "$BOOT: the daemon runs" systemctl is-active vfio-bindd.service
    journalctl -b -o cat --no-pager -t vfio-bindd-helper | save_file early -
    info said-of-network "$(journalctl -b -o cat --no-pager -t vfio-bindd-helper |
        grep -F -m 1 "$HOST_NIC")"
fi
