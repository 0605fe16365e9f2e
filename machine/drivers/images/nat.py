"""Inside the NAT that qemu and VirtualBox give a machine: fixed, and the same in both; an image relies on it."""

from __future__ import annotations

ADDRESS, GATEWAY, DNS, BITS = "10.0.2.15", "10.0.2.2", "10.0.2.3", 24
