# Rounds: something is begun (bind, release, VFs made or removed), and at some moment of it somebody
# is killed. Whoever is left, or comes next, has to bring it to an end. Then the same with the power
# cut: QEMU resets the machine, and what the guest had not written is gone.

SYSFS=/sys/bus/pci/devices
read -r KILLS CUTS SEED < /etc/kills

random() { # BELOW: sets RANDOM; the same seed gives the same
    SEED=$(((SEED * 1103515245 + 12345) % 2147483648))
    RANDOM=$((SEED / 65536 % $1))
}
call() { # METHOD ADDRESS
    busctl call --timeout=30 org.vfio.Bind1 /org/vfio/Bind1 org.vfio.Bind1.Manager "$1" 'sa{sv}' \
        "$2" 0
}
both_on() { rig_has_driver "$PAIR_0" "$1" && rig_has_driver "$PAIR_1" "$1"; }
no_intent() { [ -z "$(ls /run/vfio-bindd/intents 2>/dev/null)" ]; }
answers() { busctl get-property org.vfio.Bind1 /org/vfio/Bind1 org.vfio.Bind1.Manager State \
    > /dev/null 2>&1; }
override_of() { # ADDRESS: sets OVERRIDE
    OVERRIDE=absent
    [ ! -e "$SYSFS/$1" ] || read -r OVERRIDE < "$SYSFS/$1/driver_override"
}
# The claimed ones are ours, the others without anything of ours: QEMU's are not ready for nvme.
vfs_complete() {
    for vf in "$PF_VF0" "$PF_VF1"; do
        [ ! -e "$SYSFS/$vf" ] || rig_has_driver "$vf" vfio-pci || return 1
    done
    for vf in "$PF_VF2" "$PF_VF3"; do
        override_of "$vf"
        case "$OVERRIDE" in absent|'(null)') ;; *) return 1 ;; esac
    done
}
pair_whole() {
    if both_on e1000; then expected='(null)'
    elif both_on vfio-pci; then expected=vfio-pci
    else return 1; fi
    for address in "$PAIR_0" "$PAIR_1"; do
        override_of "$address"
        [ "$OVERRIDE" = "$expected" ] || return 1
    done
}
whole() { no_intent && pair_whole && rig_has_driver "$PF" nvme && vfs_complete; }
describe() {
    for address in "$PAIR_0" "$PAIR_1" "$PF" "$PF_VF0" "$PF_VF1" "$PF_VF2" "$PF_VF3"; do
        driver_of "$address"
        override_of "$address"
        echo "$address driver=$DRIVER override=$OVERRIDE"
    done
    ls /run/vfio-bindd/intents /run/vfio-bindd/originals /run/vfio-bindd/functions
}
nothing_left() { # the plan is empty
    [ "$(busctl call org.vfio.Bind1 /org/vfio/Bind1 org.vfio.Bind1.Manager Plan 'a{sv}' 0)" = \
        "a(isssss) 0" ]
}
data_is_intact() {
    mount "$DISK" /srv && sha256sum --quiet -c /etc/checksum
}

begin() { # ACTION
    case "$1" in
        bind) call BindDevice "$PAIR_0" ;;
        release) call ReleaseDevice "$PAIR_1" ;;
        make) echo 4 > "$SYSFS/$PF/sriov_numvfs" ;;
        remove) echo 0 > "$SYSFS/$PF/sriov_numvfs" ;;
    esac > /run/output 2>&1
}
strike() { # VICTIM
    case "$1" in
        worker) pkill -KILL -x @vfio-bindd-wor ;;
        helper) pkill -KILL -x vfio-bindd-help ;;
        daemon) pkill -KILL -x vfio-bindd ;;
        all) pkill -KILL '^@?vfio-bindd' ;;
    esac && n_killed=$((n_killed + 1))
}
choose() { # sets ACTION: something that changes what is there
    random 2
    if [ "$RANDOM" = 0 ]; then
        if both_on e1000; then ACTION=bind; else ACTION=release; fi
    elif [ -e "$SYSFS/$PF_VF0" ]; then ACTION=remove
    else ACTION=make; fi
}
round() {
    choose
    random 45
    pause=0.$(printf '%02d' "$RANDOM")
    random 4
    case "$RANDOM" in 0) victim=worker ;; 1) victim=helper ;; 2) victim=daemon ;; 3) victim=all ;; esac
    begin "$ACTION" &
    begun=$!
    sleep "$pause"
    strike "$victim"
    wait "$begun"
    what="round $number: $ACTION, $victim killed after $pause s"
    wait_for 20 answers || broken="$broken$NL$what: the daemon does not answer"
    wait_for 30 whole || broken="$broken$NL$what:$NL$(describe)"
}

first_phase() {
    find_disk
    mke2fs -q -t ext4 "$DISK" && mount "$DISK" /srv
    dd if=/dev/urandom of=/srv/data bs=64k count=64 2> /dev/null
    sha256sum /srv/data > /etc/checksum
    sync
    modprobe vfio-pci
    n_killed=0
    broken=
    number=0
    while [ "$number" -lt "$KILLS" ]; do
        number=$((number + 1))
        round
    done
    info killed "$n_killed"
    if [ -z "$broken" ]; then ok "whole after each of $KILLS rounds"
    else fail "whole after each of $KILLS rounds" "seed $SEED" "$broken"; fi
    if [ "$n_killed" -gt $((KILLS / 3)) ]; then ok "somebody was killed"
    else fail "somebody was killed" "$n_killed times in $KILLS rounds"; fi
    # What was only undone is wanted still, and a host driver that refused a VF is asked again.
    call ReleaseDevice "$PAIR_0" > /run/output 2>&1
    echo 0 > "$SYSFS/$PF/sriov_numvfs"
    if wait_for 20 both_on e1000; then ok "the group can be given back"
    else fail "the group can be given back" "$(cat /run/output)" "$(describe)"; fi
    if wait_for 10 nothing_left; then ok "nothing is left to do"
    else fail "nothing is left to do" "$(busctl call org.vfio.Bind1 /org/vfio/Bind1 \
        org.vfio.Bind1.Manager Plan 'a{sv}' 0)"; fi
}
find_disk() { # sets DISK
    for DISK in "$SYSFS/$DATA"/nvme/nvme*/nvme*n1; do DISK=/dev/${DISK##*/}; done
}

# The next phase begins with a reset in the middle of this one's work.
cut() { # NEXT PHASE
    echo "$1" > /rig/phase
    sync
    : > /run/rig-leaving
    rig_save_logs
    choose
    random 45
    info "cut-$1" "$ACTION, after 0.$RANDOM s"
    begin "$ACTION" &
    sleep "0.$(printf '%02d' "$RANDOM")"
    printf 'reboot %s\n' "$1" >&8
    qmp '{"execute":"system_reset"}' > /dev/null
    sleep 60
}

wait_booted
info seed "$SEED"
if [ "$PHASE" = first ]; then
    first_phase
    number=0
else
    number=${PHASE#cut}
    SEED=$((SEED + number * 7919))
    assert_driver "$PAIR_0" e1000 "$PHASE: the host has its cards"
    assert_driver "$PAIR_1" e1000 "$PHASE: both of them"
    check "$PHASE: the daemon answers" answers
    find_disk
    check "$PHASE: the host's data is intact" data_is_intact
    if wait_for 10 nothing_left; then ok "$PHASE: nothing is left to do"
    else fail "$PHASE: nothing is left to do" "$(describe)"; fi
    assert_no_failed_units "$PHASE: no failed units"
    modprobe vfio-pci
fi
[ "$number" -ge "$CUTS" ] || cut "cut$((number + 1))"
