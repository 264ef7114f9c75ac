record=/var/lib/vfio-bindd/host-devices
# Functions of the chipset that share a group on this machine.
SATA=0000:00:1f.2
SMBUS=0000:00:1f.3

lists() { grep -q " address=$1 " $record; }
lists_not() { [ -e $record ] && ! lists "$1"; }

network_card() {
    for card in /sys/bus/pci/devices/"$NIC"/net/*; do card=${card##*/}; done
}

first() {
    systemctl start vfio-bindd.service
    wait_for 120 test -e $record
    check "the root's disk is not one of ours" lists_not "$DATA"
    assert_driver "$DATA" nvme
    for disk in /sys/bus/pci/devices/"$DATA"/nvme/nvme*/nvme*n1; do disk=/dev/${disk##*/}; done
    mke2fs -q "$disk"
    network_card

    # Events alone, no plan, renew it: within ten seconds, and one for the delay.
    mount "$disk" /srv
    check "a mount is recorded" wait_for 30 lists "$DATA"
    ip link set "$card" up
    ip address add 192.0.2.1/24 dev "$card"
    check "an address is recorded" wait_for 30 lists "$NIC"
    refute "what is free is not" lists "$FREE"
    check "the chipset has its drivers" wait_driver "$SMBUS" i801_smbus 30
    check "and is recorded" wait_for 30 lists "$SMBUS"
    refute "without what could be claimed beside it" lists "$SATA"
    umount /srv
    check "what is over is forgotten" wait_for 60 lists_not "$DATA"
    mount "$disk" /srv
    check "and recorded again" wait_for 30 lists "$DATA"
    # Not what unmounts and addresses in a shutdown say.
    cat > /etc/vfio-bind.conf <<END
[Claim data]
Match=$DATA

[Claim disks]
Match=class=0108
Exclude=$DATA

[Claim cards]
Match=class=0200

[Claim sata]
Match=$SATA

[Claim not-today]
Match=$FREE
Enabled=no
END
    reboot_into second
}

second() {
    assert_driver "$DATA" nvme
    assert_driver "$NIC" e1000e
    assert_driver "$FREE" vfio-pci
    assert_not_probed "$FREE"
    journal=$(journalctl -b -t vfio-bindd-helper -o cat)
    assert_match "the mounted disk was left alone" "$journal" "*host needs $DATA *mounted on /srv*"
    assert_match "the card with an address was left alone" "$journal" "*host needs $NIC *"
    assert_match "the group of the platform was left alone" "$journal" \
        "*$SATA *not bound: 0000:00:1f.* is part of the platform*"
    check "the platform has its driver" wait_driver "$SMBUS" i801_smbus 30
    check "and so has what is beside it" wait_driver "$SATA" ahci 30
    refute "a claim that is not bound" systemctl start vfio-bind-wait@not-today.service
    check "a claim that is" systemctl start vfio-bind-wait@disks.service
    check "the host comes up" systemctl is-active multi-user.target

    # Nothing uses them now: runtime judges by what it sees, and the record forgets them.
    check "apply takes them" vfio-bindctl apply data cards
    assert_driver "$DATA" vfio-pci
    assert_driver "$NIC" vfio-pci
    check "the disk is forgotten" wait_for 90 lists_not "$DATA"
    check "the card is forgotten" wait_for 90 lists_not "$NIC"
    check "a claim that is bound now" systemctl start vfio-bind-wait@data.service
    reboot_into third
}

third() {
    assert_driver "$DATA" vfio-pci
    assert_not_probed "$DATA"
    assert_driver "$NIC" vfio-pci
    assert_not_probed "$NIC"
    assert_no_failed_units
}

wait_booted
$PHASE
