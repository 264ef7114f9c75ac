#!/bin/bash
# The rig's part of a guest's initramfs that dracut makes: what initramfs-tools' init-bottom/rig does.
# shellcheck disable=SC2154 # dracut sets moddir

check() {
    return 0
}

install() {
    inst_multiple cp mkdir mount cat
    inst_hook pre-pivot 99 "$moddir/lay-overlay.sh"
}
