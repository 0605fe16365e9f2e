"""`machine forward`: the published ports of any machine on this computer, over one ssh connection."""
