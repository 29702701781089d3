"""A migration runs while the version before is at work, whose schema it takes nothing from, and locks for moments."""

from pathlib import Path

import pytest
from alembic.script import Script, ScriptDirectory

from cadence_engine.storage.migrate import config
from cadence_engine.storage.migrations import SCRIPTS
from tests.conftest import ROOT
from tests.storage.migration_rules import refusals
from tests.storage.next_migration import EXPAND, with_next

CHANGELOG = """
## 0.3.0, not released yet

## 0.2.0, 2027-01-04

## 0.1.0
"""
CONTRACT = 'phase = "contract"\nunused_since = "{}"'


def history(scripts: Path) -> list[Script]:
    """Oldest first."""
    return list(ScriptDirectory.from_config(config(scripts)).walk_revisions())[::-1]


@pytest.mark.parametrize("script", history(SCRIPTS), ids=lambda script: script.revision)
def test_every_migration_leaves_the_version_before_at_work(script: Script) -> None:
    assert refusals(SCRIPTS, script, (ROOT / "CHANGELOG.md").read_text()) == []


def judged(directory: Path, sql: str, marked: str = EXPAND, road: str = "in_transaction") -> list[str]:
    """What is said of a next migration with this SQL."""
    scripts = with_next(directory, f"{road}({sql!r})", marked)
    return refusals(scripts, history(scripts)[-1], CHANGELOG)


@pytest.mark.parametrize(
    "sql",
    [
        "ALTER TABLE contacts ADD COLUMN nickname text",
        "ALTER TABLE contacts ADD COLUMN visits integer NOT NULL DEFAULT 0",
        "CREATE TABLE notes (company_id text NOT NULL REFERENCES companies, note text); CREATE INDEX ON notes (note)",
        "ALTER TABLE contacts ADD CONSTRAINT phone_is_short CHECK (length(phone) < 30) NOT VALID",
    ],
)
def test_what_only_adds_is_let_through(tmp_path: Path, sql: str) -> None:
    assert judged(tmp_path, sql) == []


def test_an_index_is_made_beside_those_at_work_and_so_outside_of_transactions(tmp_path: Path) -> None:
    sql = "CREATE INDEX CONCURRENTLY contacts_by_phone ON contacts (company_id, phone)"
    assert judged(tmp_path / "outside", sql, road="outside_of_transaction") == []
    (refusal,) = judged(tmp_path / "in", sql)
    assert refusal.startswith("ban-concurrent-index-creation-in-transaction")


@pytest.mark.parametrize(
    ("sql", "rule"),
    [
        ("ALTER TABLE contacts DROP COLUMN name", "ban-drop-column"),
        ("DROP TABLE conversations", "ban-drop-table"),
        ("ALTER TABLE contacts RENAME COLUMN name TO title", "renaming-column"),
        ("ALTER TABLE contacts RENAME TO people", "renaming-table"),
        ("ALTER TABLE contacts ADD COLUMN nickname text NOT NULL", "adding-required-field"),
        ("ALTER TABLE contacts ALTER COLUMN name SET NOT NULL", "adding-not-nullable-field"),
        ("ALTER TABLE cadence_enrollments ALTER COLUMN version TYPE bigint", "changing-column-type"),
        ("ALTER TABLE companies ALTER COLUMN detector_hour DROP DEFAULT", "ban-drop-default"),
        ("ALTER TABLE contacts ADD COLUMN key uuid DEFAULT gen_random_uuid()", "adding-field-with-default"),
        ("CREATE INDEX contacts_by_phone ON contacts (company_id, phone)", "require-concurrent-index-creation"),
        ("DROP INDEX enrollments_due", "require-concurrent-index-deletion"),
        ("ALTER TABLE contacts ADD CHECK (length(phone) < 30)", "constraint-missing-not-valid"),
        ("ALTER TABLE contacts DROP CONSTRAINT contacts_company_id_fkey", "ban-drop-constraint"),
    ],
)
def test_what_the_version_before_would_not_survive_is_refused(tmp_path: Path, sql: str, rule: str) -> None:
    assert any(said.startswith(rule) for said in judged(tmp_path, sql))


@pytest.mark.parametrize(
    ("marked", "may"),
    [
        (CONTRACT.format("0.2.0"), True),
        (CONTRACT.format("0.3.0"), False),
        (CONTRACT.format("0.4.0"), False),
        ('phase = "contract"', False),
        ("", False),
    ],
)
def test_what_takes_away_names_the_released_version_that_went_without(tmp_path: Path, marked: str, may: bool) -> None:
    assert (judged(tmp_path, "ALTER TABLE contacts DROP COLUMN name", marked) == []) is may
