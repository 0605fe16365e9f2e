"""Hosts that tests may break: real Debian machines in containers, booted in about two seconds each."""
