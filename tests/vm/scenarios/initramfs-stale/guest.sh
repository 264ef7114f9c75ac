# A real update-initramfs on the machine itself, of a small image.

manager_is() { # PROPERTY VALUE
    [ "$(busctl get-property org.vfio.Bind1 /org/vfio/Bind1 org.vfio.Bind1.Manager "$1")" = "s \"$2\"" ]
}
wait_state() { check "InitramfsState becomes $1" wait_for 5 manager_is InitramfsState "$1"; }
rebuild() { check "$1" /usr/lib/vfio-bindd/rebuild-initramfs; }

# Bytes in the image but for modules, into SIZE.
image_size() {
    SIZE=$(lsinitramfs -l /initrd.img | awk '/^-/ && !/lib\/modules/ { n += $5 } END { print n }')
}

# On the machine itself: the hook of a real update-initramfs, of a small image.
stale() {
    check "what booted is current" manager_is BootedInitramfsState current
    wait_state missing
    printf 'MODULES=list\nCOMPRESS=gzip\nCOMPRESSLEVEL=1\n' > /etc/initramfs-tools/conf.d/rig
    rebuild "made with the switch on"
    wait_state current
    lsinitramfs /initrd.img > /run/rig-image
    for file in usr/lib/vfio-bindd/vfio-bindd-helper usr/lib/vfio-bindd/run-bounded \
        etc/vfio-bind.conf etc/vfio-bind.conf.d/20-more.conf var/lib/vfio-bindd/host-devices \
        usr/lib/udev/rules.d/10-vfio-bindd.rules; do
        check "the image has $file" grep -qx "$file" /run/rig-image
    done
    image_size
    with=$SIZE

    echo '[Claim further]' >> /etc/vfio-bind.conf.d/20-more.conf
    echo 'Match=0000:7f:00.0' >> /etc/vfio-bind.conf.d/20-more.conf
    wait_state stale
    check "the journal names the command" sh -c \
        'journalctl -b -u vfio-bindd | grep -q /usr/lib/vfio-bindd/rebuild-initramfs'
    check "vfio-bindd is not restarted by that" manager_is BootedInitramfsState stale

    systemctl disable -q vfio-bindd.service vfio-bindd-early.service
    rebuild "made with the switch off"
    wait_state unused
    refute "the image has nothing of us" sh -c 'lsinitramfs /initrd.img | grep vfio-bind'
    image_size
    info "image-bytes $((with - SIZE))"
}

wait_booted
stale
