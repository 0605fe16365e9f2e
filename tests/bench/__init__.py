"""Speed as ratios taken in one run: against a bare interpreter, against plain ssh tools, and against a peer.

    python -m tests.bench [--only startup,ls,create,clouds,vm] [--runs N] [--vm] [--program PATH]

The program is installed by pip into a virtual environment of its own, as a user has it. DOCKER_MACHINE_BIN may name a
real docker-machine: the same commands are then run with it, side by side. Nothing here is asserted; it is a table.
"""
