"""Hosts set up with other tools move over: import, remove them as it says, reboot, the same set.

driverctl is Debian's own package. OpenNebula's script, one-deploy's unit and dpdk-devbind.py are
written anew from their manuals, virsh and update-grub are stand-ins for what a guest without
libvirt and boot loader has not; the files they leave and what they do to devices are as on a host.
"""

from rig import topology as hw
from rig.scenario import Boot

TIER = "system"
FULL_ONLY = True
GUESTS = ("bookworm", "trixie")
DEADLINE = 1500
# An image of all modules takes a guest ten minutes.
FILES = {"/etc/initramfs-tools/conf.d/rig": "MODULES=list\n"}


def domain(name, managed, bus):
    """A machine that is given a whole slot."""
    return f"""\
<domain type='kvm'>
  <name>{name}</name>
  <devices>
    <hostdev mode='subsystem' type='pci' managed='{managed}'>
      <source>
        <address domain='0x0000' bus='0x{bus:02x}' slot='0x00' function='0x0'/>
      </source>
    </hostdev>
  </devices>
</domain>
"""


# Tools that do not disturb each other.
tools_topology = [
    hw.Iommu(),
    hw.HostNic(),
    hw.Endpoint("BY_VIRSH", "qemu-xhci"),  # bus 1
    hw.Endpoint("MANAGED", "qemu-xhci"),  # bus 2
    hw.Nvme("BY_DRIVERCTL"),
    hw.Nvme("BY_SCRIPT"),
    hw.Nvme("HOSTS"),
    hw.Endpoint("BY_ID_1", "e1000e"),
    hw.Endpoint("BY_ID_2", "e1000e"),
]
tools = {
    "/etc/modprobe.d/vfio.conf": "options vfio-pci ids=8086:10d3\nsoftdep e1000e pre: vfio-pci\n",
    # OpenNebula's manual: a list of devices, a script that binds them, a unit that runs it late
    "/etc/sysconfig/vfio-bind": 'DEVICES="@BY_SCRIPT@"\n',
    "/etc/systemd/system/vfio-bind.service": """\
[Unit]
Description=Binds devices to vfio-pci
After=syslog.target

[Service]
EnvironmentFile=-/etc/sysconfig/vfio-bind
Type=oneshot
RemainAfterExit=yes
ExecStart=-/bin/sh /usr/local/bin/vfio-bind $DEVICES

[Install]
WantedBy=multi-user.target
""",
    "/usr/local/bin/vfio-bind": """\
modprobe vfio-pci
for device; do
    cd "/sys/bus/pci/devices/$device" || continue
    [ ! -e driver ] || echo "$device" > driver/unbind
    echo "$(cat vendor) $(cat device)" > /sys/bus/pci/drivers/vfio-pci/new_id
done
""",
    "/etc/udev/rules.d/70-opennebula.rules": """\
# who may use them
SUBSYSTEM=="vfio", GROUP="kvm", OWNER="nobody"
KERNEL=="rig-none", ENV{KEPT}="yes"
KERNEL=="rig-none", ENV{KEPT}="too"
""",
    "/etc/libvirt/qemu/by-hand.xml": domain("by-hand", "no", 1),
    "/etc/libvirt/qemu/managed.xml": domain("managed", "yes", 2),
}

# The kernel's command line, which only a boot loader can change.
command_line_topology = [
    hw.Iommu(),
    hw.HostNic(),
    hw.Endpoint("BY_ID_1", "e1000e"),
    hw.Endpoint("BY_ID_2", "e1000e"),
    hw.Nvme("HOSTS"),
]
words = "vfio-pci.ids=8086:10d3 rd.driver.pre=vfio-pci modprobe.blacklist=e1000e"
# What the import prints in the boot before is the configuration of the boot after.
imported = """\
# Made by "vfio-bindctl import kernel". Read it before you use it.

# by the ids= of vfio-pci
[Claim vfio-pci-ids]
Match=@BY_ID_1@ expect=8086:10d3:8086:0000
Match=@BY_ID_2@ expect=8086:10d3:8086:0000
"""
command_line = {
    "/etc/default/grub": f'GRUB_CMDLINE_LINUX="iommu=pt {words} quiet"\n',
    "/etc/modules-load.d/vfio.conf": "vfio-pci\n",
    "/root/expected": imported,
}

# one-deploy: virtual functions by a unit, their driver by driverctl; and a script beside it.
one_deploy_topology = [
    hw.Iommu(),
    hw.HostNic(),
    hw.NvmeSriov("PF", vfs=8),
    hw.Endpoint("BY_DPDK", "e1000e"),
    hw.Nvme("BY_RULE"),
    hw.Endpoint("HOSTS", "e1000e"),
]
one_deploy = {
    "/root/inventory.yml": """\
all:
  vars:
    pci_devices:
      - address: "@PF@"
        set_numvfs: "4"
      - address: "@PF_VF0@"
        set_driver: vfio-pci
      - address: "@PF_VF2@"
        set_driver: vfio-pci
""",
    "/etc/systemd/system/sriov-enable@.service": """\
[Unit]
Description=Makes virtual functions: ADDRESS-COUNT
After=network.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh /usr/local/sbin/sriov-manage.sh %i

[Install]
WantedBy=multi-user.target
""",
    "/usr/local/sbin/sriov-manage.sh": """\
cd "/sys/bus/pci/devices/${1%-*}" || exit
until [ -e driver ]; do sleep 0.1; done # a guest comes here before nvme
echo 0 > sriov_numvfs
echo "${1##*-}" > sriov_numvfs
""",
    "/etc/udev/rules.d/99-mode.rules": 'SUBSYSTEM=="vfio", GROUP="kvm", MODE="0666"\n',
    "/etc/udev/rules.d/10-drive.rules": 'ACTION=="add", SUBSYSTEM=="pci", KERNEL=="@BY_RULE@", '
    'ATTR{driver_override}="vfio-pci", RUN{builtin}+="kmod load vfio-pci", '
    "RUN+=\"/bin/sh -c 'echo %k > /sys$devpath/driver/unbind; "
    "echo %k > /sys/bus/pci/drivers_probe'\"\n",
    "/etc/systemd/system/dpdk.service": """\
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh /usr/local/sbin/dpdk-bind @BY_DPDK@

[Install]
WantedBy=multi-user.target
""",
    # as dpdk-devbind.py does: override, bind by name, no override any more
    "/usr/local/sbin/dpdk-bind": """\
modprobe vfio-pci
cd "/sys/bus/pci/devices/$1" || exit
[ ! -e driver ] || echo "$1" > driver/unbind
echo vfio-pci > driver_override
echo "$1" > /sys/bus/pci/drivers/vfio-pci/bind
echo > driver_override
""",
}

BOOTS = (
    Boot("tools", topology=tools_topology, files=tools),
    Boot("one-deploy", topology=one_deploy_topology, files=one_deploy),
    Boot("command-line", topology=command_line_topology, files=command_line, kernel_args=words),
    Boot("command-line-after", topology=command_line_topology,
         files={"/etc/vfio-bind.conf": imported}, enable=True),
)
