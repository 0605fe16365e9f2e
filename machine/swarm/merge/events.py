"""Engines' events with the node that they are from."""

from __future__ import annotations

from machine.swarm.merge.node_info import Json, NodeInfo


def mark_event(event: Json, node: NodeInfo) -> Json:
    """Return an event as classic Swarm's clients see it: its node in `from`, in the attributes and in `node`."""
    source = str(event.get("from") or "").partition(" node:")[0]  # which node it is, an engine does not say
    actor = dict(event.get("Actor") or {})
    facts = {"node.name": node.name, "node.id": node.id, "node.addr": node.address, "node.ip": node.ip}
    actor["Attributes"] = {**(actor.get("Attributes") or {}), **facts}
    shown = {"Name": node.name, "Id": node.id, "Addr": node.address, "Ip": node.ip}
    return {**event, "from": f"{source} node:{node.name}".strip(), "Actor": actor, "node": shown}
