"""User data for cloud-init: the ssh host key, and whatever more the user wants, in one text. Only `with_file` reads.

cloud-config, scripts and the other kinds: https://cloudinit.readthedocs.io/en/latest/explanation/format/index.html.
Several parts travel as MIME multi-part. JSON is written where YAML is read.
"""

from __future__ import annotations

import base64
import json

KINDS = (  # how a text begins -> what cloud-init calls it
    ("#cloud-config-archive", "text/cloud-config-archive"),
    ("#cloud-config", "text/cloud-config"),
    ("#!", "text/x-shellscript"),
    ("#include", "text/x-include-url"),
    ("#cloud-boothook", "text/cloud-boothook"),
    ("#part-handler", "text/part-handler"),
    ("## template: jinja", "text/jinja2"),
)
BOUNDARY = "==machine-part=="


class UnknownKind(ValueError):
    """cloud-init would not know what to do with a text that begins like this."""


def with_file(path: str, host_key: tuple[str, str], more: str) -> str:
    """`compose`, with the text of the user's file (none if `path` is "") before `more`; OSError, ValueError too."""
    own = ""
    if path:
        with open(path, encoding="utf-8") as file:
            own = file.read()
    return compose(host_key, own, more)


def compose(host_key: tuple[str, str], *parts: str) -> str:
    """What to hand to the platform; "" when there is nothing to say.

    `host_key` is (private, public) in OpenSSH's format, both "" to let the machine make its own. `parts` are texts of
    the user's; ours comes last, so that its keys win. One that brings MIME headers of its own is taken along whole.
    UnknownKind on a part that cloud-init would ignore.
    """
    texts = [part for part in parts if part.strip()]
    private, public = host_key
    if private:
        texts.append(_host_key(private, public))
    if len(texts) < 2:
        for text in texts:
            kind(text)
        return "".join(texts)
    lines = [f'Content-Type: multipart/mixed; boundary="{BOUNDARY}"', "MIME-Version: 1.0", ""]
    for text in texts:
        lines += [f"--{BOUNDARY}", *_part(text), ""]
    return "\n".join([*lines, f"--{BOUNDARY}--", ""])


def kind(text: str) -> str:
    """The MIME type by which cloud-init knows a text; UnknownKind."""
    for beginning, name in KINDS:
        if text.startswith(beginning):
            return name
    if text.lower().startswith(("content-type:", "mime-version:")):
        return "multipart/mixed"
    raise UnknownKind(f"it begins with {text.split(chr(10), 1)[0][:40]!r}, not with #cloud-config or #!")


def _part(text: str) -> list[str]:
    """Headers and body of one part; what is not ASCII goes as base64, which every reader gets right."""
    name = kind(text)
    if name == "multipart/mixed":
        return [text.rstrip("\n")]  # it has its own headers
    header = f'Content-Type: {name}; charset="utf-8"'
    if text.isascii():
        return [header, "Content-Transfer-Encoding: 7bit", "", text.rstrip("\n")]
    return [header, "Content-Transfer-Encoding: base64", "", base64.encodebytes(text.encode()).decode().rstrip("\n")]


def _host_key(private: str, public: str) -> str:
    config = {
        "ssh_deletekeys": True,
        "ssh_genkeytypes": ["ed25519"],
        "ssh_keys": {"ed25519_private": private, "ed25519_public": public},
        "ssh": {"emit_keys_to_console": False},
    }
    return "#cloud-config\n" + json.dumps(config, indent=1) + "\n"
