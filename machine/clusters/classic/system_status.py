"""What a manager says of its engines: SystemStatus of its /info. Pure."""

from __future__ import annotations

from collections.abc import Sequence


def node_error(status: Sequence[Sequence[str]], address: str) -> str:
    """Return what keeps a manager from using the engine at `address`, by SystemStatus of its /info; "" if nothing does.

    Rows are [" NAME", ADDRESS] and, below it, ["  └ KEY", VALUE].
    """
    rows: dict[str, str] | None = None
    for key, value in status:
        if not key.startswith(" "):
            continue
        if "└" not in key:
            if rows is not None:
                break
            rows = {} if value == address else None
        elif rows is not None:
            rows[key.strip(" └")] = value
    if rows is None:
        return "it is not in its list"
    return "" if rows.get("Status") == "Healthy" else rows.get("Error") or rows.get("Status", "unknown")
