"""The README's code is code: it compiles, and what it imports is there."""

import re

import pytest

from cadence_contracts.generate import HOME

BLOCKS = re.findall(r"```python\n(.*?)```", (HOME / "README.md").read_text(), re.DOTALL)


def test_there_is_code_to_produce_to_consume_and_to_manage() -> None:
    assert len(BLOCKS) == 3


@pytest.mark.parametrize("block", BLOCKS)
def test_a_block_runs(block: str) -> None:
    names: dict[str, object] = {}
    exec(compile(block, "README.md", "exec"), names)  # noqa: S102 - our own text
    assert {"announce", "follow", "manage"} & set(names)
