#!/bin/sh
# Sourced by dracut once the root is mounted: lays the files that the rig appended over it.
if [ -d /rig/overlay ] && [ ! -e "$NEWROOT/rig/.overlaid" ]; then
    mount -o remount,rw "$NEWROOT"
    cp -a /rig/overlay/. "$NEWROOT/" && mkdir -p "$NEWROOT/rig" && : > "$NEWROOT/rig/.overlaid"
    mount -o remount,ro "$NEWROOT"
fi
