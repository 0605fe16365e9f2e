"""The parts of the manual that are made from the program itself; scripts/generate-docs writes them."""
