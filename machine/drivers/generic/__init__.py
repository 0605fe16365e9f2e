"""Any host that answers ssh."""
