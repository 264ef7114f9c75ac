# One group of two cards with host drivers, bound and released by request: a member's bind fails,
# workers and the daemon are killed, a program has the group open.

read -r ROUNDS < /etc/rounds
SYSFS=/sys/bus/pci/devices

call() { # METHOD ADDRESS: sets ANSWER and STATUS
    ANSWER=$(busctl call --timeout=60 org.vfio.Bind1 /org/vfio/Bind1 org.vfio.Bind1.Manager \
        "$1" 'sa{sv}' "$2" 0 2>&1)
    STATUS=$?
}
property() { # ADDRESS NAME: sets VALUE
    VALUE=$(busctl get-property org.vfio.Bind1 \
        "/org/vfio/Bind1/device/pci_$(echo "$1" | tr ':.' '__')" org.vfio.Bind1.Device "$2" 2>&1)
}
both_on() { # DRIVER
    driver_of "$PAIR_0"
    [ "$DRIVER" = "$1" ] || return 1
    driver_of "$PAIR_1"
    [ "$DRIVER" = "$1" ]
}
settled() { no_intent && { both_on e1000 || both_on vfio-pci; }; }
no_intent() { [ -z "$(ls /run/vfio-bindd/intents 2>/dev/null)" ]; }
answers() { busctl get-property org.vfio.Bind1 /org/vfio/Bind1 org.vfio.Bind1.Manager State \
    > /dev/null 2>&1; }
describe() {
    for address in "$PAIR_0" "$PAIR_1"; do
        driver_of "$address"
        read -r override < "$SYSFS/$address/driver_override"
        read -r power < "$SYSFS/$address/power/control"
        property "$address" State
        echo "$address driver=$DRIVER override=$override power=$power State=$VALUE"
    done
    ls /run/vfio-bindd/intents /run/vfio-bindd/originals /run/vfio-bindd/functions
}
whole() { # NAME DRIVER
    if wait_for 15 both_on "$2"; then ok "$1: both are on $2"
    else fail "$1: both are on $2" "they are not" "$(describe)$NL$ANSWER"; fi
    if wait_for 5 no_intent; then ok "$1: no intent is left"
    else fail "$1: no intent is left" "there is one" "$(describe)"; fi
}
as_found() { # NAME
    whole "$1" e1000
    for address in "$PAIR_0" "$PAIR_1"; do
        read -r override < "$SYSFS/$address/driver_override"
        read -r power < "$SYSFS/$address/power/control"
        assert_equal "$1: $address as it was" "$override $power" "(null) on"
    done
}
release() { # NAME
    call ReleaseDevice "$PAIR_0"
    assert_equal "$1: released" "$STATUS" 0
    as_found "$1"
}

main_pid() { MAIN_PID=$(systemctl show -P MainPID vfio-bindd.service); }
# What the daemon and its workers write to sysfs is tampered with, see tools/tamper-writes.c.
n_orders=0
tamper() { # WHICH WRITE, ERRNO|kill
    n_orders=$((n_orders + 1))
    printf '%s\n' "$n_orders $1 $2" /sys/bus/pci/drivers/vfio-pci/bind \
        /sys/bus/pci/drivers/e1000/unbind "$(readlink -f "$SYSFS/$PAIR_0")/driver_override" \
        "$(readlink -f "$SYSFS/$PAIR_1")/driver_override" > /run/tamper.new
    mv /run/tamper.new /run/tamper
}
leave() { rm /run/tamper; }

wait_booted
modprobe vfio-pci
assert_driver "$PAIR_0" e1000 "first: the host has the first card"
assert_driver "$PAIR_1" e1000 "first: the host has the second card"

# The overrides are the first two writes, then two unbinds, then two binds.
tamper 6 22
call BindDevice "$PAIR_0"
leave
assert_match "second bind fails: the call says so" "$STATUS $ANSWER" "1 *journalctl -k*"
as_found "second bind fails"
property "$PAIR_1" State
assert_equal "second bind fails: State" "$VALUE" 's "failed"'

tamper 4 5
call BindDevice "$PAIR_0"
leave
assert_equal "second unbind fails: the call says so" "$STATUS" 1
as_found "second unbind fails"

