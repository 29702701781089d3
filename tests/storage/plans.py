"""What PostgreSQL does for the statements of a piece of work: taken from the connection as the engine sends them."""

import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from cadence_engine.storage.connection import Connection, Pool
from cadence_engine.storage.database import UnitOfWork

Work = Callable[[UnitOfWork], Awaitable[object]]
Statement = tuple[str, Sequence[object]]

PLANNED = re.compile(r"\s*(WITH|SELECT|INSERT|UPDATE|DELETE)\b")
SETTING = re.compile(r"\s*SET LOCAL\b")
PARAMETER = re.compile(r"\$(\d+)")
TRIED = "EXPLAIN (ANALYZE, TIMING OFF, BUFFERS OFF, FORMAT JSON)"


@dataclass(frozen=True, slots=True)
class Scan:
    """Of one table or index. `rows` is how many it looked at; None where the plan was not run."""

    table: str
    index: str | None
    sought: bool
    """Whether a condition says where in the index to look."""
    rows: float | None


@dataclass(frozen=True, slots=True)
class Plan:
    """Of one statement, with the values it was run with, or of any values: as a prepared statement has it in time."""

    statement: str
    generic: bool
    top: dict[str, Any]

    @property
    def scans(self) -> list[Scan]:
        """Every way to rows in it."""
        return list(_scans(self.top))

    def __str__(self) -> str:
        lines = [f"{'    ' * depth}{_told(node)}" for depth, node in _nodes(self.top)]
        return "\n".join([self.statement.strip("\n"), "generic plan:" if self.generic else "plan:", *lines])


async def plans_of(pool: Pool, work: Work, *, before: str = "") -> list[Plan]:
    """The plans of every statement of `work`, in its order; nothing of it stays. `before` is run first."""
    async with pool.acquire() as connection:
        statements = await _statements(connection, work, before)
        transaction = connection.transaction()
        await transaction.start()
        try:
            if before:
                await connection.execute(before)
            await connection.execute("SET LOCAL plan_cache_mode = force_generic_plan")
            plans: list[Plan] = []
            for query, args in statements:
                if SETTING.match(query):  # the engine's own, for what comes after it
                    await connection.execute(query)
                else:
                    plans += await _plans(connection, query, args)
            return plans
        finally:
            await transaction.rollback()


async def _statements(connection: Connection, work: Work, before: str) -> list[Statement]:
    sent: list[Statement] = []
    transaction = connection.transaction()
    await transaction.start()
    try:
        if before:
            await connection.execute(before)
        unit = UnitOfWork(connection, await connection.fetchval("SELECT now()"))
        with connection.query_logger(lambda logged: sent.append((logged.query, logged.args))):
            await work(unit)
            await unit.flush()
    finally:
        await transaction.rollback()
    return [(query, args) for query, args in sent if PLANNED.match(query) or SETTING.match(query)]


async def _plans(connection: Connection, query: str, args: Sequence[object]) -> list[Plan]:
    await connection.execute(f"PREPARE probe AS {query}")
    values = ", ".join(["NULL"] * max(map(int, PARAMETER.findall(query)), default=0))
    generic = await connection.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE probe{f'({values})' if values else ''}")
    await connection.execute("DEALLOCATE probe")
    tried = await connection.fetchval(f"{TRIED} {query}", *args)
    return [Plan(query, True, generic[0]["Plan"]), Plan(query, False, tried[0]["Plan"])]


def _nodes(node: dict[str, Any], depth: int = 0) -> Iterator[tuple[int, dict[str, Any]]]:
    yield depth, node
    for child in node.get("Plans", []):
        yield from _nodes(child, depth + 1)


def _scans(top: dict[str, Any]) -> Iterator[Scan]:
    for _, node in _nodes(top):
        kind = node["Node Type"]
        if not kind.endswith("Scan") or "Relation Name" not in node:
            continue  # of a function, a CTE; or of an index whose heap scan stands above it
        below = [each for _, each in _nodes(node) if each["Node Type"] == "Bitmap Index Scan"]
        index = node.get("Index Name") or next((each["Index Name"] for each in below), None)
        sought = any("Index Cond" in each for each in (node, *below))
        yield Scan(node["Relation Name"], index, sought, _rows(node))


def _rows(node: dict[str, Any]) -> float | None:
    if "Actual Rows" not in node:
        return None
    removed = sum(node.get(f"Rows Removed by {why}", 0) for why in ("Filter", "Index Recheck"))
    return float((node["Actual Rows"] + removed) * node["Actual Loops"])


def _told(node: dict[str, Any]) -> str:
    names = " ".join(node[name] for name in ("Relation Name", "Index Name", "Index Cond", "Filter") if name in node)
    rows = _rows(node)
    return f"{node['Node Type']} {names}" + ("" if rows is None else f" ({rows:,.0f} rows)")
