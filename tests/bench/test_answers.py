"""The scenario of operators' questions runs, and every answer in it is checked."""

from cadence_engine.devstack.servers import Servers
from tests.bench.scenarios import answers
from tests.bench.stage import stage


async def test_every_question_is_answered_on_both_sides(servers: Servers) -> None:
    said: list[str] = []
    async with stage(servers) as ready:
        findings = await answers.measure(ready, said.append, answers.Size(few=300, many=1_500, asked=2))

    assert sum("written, and counted" in line for line in said) == 2
    assert {finding.unit for finding in findings if not finding.goal} == {"ms", "µs"}
    assert sum(finding.goal != "" for finding in findings) == 6
    assert all(finding.value > 0 for finding in findings)
