"""Machines of VirtualBox on this host, by its program VBoxManage."""
