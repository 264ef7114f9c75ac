"""The VM test rig: boots guests with emulated PCI hardware and runs scenarios in them."""
