helper=/usr/lib/vfio-bindd/vfio-bindd-helper

# The early pass itself, with each configuration in turn, on the host while it runs: nothing that
# it uses would be taken, and nothing takes long or breaks.
plans() {
    for file in /var/lib/hostile/*.conf; do
        name=${file##*/}
        cp "$file" /etc/vfio-bind.conf
        if said=$(timeout 20 $helper boot --dry-run 2>&1); then ok "$name is planned"
        else fail "$name is planned" "status $?" "$said"; fi
        for address in 0000:00:02.0 "$HOST_NIC" "$DATA"; do
            refute "$name: $address stays" sh -c \
                'echo "$1" | grep "$2 (.*) would be "' sh "$said" "$address"
        done
    done
}

wait_booted
check "$BOOT: multi-user is reached" systemctl is-active multi-user.target
assert_driver 0000:00:02.0 virtio-pci "$BOOT: the root's disk is the host's"
assert_driver "$HOST_NIC" virtio-pci "$BOOT: the network card is the host's"
assert_driver "$DATA" nvme "$BOOT: the disk of fstab is the host's"
check "$BOOT: it is mounted" mountpoint -q /srv
check "$BOOT: the root can be written" touch /root/written
check "$BOOT: the network is there" wait_for 30 busybox ping -c 1 -W 2 10.0.2.2
check "$BOOT: one can log in" systemctl is-active systemd-user-sessions.service \
    serial-getty@ttyS0.service
check "$BOOT: the daemon runs or was not started" sh -c \
    'systemctl is-active vfio-bindd.service || ! systemctl is-failed vfio-bindd.service'
[ "$BOOT" != plans ] || plans