# Each worker is killed at that write: the one that takes up its work has less to do, and where that
# is killed too, the daemon goes on with it.
for at in 2 4 6; do
    tamper "$at" kill
    call BindDevice "$PAIR_0"
    leave
    # nobody asks for it
    wait_for 60 settled || fail "worker killed at write $at: taken up" "it is not" "$(describe)"
    if both_on e1000; then as_found "worker killed at write $at"
    else whole "worker killed at write $at" vfio-pci; fi
    info "killed-at-$at" "$STATUS"
    call BindDevice "$PAIR_0"
    whole "bound after a worker was killed at write $at" vfio-pci
    release "after a worker was killed at write $at"
done

# Rounds of bind and release; the daemon or its workers are killed at some moment of each.
random() { # BELOW: sets RANDOM
    RANDOM=$(od -An -N2 -tu2 /dev/urandom)
    RANDOM=$((RANDOM % $1))
}
kill_worker() { pkill -KILL -x '@vfio-bindd-wor'; }
kill_daemon() { main_pid; [ "$MAIN_PID" = 0 ] || kill -KILL "$MAIN_PID"; }
n_killed=0
broken=
round() { # METHOD
    call "$1" "$PAIR_0" &
    random 40
    sleep "0.$(printf '%02d' "$RANDOM")"
    case $((number % 3)) in
        0) kill_worker && n_killed=$((n_killed + 1)) ;;
        1) kill_daemon && n_killed=$((n_killed + 1)) ;;
        2) kill_worker; kill_daemon && n_killed=$((n_killed + 1)) ;;
    esac
    wait $!
    wait_for 20 answers || broken="$broken${NL}round $number: the daemon does not answer"
    if ! wait_for 25 settled; then
        broken="$broken${NL}round $number $1:$NL$(describe)"
    fi
}
number=0
while [ "$number" -lt "$ROUNDS" ]; do
    round BindDevice
    round ReleaseDevice
    number=$((number + 1))
done
info killed "$n_killed"
if [ -z "$broken" ]; then ok "whole in every round"
else fail "whole in every round" "not in all of $ROUNDS" "$broken"; fi
if [ "$n_killed" -ge "$ROUNDS" ]; then ok "something was killed in most rounds"
else fail "something was killed in most rounds" "$n_killed times"; fi

call BindDevice "$PAIR_0"
assert_equal "bound after all rounds" "$STATUS" 0
whole "bound after all rounds" vfio-pci
release "released after all rounds"
call BindDevice "$PAIR_0"
whole "bound once more" vfio-pci
assert_equal "nothing is left to do" "$(busctl call org.vfio.Bind1 /org/vfio/Bind1 \
    org.vfio.Bind1.Manager Plan 'a{sv}' 0)" "a(isssss) 0"

# Open: refused, at once, and nobody waits meanwhile.
busy() { # NAME
    begin=$(date +%s)
    call ReleaseDevice "$PAIR_1"
    took=$(($(date +%s) - begin))
    assert_match "$1: refused" "$STATUS $ANSWER" "1 *open in*"
    if [ "$took" -le 5 ]; then ok "$1: at once"
    else fail "$1: at once" "after $took s"; fi
    check "$1: the daemon answers" answers
    whole "$1" vfio-pci
}
group_of "$PAIR_0"
exec 3<> "/dev/vfio/$GROUP"
busy "group open in a shell"
assert_match "group open in a shell: it is named" "$ANSWER" "*(sh)*"
exec 3>&-

mkfifo /run/hold
for how in --hold --hold-device; do
    vfio-open "$PAIR_0" "$how" < /run/hold > /run/opened 2>&1 &
    holder=$!
    exec 3> /run/hold
    wait_for 10 grep -q ready /run/opened || fail "vfio-open $how" "$(cat /run/opened)"
    busy "vfio-open $how"
    [ -e "/proc/$holder" ] && ok "vfio-open $how: its device was left to it" ||
        fail "vfio-open $how: its device was left to it" "it has ended"
    exec 3>&-
    wait "$holder"
done
release "after it was closed"

assert_no_failed_units
