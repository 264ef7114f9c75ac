"""The VM test rig: boots guests with emulated PCI hardware and runs scenarios in them."""

from __future__ import annotations


class RigError(Exception):
    """Something that a person has to mend; its text says what."""


class UnavailableError(RigError):
    """Something that this computer or this call lacks: what needs it is skipped."""
