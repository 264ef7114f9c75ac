# Makes the rounds; what was said and done in each is judged by scenario.py.

NAME=org.vfio.Bind1
ROOT=/org/vfio/Bind1
MANAGER=org.vfio.Bind1.Manager
BAD=/etc/vfio-bind.conf.d/10-bad.conf

manager() { busctl get-property "$NAME" "$ROOT" "$MANAGER" "$1"; }
reload() { busctl call "$NAME" "$ROOT" "$MANAGER" Reload; }
claim() { busctl get-property "$NAME" "$ROOT/claim/$1" "$NAME.Claim" "$2"; }
at_rest() { [ "$(manager Pending)" = "u ${1:-0}" ]; }

drivers() {
    for address in "$MINE" "$BOTH" "$HOSTS" "$PAIR_0" "$PAIR_1" "$D0_0" "$D1_0" "$D2_0" "$D3_0" \
        "$D4_0" "$D5_0" "$D6_0" "$D7_0" "$D8_0" "$D9_0"; do
        driver_of "$address"
        echo "$address $DRIVER"
    done
}
claims() {
    busctl --json=short call "$NAME" "$ROOT" org.freedesktop.DBus.ObjectManager \
        GetManagedObjects | jq -c '[.data[0][]["org.vfio.Bind1.Claim"] // empty |
            {(.Name.data): [.State.data, .Reason.data]}] | add'
}

# What the daemon said since the last call.
tell_journal() { # NAME
    journalctl --sync
    journalctl -b -o cat --no-pager -t vfio-bindd --cursor-file=/run/cursor > /run/said
    save_file "journal-$1" /run/said
}
tell() { # NAME [CLAIMS THAT STAY PENDING]
    wait_for 20 at_rest "${2:-0}" || fail "$1: at rest" "$(manager Pending)"
    busctl --json=short get-property "$NAME" "$ROOT" "$MANAGER" ConfigurationErrors |
        save_file "errors-$1" -
    drivers | save_file "drivers-$1" -
    claims | save_file "claims-$1" -
    info "state-$1" "$(manager State)"
    tell_journal "$1"
}

use() { # FOLDER: its files are the configuration from now on
    rm -rf /etc/vfio-bind.conf /etc/vfio-bind.conf.d /usr/lib/vfio-bind.conf \
        /usr/lib/vfio-bind.conf.d
    mkdir /etc/vfio-bind.conf.d
    cp -a "/rounds/$1/etc/." /etc
}

wait_booted
tell reading
journalctl -b -o cat --no-pager -t vfio-bindd-helper | save_file journal-early -
for round in more-reading selectors doubled conflicting; do
    use "$round"
    if [ "$round" = conflicting ]; then check "$round: reload" reload
    else refute "$round: reload says that there are errors" reload; fi
    case "$round" in
        doubled) tell "$round" 1 ;; # a claim without mistake, whose drive the host has
        *) tell "$round" ;;
    esac
done

# Files that are refused: each could have said anything, so all claims stay as they were.
use good
check "good: reload" reload
tell good
unchanged() { # NAME
    assert_equal "$1: the drive's claim is as before" "$(claim drive State)" 's "bound"'
    assert_driver "$MINE" vfio-pci "$1: the drive is bound"
    assert_driver "$HOSTS" nvme "$1: the host's drive is its own"
}
for kind in owner group others directory fifo loop large; do
    rm -rf "$BAD"
    printf '[Claim host]\nMatch=%s\n' "$HOSTS" > "$BAD"
    case "$kind" in
        owner) chown nobody "$BAD" ;;
        group) chmod g+w "$BAD" ;;
        others) chmod o+w "$BAD" ;;
        directory) rm "$BAD" && mkdir "$BAD" ;;
        fifo) rm "$BAD" && mkfifo "$BAD" ;;
        loop) ln -sf 10-bad.conf "$BAD" ;;
        large) head -c 1048577 /dev/zero | tr '\0' '#' > "$BAD" ;;
    esac
    refute "$kind: reload says that there are errors" reload
    tell "$kind"
    unchanged "$kind"
done
rm -rf "$BAD"
head -c 1000000 /dev/urandom > "$BAD"
refute "garbage: reload says that there are errors" reload
tell garbage
unchanged garbage
check "garbage: restart" systemctl restart vfio-bindd
tell garbage-start
assert_equal "garbage, at the start: the claim is out" \
    "$(claim drive State) $(claim drive Reason)" 's "error" s "config-error"'
assert_driver "$MINE" vfio-pci "garbage, at the start: what is bound stays bound"
assert_driver "$HOSTS" nvme "garbage, at the start: the host's drive is its own"

# The last good version of the claim with a mistake is what counts, for requests too.
rm "$BAD"
check "mended: reload" reload
assert_equal "mended: no errors" "$(manager ConfigurationErrors)" "a(suus) 0"
assert_equal "mended: running" "$(manager State)" 's "running"'
unchanged mended
printf '[Claim drive]\nMatch=%s\nDrvier=auto\n' "$HOSTS" > /etc/vfio-bind.conf
refute "kept: reload says that there is an error" reload
busctl call "$NAME" "$ROOT" "$MANAGER" Apply 'asa{sv}' 1 drive 0 > /run/applied 2>&1
assert_match "kept: apply speaks of the last good version" "$(cat /run/applied)" \
    "a(oss) 1 *pci_$(echo "$MINE" | tr ':.' '__')\" \"bound\" \"\""
unchanged kept
assert_no_failed_units
