"""Disk images and first-boot seeds, for every driver whose machines boot from a file. No driver itself."""
