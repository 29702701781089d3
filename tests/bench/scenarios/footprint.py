"""What Valkey and the engine's processes hold in memory with very many live enrollments."""

from collections.abc import Sequence
from dataclasses import dataclass

from tests.bench.scenarios import memory
from tests.bench.scenarios.memory import MEBIBYTE
from tests.bench.scenarios.scenario import Finding, Scenario, Tell, at_least, below
from tests.bench.stage import Stage

VALKEY_AT_MOST, PROCESS_AT_MOST = 20, 200  # MB, as the goals say
MB = 1_000_000
CONSTANT = 0.9


@dataclass(frozen=True, slots=True)
class Size:
    """Live enrollments; what is held with `few` is to be held with `many`."""

    few: int = 10_000
    many: int = 2_000_000


async def measure(stage: Stage, tell: Tell, size: Size) -> Sequence[Finding]:
    few = await memory.measure(stage, size.few, tell)
    many = await memory.measure(stage, size.many, tell)
    return [
        below(f"Valkey with {size.many:,} live enrollments", many.redis_bytes / MB, VALKEY_AT_MOST, "MB"),
        at_least(f"Valkey with {size.few:,} to that", few.redis_bytes / many.redis_bytes, CONSTANT),
        *(
            below(f"{name} with {size.many:,} live enrollments", resident * MEBIBYTE / MB, PROCESS_AT_MOST, "MB")
            for name, resident in many.resident_mib.items()
        ),
        *(
            at_least(f"{name} with {size.few:,} to that", few.resident_mib[name] / resident, CONSTANT)
            for name, resident in many.resident_mib.items()
        ),
    ]


def scenario(size: Size = Size()) -> Scenario:
    return Scenario("footprint", "memory", lambda stage, tell: measure(stage, tell, size))
