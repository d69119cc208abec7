"""A revision is named `<branch>_<number>`, counted from 1 without holes: migrate.py compares by that."""

from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

from shared.postgres import migrate
from shared.settings import SERVICES


@pytest.mark.parametrize("service", SERVICES)
def test_revisions_are_named_and_counted(service: str) -> None:
    folders = migrate.locations_of(service)
    assert [
        folder for folder in folders if folder.is_relative_to(Path(migrate.__file__).parents[2] / "services" / service)
    ]
    for script in ScriptDirectory.from_config(migrate._config(folders)).walk_revisions():
        branch, _, number = script.revision.rpartition("_")
        assert branch in {"runtime", service}
        assert script.down_revision == (f"{branch}_{int(number) - 1:04}" if int(number) > 1 else None)
        assert script.branch_labels == {branch}
