"""Which commands there are: one literal table, so that running one imports no other.

Name -> (module, one line of help). A command is one module with

    HELP: str                            what `machine help NAME` says first
    add_arguments(parser) -> None        names and flags, in argparse's terms (parser: machine.cli.parser.Parser)
    run(args, app) -> int                the work; the number is the exit status

and, only where it needs it, `PASSES_ARGUMENTS_ON = True`: every word after the command is its own (`args.rest`), and no
flag is read.
"""

from __future__ import annotations

COMMANDS = {
    "active": ("machine.cli.fast.active", "Print which machine docker is pointed at"),
    "autostart": ("machine.cli.autostart", "Start machines when you log in to this computer"),
    "completion": ("machine.cli.completion", "Print a completion script for bash, zsh or fish"),
    "config": ("machine.cli.fast.config", "Print the docker client's flags for a machine"),
    "context": ("machine.cli.context", "Make, use, update or remove the docker context of a machine"),
    "create": ("machine.cli.create", "Create machines"),
    "drivers": ("machine.cli.drivers", "List the drivers, what each needs, and its flags"),
    "env": ("machine.cli.fast.env", "Print the commands that point the docker client at a machine"),
    "export": ("machine.cli.export", "Write a machine's record to one file, for a colleague"),
    "forward": ("machine.cli.forward", "Have the published ports of a machine on this computer, over ssh"),
    "help": ("machine.cli.help", "Show this list, or the help of a command"),
    "image": ("machine.cli.image", "List, build, fetch and remove the images of the qemu driver"),
    "import": ("machine.cli.import_", "Read a machine from a file that export wrote"),
    "inspect": ("machine.cli.fast.inspect", "Print records of machines"),
    "ip": ("machine.cli.fast.ip", "Print the addresses of machines"),
    "kill": ("machine.cli.kill", "Switch machines off at once"),
    "ls": ("machine.cli.fast.ls", "List machines"),
    "mount": ("machine.cli.mount", "Mount a directory of a machine with sshfs"),
    "plugin": ("machine.cli.plugin", "Make `docker machine ...` work: install or uninstall the docker plugin"),
    "provision": ("machine.cli.provision", "Bring machines to the wanted state again"),
    "regenerate-certs": ("machine.cli.regenerate_certs", "Issue new certificates for machines"),
    "restart": ("machine.cli.restart", "Restart machines"),
    "rm": ("machine.cli.rm", "Remove machines"),
    "scp": ("machine.cli.scp", "Copy files to, from and between machines"),
    "set": ("machine.cli.set", "Change memory, processors or disk of machines that exist"),
    "share": ("machine.cli.share", "Give machines directories of this computer"),
    "snapshot": ("machine.cli.snapshot", "Keep states of a machine, and come back to them"),
    "socket": ("machine.cli.socket", "Serve the engine of a machine at a unix socket of this computer"),
    "ssh": ("machine.cli.ssh", "Log in to a machine or run a command on it"),
    "start": ("machine.cli.start", "Start machines"),
    "status": ("machine.cli.fast.status", "Print the states of machines"),
    "stop": ("machine.cli.stop", "Stop machines"),
    "suspend": ("machine.cli.suspend", "Switch machines off and keep their memory on disk"),
    "swarm": ("machine.cli.swarm", "Many engines behind one endpoint: classic Swarm's create, list, join, manage"),
    "swarm-mode": ("machine.cli.swarm_mode", "Docker's own clusters: list nodes, promote, demote, leave, tokens"),
    "swarmd": ("machine.cli.swarmd", "Run a pipeline of backends that speak the Docker API"),
    "upgrade": ("machine.cli.upgrade", "Bring the Docker Engine of machines to the newest version"),
    "url": ("machine.cli.fast.url", "Print the URLs of machines' engines"),
    "use": ("machine.cli.use", "Point docker at a machine: make its context docker's current one"),
    "version": ("machine.cli.version", "Print this program's version, or those of machines' engines"),
}
