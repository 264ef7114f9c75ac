# suggest → check → plan → enable → reboot → list → release → bind → wait → monitor.

CONFIG=/etc/vfio-bind.conf

as_alice() { runuser -u alice -- "$@"; }
# status NAME EXPECTED COMMAND…: its exit code.
status() {
    status_name=$1 status_wanted=$2
    shift 2
    status_output=$("$@" 2>&1)
    status_code=$?
    if [ "$status_code" = "$status_wanted" ]; then ok "$status_name"
    else fail "$status_name" "exit code $status_code, expected $status_wanted" "$status_output"; fi
}

first() {
    id alice > /dev/null 2>&1 || useradd alice
    # its driver looks at a drive for as long as that takes
    check "the host has the drive" wait_driver "$MINE" nvme
    status "nothing is claimed" 0 vfio-bindctl list
    status "a user sees the groups without the daemon" 0 as_alice vfio-bindctl groups
    vfio-bindctl suggest drive "$MINE" > "$CONFIG"
    save_file suggested "$CONFIG"
    assert_match "the claim is pinned" "$(cat "$CONFIG")" "*Match=path=*expect=1b36:0010*"
    status "what is suggested passes a strict check" 0 vfio-bindctl check --strict
    status "a user checks a file of his own" 0 as_alice vfio-bindctl check "$CONFIG"
    echo "Mach=$HOSTS" | cat "$CONFIG" - > /tmp/broken.conf
    status "a broken file is told, in the place of the other" 2 \
        vfio-bindctl check --as="$CONFIG" /tmp/broken.conf
    assert_match "with its line" "$status_output" "/tmp/broken.conf:*: error: *"
    status "plan: something would change" 6 vfio-bindctl plan --exit-code
    assert_match "plan names the device" "$status_output" "*$MINE*bind*nvme*vfio-pci*"
    status "plan for the next boot" 0 vfio-bindctl plan --next-boot
    assert_match "explain" "$(vfio-bindctl explain "$MINE")" "*Selected by claim drive ($CONFIG:*"
    status "apply says that no daemon runs" 1 vfio-bindctl apply
    status "wait says so too" 1 vfio-bindctl wait drive
    refute "none of it started one" systemctl is-active vfio-bindd
    assert_driver "$MINE" nvme "none of it touched anything"
    check "enable" systemctl enable vfio-bindd
    reboot_into second
}

# Beyond so many lines the monitor has told that the device is bound.
told_bound() {
    tail -n "+$(($1 + 1))" /tmp/monitor.json | grep -F "\"Address\":\"$MINE\"" |
        grep -qF '"State":"bound"'
}

# What the command line says with the daemon, and without.
compare_with_snapshot() {
    vfio-bindctl plan --next-boot --json=short > /tmp/live
    vfio-bindctl list --json=short | sed 's/.*"Claims"/"Claims"/' > /tmp/live-list
    check "snapshot" vfio-bindctl snapshot -o /tmp/machine.tar
    mkdir /tmp/machine
    check "it is a tar archive" tar -xf /tmp/machine.tar -C /tmp/machine
    vfio-bindctl --root=/tmp/machine plan --next-boot --json=short > /tmp/saved
    vfio-bindctl --root=/tmp/machine list --json=short | sed 's/.*"Claims"/"Claims"/' \
        > /tmp/saved-list
    assert_equal "the snapshot is planned as the machine" "$(cat /tmp/saved)" "$(cat /tmp/live)"
    assert_equal "and listed as it" "$(cat /tmp/saved-list)" "$(cat /tmp/live-list)"
}

second() {
    wait_booted
    info "mine $MINE"
    status "wait until it is bound" 0 vfio-bindctl wait --timeout=60 drive
    assert_driver "$MINE" vfio-pci
    assert_driver "$HOSTS" nvme
    assert_not_probed "$MINE"
    for who in "" as_alice; do
        status "${who:-root}: list" 0 $who vfio-bindctl list
        assert_match "${who:-root}: bound" "$status_output" "*drive *bound *$MINE  vfio-pci*"
        status "${who:-root}: groups" 0 $who vfio-bindctl groups
        status "${who:-root}: status" 0 $who vfio-bindctl status
        status "${who:-root}: status of the device" 0 $who vfio-bindctl status "$MINE"
        assert_match "${who:-root}: its provenance" "$status_output" "*Provenance: clean*"
        status "${who:-root}: explain" 0 $who vfio-bindctl explain "$MINE"
        status "${who:-root}: nothing to plan" 0 $who vfio-bindctl plan --exit-code
        status "${who:-root}: no such device" 4 $who vfio-bindctl status 0000:77:00.0
    done
    status "a user may not release" 1 as_alice vfio-bindctl --no-ask-password release "$MINE"
    assert_match "and is told so" "$status_output" "*Not allowed*"
    assert_driver "$MINE" vfio-pci "after the user"

    # The monitor's first line says that it follows.
    vfio-bindctl monitor --json=short > /tmp/monitor.json &
    monitor=$!
    check "monitor begins" wait_for 10 test -s /tmp/monitor.json
    status "release" 0 vfio-bindctl release drive
    assert_match "says who took it" "$status_output" "$MINE (1b36:0010) given back to nvme."
    assert_driver "$MINE" nvme "released"
    status "wait until it is released" 0 vfio-bindctl wait --for=released --timeout=20 drive
    status "a released claim is not bound by itself" 3 vfio-bindctl wait --timeout=20 drive
    status "bind" 0 vfio-bindctl bind "$MINE"
    assert_match "says from whom it was taken" "$status_output" \
        "$MINE (1b36:0010) bound to vfio-pci, taken from nvme."
    assert_driver "$MINE" vfio-pci "bound again"
    status "wait until it is bound again" 0 vfio-bindctl wait --timeout=20 drive
    status "the system's disk is refused" 3 vfio-bindctl bind "$ROOT_DISK"
    assert_match "with the thing in the way" "$status_output" "*is mounted on /*"
    status "the journal is shown" 0 vfio-bindctl status "$MINE"
    assert_match "with what was said of it" "$status_output" "*$MINE*vfio-pci*"
    status "release everything" 0 vfio-bindctl release --all
    assert_driver "$MINE" nvme "all released"
    lines=$(wc -l < /tmp/monitor.json)
    status "bind it for the monitor" 0 vfio-bindctl bind "$MINE"
    check "monitor has seen it" wait_for 10 told_bound "$lines"
    kill "$monitor"
    save_file monitor.json /tmp/monitor.json
    compare_with_snapshot
    assert_no_failed_units
}

case "$PHASE" in
    first) first ;;
    *) second ;;
esac
