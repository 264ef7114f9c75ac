# Real runs of update-initramfs on the machine itself, of a small image.

object() { echo "/org/vfio/Bind1/device/pci_$(echo "$1" | tr ':.' '__')"; }
assert_property() { # ADDRESS NAME VALUE
    assert_equal "$2 of $1" \
        "$(busctl get-property org.vfio.Bind1 "$(object "$1")" org.vfio.Bind1.Device "$2")" "$3"
}
manager_is() { # PROPERTY VALUE
    is=$(busctl get-property org.vfio.Bind1 /org/vfio/Bind1 org.vfio.Bind1.Manager "$1")
    [ "$is" = "s \"$2\"" ]
}
wait_state() { # STATE [WHEN]
    check "InitramfsState becomes $1 ${2:-}" wait_for 5 manager_is InitramfsState "$1"
}
command=/usr/lib/vfio-bindd/rebuild-initramfs
rebuild() { check "$1" "$command"; }

# Bytes in the image but for modules, into SIZE.
image_size() {
    SIZE=$(lsinitramfs -l "$1" | awk '/^-/ && !/lib\/modules/ { n += $5 } END { print n }')
}

assert_image_has_us() { # IMAGE
    lsinitramfs "$1" > /run/rig-image
    for file in usr/lib/vfio-bindd/vfio-bindd-helper usr/lib/vfio-bindd/run-bounded \
        etc/vfio-bind.conf etc/vfio-bind.conf.d/20-more.conf var/lib/vfio-bindd/host-devices \
        usr/lib/udev/rules.d/10-vfio-bindd.rules scripts/init-top/00-vfio-bindd; do
        check "$1 has $file" grep -qx "$file" /run/rig-image
    done
    check "$1 has the module" grep -q '/vfio-pci\.ko' /run/rig-image
}
assert_image_lacks_us() { # IMAGE
    refute "$1 has nothing of us" sh -c "lsinitramfs $1 | grep vfio-bind"
}

make_current() {
    check "what booted is current" manager_is BootedInitramfsState current
    wait_state missing
    rebuild "made with the switch on"
    wait_state current
    assert_image_has_us "/boot/initrd.img-$release"
    image_size "/boot/initrd.img-$release"
    with=$SIZE
}

make_stale() {
    cp /usr/lib/rig/changed.conf /etc/vfio-bind.conf.d/20-more.conf
    wait_state stale "when the configuration changes"
    check "the journal names the command" sh -c "journalctl -b -u vfio-bindd | grep -q $command"
    check "a reload" systemctl reload vfio-bindd
    vfio-bindctl status > /run/rig-status
    check "status names the command" grep -q "$command" /run/rig-status
    vfio-bindctl doctor > /run/rig-doctor
    check "doctor names the command" grep -q "$command" /run/rig-doctor
    vfio-bindctl apply > /run/rig-apply 2>&1
    check "apply names the command" grep -q "$command" /run/rig-apply
    check "what booted is not that either" manager_is BootedInitramfsState stale
}

# A package as Debian's kernels are, with the scripts of the guest's own: of the same kernel by
# another name, and with few of its modules.
make_kernel_package() {
    tree=/run/rig-kernel
    modules=$tree/usr/lib/modules/$new
    mkdir -p $tree/DEBIAN $tree/boot "$modules"
    cp "/boot/vmlinuz-$release" "$tree/boot/vmlinuz-$new"
    cp "/boot/config-$release" "$tree/boot/config-$new"
    cp "/usr/lib/modules/$release/modules.order" "/usr/lib/modules/$release/"modules.builtin* \
        "$modules"
    modprobe -a --show-depends vfio_pci vfio_iommu_type1 virtio_pci virtio_blk ext4 |
        sed -n 's/^insmod \([^ ]*\).*/\1/p' | sort -u | while read -r file; do
        install -D -m 644 "$file" "$modules/${file#*/"$release"/}"
    done
    for script in preinst postinst prerm postrm; do
        sed "s/$release/$new/g" "/var/lib/dpkg/info/linux-image-$release.$script" \
            > "$tree/DEBIAN/$script"
        chmod 755 "$tree/DEBIAN/$script"
    done
    printf '%s\n' "Package: linux-image-$new" 'Version: 1' \
        "Architecture: $(dpkg --print-architecture)" 'Maintainer: Rig <rig@localhost>' \
        'Depends: kmod, linux-base, initramfs-tools' \
        'Description: the same kernel by another name' > $tree/DEBIAN/control
    check "a package of a newer kernel" \
        dpkg-deb -Znone --root-owner-group --build $tree /run/rig.deb
}

upgrade_kernel() {
    make_kernel_package
    check "the package manager installs it" dpkg -i /run/rig.deb
    assert_image_has_us "/boot/initrd.img-$new"
    check "it has a manifest" test -s "/var/lib/vfio-bindd/initramfs/$new"
    wait_state current "with the newer kernel"
    check "the package manager takes it away" dpkg -P "linux-image-$new"
    refute "its image is gone" test -e "/boot/initrd.img-$new"
    wait_state stale "with the older kernel"
}

# What is changed on the disk lasts for this boot only; the images are booted afterwards.
made() {
    release=$(uname -r)
    new=99.1.0-rig
    printf 'MODULES=list\nCOMPRESS=gzip\nCOMPRESSLEVEL=1\n' > /etc/initramfs-tools/conf.d/rig
    printf '%s\n' virtio_pci virtio_blk ext4 snd_hda_intel > /etc/initramfs-tools/modules
    make_current
    make_stale
    upgrade_kernel
    rebuild "made with the changed configuration"
    wait_state current
    save_file rebuilt "/boot/initrd.img-$release"

    systemctl disable -q vfio-bindd.service vfio-bindd-early.service
    wait_state stale "when the switch goes off"
    rebuild "made with the switch off"
    wait_state unused
    assert_image_lacks_us "/boot/initrd.img-$release"
    image_size "/boot/initrd.img-$release"
    info "image-bytes $((with - SIZE))"
    save_file disabled "/boot/initrd.img-$release"
}

rebuilt() {
    check "what booted is current" manager_is BootedInitramfsState current
    for address in "$SOUND" "$OTHER"; do
        assert_driver "$address" vfio-pci
        assert_not_probed "$address"
        assert_property "$address" Provenance 's "clean"'
        assert_property "$address" ClaimedStage 's "initrd"'
    done
}

disabled() {
    for address in "$SOUND" "$OTHER"; do
        assert_driver "$address" snd_hda_intel
        check "control: a host driver probes $address" dmesg_probed "$address"
    done
    refute "nothing of us in the kernel's log" grep -q vfio-bindd /run/rig-dmesg
    refute "no state" test -e /run/vfio-bindd
    refute "no daemon" systemctl is-active -q vfio-bindd
}

wait_booted
dmesg > /run/rig-dmesg
assert_no_failed_units
"$BOOT"
