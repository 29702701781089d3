"""A world for a test: the engine, or a copy of it with bugs, on the session's servers."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from cadence_engine.devstack.servers import Servers
from tests.faults.planted import Edit, copy_engine
from tests.faults.world import World, world

OpenWorld = Callable[..., AbstractAsyncContextManager[World]]


@pytest.fixture
def open_world(servers: Servers, database_url: str, topic_prefix: str, tmp_path: Path) -> OpenWorld:
    """As `world`, with `edits` for a copy of the engine."""

    def opened(*, edits: Sequence[Edit] = (), **more: Any) -> AbstractAsyncContextManager[World]:
        engine = copy_engine(tmp_path / "engine", edits) if edits else None
        return world(servers, database_url, topic_prefix, tmp_path, engine=engine, **more)

    return opened
