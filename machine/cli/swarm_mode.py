"""machine swarm-mode ls|token|promote|demote|leave|unlock|unlock-key."""

from __future__ import annotations

from machine.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machine.cli.app import App
    from machine.cli.parser import Namespace, Parser
    from machine.clusters.swarm_mode.commands import Row

HELP = """The clusters that engines form themselves (`create --swarm-mode`).

  ls [CLUSTER...]              the nodes of all clusters of this store, or of these
  token ROLE [CLUSTER]         print what an engine needs to join as manager or worker; --rotate makes a new one
  promote NAME...              make workers managers
  demote NAME...               make managers workers
  leave NAME...                take machines out of their cluster, drained and demoted; the machines stay
  unlock NAME...               unlock managers of an autolocked cluster after a restart
  unlock-key [CLUSTER]         print the key of an autolocked cluster

CLUSTER is what --swarm-discovery said at create; without it the only cluster of the store is meant."""
VERBS = ("ls", "token", "promote", "demote", "leave", "unlock", "unlock-key")
COLUMNS = ("machine", "cluster", "node", "role", "manager", "availability", "state", "address", "engine", "error")


def add_arguments(parser: Parser) -> None:
    """What to do, and its words."""
    parser.add_argument("verb", choices=VERBS, metavar="|".join(VERBS), help="What to do")
    parser.add_argument("words", nargs="*", metavar="NAME", help="Machines; for token a role, then a cluster")
    parser.add_argument("--force", "-f", action="store_true", help="demote, leave: even if the cluster breaks")
    parser.add_argument("--rotate", action="store_true", help="token: make a new one, the old one is void")
    parser.add_argument("--json", action="store_true", help="ls: a JSON list")


def run(args: Namespace, app: App) -> int:
    """Data on stdout, progress on stderr. SwarmModeError says why something cannot be done."""
    if args.verb == "ls":
        return _ls(args, app)
    if args.verb in ("token", "unlock-key"):
        return _print(args, app)
    if not args.words:
        raise UsageError(f"{args.verb} needs the name of a machine", resolution="machine swarm-mode ls shows them")
    from machine.cli.machine_action import on_each
    from machine.clusters.swarm_mode import commands

    if args.verb == "leave":
        names = list(dict.fromkeys(args.words))
        return on_each(
            app,
            names,
            lambda session, name: commands.leave(session, name, force=args.force, also_removed=names),
            load=True,
        )
    if args.verb == "demote":
        return on_each(app, args.words, lambda session, name: commands.demote(session, name, force=args.force))
    return on_each(app, args.words, commands.promote if args.verb == "promote" else commands.unlock)


def _ls(args: Namespace, app: App) -> int:
    from machine.cli.node_commands import add_commands
    from machine.clusters.swarm_mode import commands

    session = app.open_session()
    clusters = commands.clusters(session)
    for name in args.words:
        _check_cluster(name, clusters)
    rows = [row for cluster in args.words or clusters for row in commands.list_nodes(session, cluster)]
    rows = add_commands(app, rows)
    if args.json:
        app.print_json([row.as_dict() for row in rows])
        return 0
    from machine.cli.text_table import print_table

    header = ["NAME", "CLUSTER", "NODE", "ROLE", "MANAGER", "AVAILABILITY", "STATE", "ADDRESS", "ENGINE", "ERROR"]
    print_table(app, [header, *(_cells(row) for row in rows)])
    return 0


def _cells(row: Row) -> list[str]:
    values = row.as_dict()
    values["machine"] = row.machine or f"({row.hostname})"
    values["node"] = row.node[:12]
    return [values[column] for column in COLUMNS]


def _print(args: Namespace, app: App) -> int:
    """A token or a key, alone on stdout."""
    from machine.clusters.swarm_mode import commands
    from machine.clusters.swarm_mode.membership import ROLES

    arguments = list(args.words)
    role = arguments.pop(0) if args.verb == "token" and arguments and arguments[0] in ROLES else ""
    if args.verb == "token" and not role:
        raise UsageError("token of which role?", resolution="machine swarm-mode token worker, or manager")
    session = app.open_session()
    clusters = commands.clusters(session)
    if len(arguments) > 1 or (not arguments and len(clusters) != 1):
        raise UsageError(
            f"{args.verb} of which cluster?" if clusters else "no machine of this store is in a cluster",
            resolution=f"name one of: {' '.join(clusters)}" if clusters else "machine create --swarm-mode manager NAME",
        )
    cluster = arguments[0] if arguments else clusters[0]
    _check_cluster(cluster, clusters)
    if role:
        app.print_text(commands.token(session, cluster, role, rotate=args.rotate))
    else:
        app.print_text(commands.unlock_key(session, cluster))
    return 0


def _check_cluster(cluster: str, clusters: list[str]) -> None:
    if cluster not in clusters:
        raise UsageError(
            f"there is no cluster {cluster}",
            resolution=f"name one of: {' '.join(clusters)}" if clusters else "machine create --swarm-mode manager NAME",
        )
