"""Why a virtual machine may be slow, unreachable or gone. Pure."""

from __future__ import annotations

from machine.model import State


def explain(state: State, stopped: str, accelerator: str, console: str) -> str:
    """Return one sentence, "" if nothing is known.

    `stopped` is qemu's word for why it has stopped the machine, `console` the file of what that printed.
    """
    if state is State.STOPPED:
        return (
            f"its qemu does not run; what the machine printed is in {console}, and dmesg says"
            " whether this computer's kernel ended it for want of memory"
        )
    if state is State.ERROR:
        return f"qemu has stopped it ({stopped}): is the host's disk full?"
    if accelerator == "tcg":
        return "there is no hardware acceleration here, so it boots slowly: --qemu-boot-timeout gives it longer"
    return ""
