# No host driver is loaded in this tier: what is bound was bound by the early pass.

/usr/lib/vfio-bindd/vfio-bindd-helper boot --stage=boot --dry-run > /tmp/said 2>&1
said=$(cat /tmp/said)
check "$BOOT: the early pass" /usr/lib/vfio-bindd/vfio-bindd-helper boot --stage=boot
echo "$said" | save_file said -

# Exactly these, of all drives, cards and controllers.
assert_bound() {
    bound=
    for directory in /sys/bus/pci/drivers/vfio-pci/0000:*; do
        [ -e "$directory" ] && bound="$bound ${directory##*/}"
    done
    assert_equal "$BOOT: nothing else is bound" "$bound" "$1"
}

case "$BOOT" in
same)
    assert_bound " $SECOND $THIRD $NIC1 $NIC2"
    ;;
shifted)
    # 02:00.0 is DATA now: equal in all but its place, which the record has; so is the claim's
    # identity. 05:00.0 is SPARE.
    assert_bound " $THIRD $NIC2"
    assert_match "DATA is refused" "$said" "*the host needs $DATA *"
    assert_match "the claim of the card says where it is" "$said" \
        "*$SPARE is 1b36:000d:*, not what *expects; what it asks for is now at $NIC1*"
    ;;
swapped)
    # One claim speaks of the place where the other one's card is now.
    assert_bound " $SECOND $THIRD"
    assert_match "neither of two claims takes a card" "$said" \
        "*$NIC2 is selected by both claim nic1 (/etc/vfio-bind.conf:8) and claim nic2 *"
    ;;
swapped-by-address)
    assert_bound " $THIRD"
    assert_match "by address: the other card is not taken" "$said" \
        "*$NIC2 is 8086:10d3:8086:0000, not what *expects; what it asks for is now at $NIC1*"
    assert_match "by path: the other card is not taken" "$said" \
        "*$NIC1 is 8086:10d3:8086:0000, not what *expects; what it asks for is now at $NIC2*"
    ;;
other)
    # DATA is nowhere: both of its twins may be it. NIC1 is at another port, NIC2 is gone.
    assert_bound ""
    assert_match "SECOND may be DATA" "$said" "*$SECOND may be what the host needs*"
    assert_match "THIRD may be DATA" "$said" "*$THIRD may be what the host needs*"
    assert_match "another card in the slot is not taken" "$said" \
        "*$CARD is 8086:2668:*, not what *expects; what it asks for is now at $NIC1*"
    ;;
root)
    assert_bound ""
    assert_match "a renumbered root bus is noticed" "$said" \
        "*$FAR may be what the host needs: hardware has moved*(path=0000:40:00.0/00.0)*"
    assert_match "its twins are left alone" "$said" "*$SECOND may be what the host needs*"
    ;;
esac
