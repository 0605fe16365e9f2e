"""How a manager finds its engines: one module for each kind of URL, and `from_url` that chooses."""

from machine.swarm.discovery.base import Discovery
from machine.swarm.discovery.fetch import DiscoveryError, DiscoveryRefused, DiscoveryUrlError
from machine.swarm.discovery.urls import FORMS, from_url, tls_of

__all__ = ["FORMS", "Discovery", "DiscoveryError", "DiscoveryRefused", "DiscoveryUrlError", "from_url", "tls_of"]
