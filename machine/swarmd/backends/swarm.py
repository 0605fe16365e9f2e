"""swarm [flags of manage] DISCOVERY: the classic swarm manager as a backend. The end of a pipeline."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence

from machine.errors import UsageError
from machine.swarm.cli_flags import MANAGE, parse_args
from machine.swarm.discovery import DiscoveryError
from machine.swarm.manager.config import manager_config_from
from machine.swarm.manager.manager import manager
from machine.swarm.pipeline import Backend
from machine.swarmd.backends.registry import BackendContext


@contextlib.asynccontextmanager
async def swarm(args: Sequence[str], context: BackendContext) -> AsyncIterator[Backend]:
    """Schedules over the engines that the discovery finds. Raises UsageError for what makes no sense."""
    parsed_args = parse_args("swarm", args, MANAGE, context.environ)
    config = manager_config_from(parsed_args, context.environ, context.registry)
    try:
        async with manager(config, context.log) as backend:
            yield backend
    except DiscoveryError as error:
        raise UsageError(str(error), resolution=error.resolution) from error
