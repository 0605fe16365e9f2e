"""Directories of this computer for machines: an SFTP server that never leaves them, and what mounts them there."""
