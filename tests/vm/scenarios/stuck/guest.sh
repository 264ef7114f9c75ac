# A program has a vfio device open; another one unbinds it by hand and never comes back. The kernel
# holds the device's lock all the while: whatever the daemon has to do with it gets stuck, too.

MANAGER="org.vfio.Bind1 /org/vfio/Bind1 org.vfio.Bind1.Manager"

object() { echo "/org/vfio/Bind1/device/pci_$(echo "$1" | tr ':.' '__')"; }
property() { # ADDRESS NAME: sets VALUE
    VALUE=$(busctl get-property org.vfio.Bind1 "$(object "$1")" org.vfio.Bind1.Device "$2" 2>&1)
}
state_is() { # ADDRESS STATE
    property "$1" State
    [ "$VALUE" = "s \"$2\"" ]
}
reason_names() { # ADDRESS TEXT
    property "$1" ReasonText
    case "$VALUE" in *"$2"*) return 0 ;; *) return 1 ;; esac
}
call() { # METHOD ADDRESS: sets ANSWER and STATUS
    # shellcheck disable=SC2086
    ANSWER=$(busctl call --timeout=60 $MANAGER "$1" 'sa{sv}' "$2" 0 2>&1)
    STATUS=$?
}
now() { # sets NOW, in hundredths of a second
    read -r NOW rest < /proc/uptime
    NOW=${NOW%.*}${NOW#*.}
}
# How long a call takes, the start of busctl included, which an emulated processor needs most of it
# for: the fastest of some tells whether anybody waits, the slowest whether somebody waited once.
measure() { # sets FASTEST and SLOWEST
    SLOWEST=0
    FASTEST=9999
    for turn in 1 2 3 4 5 6 7 8; do
        now
        began=$NOW
        # shellcheck disable=SC2086
        busctl get-property $MANAGER State > /dev/null 3>&- || SLOWEST=9999
        now
        [ $((NOW - began)) -le "$SLOWEST" ] || SLOWEST=$((NOW - began))
        [ $((NOW - began)) -ge "$FASTEST" ] || FASTEST=$((NOW - began))
    done
}
assert_answers() { # NAME
    measure
    if [ "$FASTEST" -le $((IDLE + 10)) ] && [ "$SLOWEST" -le 300 ]; then
        ok "$1: the daemon answers within 100 ms"
    else
        fail "$1: the daemon answers within 100 ms" \
            "$FASTEST to $SLOWEST/100 s; idle $IDLE/100 s"
    fi
}
hold() { # sets HOLDER
    vfio-open "$HELD" --hold < /run/hold > /run/opened 2>&1 &
    HOLDER=$!
    exec 3> /run/hold
    wait_for 10 grep -q ready /run/opened || fail "vfio-open" "it does not open" "$(cat /run/opened)"
}
# Descriptor 3 is what keeps the holder: nothing that stays may inherit it. For the background only:
# a shell keeps a copy of what is closed for one command.
unbind_by_hand() {
    exec 3>&-
    echo "$HELD" > /sys/bus/pci/drivers/vfio-pci/unbind
}
bound() { rig_has_driver "$HELD" vfio-pci && state_is "$HELD" bound; }

wait_booted
mkfifo /run/hold
assert_driver "$HELD" vfio-pci "it is bound"
assert_driver "$OTHER" vfio-pci "so is the other one"
group_of "$HELD"
measure
IDLE=$FASTEST
info idle "$IDLE"

hold
call ReleaseDevice "$HELD"
assert_match "a device in use is not given back" "$STATUS $ANSWER" "1 *$HOLDER (vfio-open)*"
assert_driver "$HELD" vfio-pci "nor touched"

# Another program does what we do not. The request that comes at this moment gets stuck beside it.
unbind_by_hand &
unbinder=$!
wait_driver "$HELD" none 5
busctl call --timeout=60 $MANAGER BindDevice 'sa{sv}' "$HELD" 0 > /run/answer 2>&1 3>&- &
request=$!
assert_answers "a worker is stuck"
if wait_for 15 state_is "$HELD" stuck; then ok "it is shown as stuck"
else fail "it is shown as stuck" "$VALUE" "$(cat /run/answer)"; fi
if wait_for 10 reason_names "$HELD" "$HOLDER (vfio-open)"; then ok "with who has it open"
else fail "with who has it open" "$VALUE"; fi
wait "$request"
assert_match "the request says so" "$(cat /run/answer)" "*stuck*"
listed=$(vfio-bindctl list 2>&1)
assert_match "vfio-bindctl lists it with its holder" "$listed" "*stuck*$HOLDER (vfio-open)*"
held_by=$HOLDER
info reason "$VALUE"

# Nobody else waits.
now
began=$NOW
call ReleaseDevice "$OTHER"
assert_equal "the other group is released meanwhile" "$STATUS" 0
wait_driver "$OTHER" nvme 10
assert_driver "$OTHER" nvme
call BindDevice "$OTHER"
assert_equal "and bound again" "$STATUS" 0
assert_driver "$OTHER" vfio-pci
now
info other-group "$((NOW - began))"
now
began=$NOW
check "the unit is stopped" systemctl stop vfio-bindd
now
if [ $((NOW - began)) -le 500 ]; then ok "stopping does not wait for the worker"
else fail "stopping does not wait for the worker" "$((NOW - began))/100 s"; fi
check "and started" timeout 60 systemctl start vfio-bindd
if wait_for 15 state_is "$HELD" stuck; then ok "the next daemon sees it as stuck"
else fail "the next daemon sees it as stuck" "$VALUE"; fi
if wait_for 10 reason_names "$HELD" "$HOLDER (vfio-open)"; then ok "and names who has it open"
else fail "and names who has it open" "$VALUE"; fi
assert_answers "after the restart"

# The end of the holder is the end of it all.
now
began=$NOW
exec 3>&-
wait_for 20 rig_has_driver "$HELD" vfio-pci
now
after=$((NOW - began))
info back-after "$after"
if wait_for 20 bound; then ok "it is bound again"
else fail "it is bound again" "$VALUE" "$(journalctl -b -u vfio-bindd | tail -20)"; fi
# The worker that does it is slow where busctl is.
if [ "$after" -le $((200 + 3 * IDLE)) ]; then ok "within 2 s"
else fail "within 2 s" "after $after/100 s; idle $IDLE/100 s"; fi
wait "$unbinder"
wait "$HOLDER"

# Nobody of us at it: the daemon tells from /sys that another program is stuck.
hold
unbind_by_hand &
unbinder=$!
wait_driver "$HELD" none 5
sleep 1
systemctl reload vfio-bindd
if wait_for 10 state_is "$HELD" stuck; then ok "an unbind by others is shown as stuck"
else fail "an unbind by others is shown as stuck" "$VALUE"; fi
if wait_for 10 reason_names "$HELD" "$HOLDER (vfio-open)"; then ok "with who is to blame"
else fail "with who is to blame" "$VALUE"; fi
call BindDevice "$HELD"
assert_match "a request is answered at once" "$STATUS $ANSWER" "1 *Another program unbinds it*"
now
began=$NOW
exec 3>&-
wait_for 20 bound
now
info reclaimed-after "$((NOW - began))"
if bound; then ok "it is reclaimed"
else fail "it is reclaimed" "$VALUE" "$(journalctl -b -u vfio-bindd | tail -20)"; fi
wait "$unbinder"
wait "$HOLDER"
# journald of kernels before 6.12.91 was stuck itself: it reads the uevent file of whatever device
# the kernel speaks of, which waits for the device's lock.
named() { journalctl -b -u vfio-bindd | grep -q "stuck.*$held_by (vfio-open)"; }
check "the journal names the holder" wait_for 20 named
assert_equal "no worker is left" "$(pgrep -c vfio-bindd-work)" 0
assert_no_failed_units
