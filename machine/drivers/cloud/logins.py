"""The logins that the makers of images gave them. Pure."""

from __future__ import annotations

LOGINS = (  # part of an image's distribution or name -> login
    ("ubuntu", "ubuntu"),
    ("debian", "debian"),
    ("rocky", "rocky"),
    ("alma", "almalinux"),
    ("fedora", "fedora"),
    ("centos", "centos"),
    ("rhel", "cloud-user"),
    ("flatcar", "core"),
    ("coreos", "core"),
    ("opensuse", "opensuse"),
    ("arch", "arch"),
    ("alpine", "alpine"),
    ("amazon", "ec2-user"),
)


def login_of(image: str) -> str:
    """The login of an image whose distribution or name is in this text, root for one that is not known."""
    return next((login for word, login in LOGINS if word in image.lower()), "root")
