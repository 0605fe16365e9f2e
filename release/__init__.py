"""What makes a release out of a checkout: version, man pages, the artefacts, their checks. Not part of any of them."""
