# What the initramfs took, and what its host drivers got.

object() { echo "/org/vfio/Bind1/device/pci_$(echo "$1" | tr ':.' '__')"; }
assert_property() { # ADDRESS NAME VALUE
    assert_equal "$2 of $1" \
        "$(busctl get-property org.vfio.Bind1 "$(object "$1")" org.vfio.Bind1.Device "$2")" "$3"
}

# Whether a host driver probed the function, and whether the root was there: no, early, late.
tell_probes() {
    for name in DRIVE TWIN NICS_0 NICS_1 SATA USB; do
        eval "address=\$$name"
        probed=no
        if dmesg_probed "$address"; then
            probed=late
            if sed '/EXT4-fs (vda): mounted/q' /run/rig-dmesg | grep -q " $address"; then
                probed=early
            fi
        fi
        info "probed-$name $probed"
    done
}

clean() { # ADDRESS…
    for address in "$@"; do
        assert_driver "$address" vfio-pci
        assert_not_probed "$address"
        assert_property "$address" State 's "bound"'
        assert_property "$address" Provenance 's "clean"'
        assert_property "$address" ClaimedStage 's "initrd"'
    done
}

control() {
    assert_driver "$DRIVE" nvme
    refute "nothing of us is in the image" grep -q vfio-bindd /run/rig-dmesg
    refute "no state" test -e /run/vfio-bindd
}

claimed() {
    clean "$DRIVE" "$NICS_0" "$NICS_1" "$SATA" "$USB"
    assert_driver "$TWIN" nvme
    check "which initramfs it was is known" grep -qx 'Digest=[0-9a-f]*' /run/vfio-bindd/initramfs
}

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

    echo '[Claim more]' >> /etc/vfio-bind.conf.d/20-more.conf
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

off() {
    assert_driver "$DRIVE" vfio-pci
    assert_property "$DRIVE" Provenance 's "taken"'
    assert_property "$DRIVE" ClaimedStage 's "boot"'
    assert_driver "$SATA" ahci
}

wait_booted
dmesg > /run/rig-dmesg
tell_probes
assert_no_failed_units
case "$BOOT" in
    control) control ;;
    claimed) claimed; stale ;;
    off) off ;;
esac
