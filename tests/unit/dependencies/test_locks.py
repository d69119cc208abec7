"""Lock files that the audit must refuse, and those that it takes."""

from pathlib import Path

import pytest

from deploy.dependencies.locks import Pin, not_locked, read

HASH = f"--hash=sha256:{'0a' * 32}"


def lock(folder: Path, text: str) -> Path:
    file = folder / "requirements.lock"
    file.write_text(text)
    return file


def test_a_lock_pins_versions_with_hashes_markers_and_extras(tmp_path: Path) -> None:
    text = (
        f"# a comment\n\nAlpha_One[x,y]==1.0 ; sys_platform != 'win32' \\\n    {HASH} \\\n    {HASH}\n"
        f"    # via somebody\nbeta==2.0.post1+local \\\n    {HASH}\n"
    )
    assert read(lock(tmp_path, text)) == ([Pin("alpha-one", "1.0"), Pin("beta", "2.0.post1+local")], [])


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("beta==2.0", id="no hash"),
        pytest.param(f"beta>=2.0 {HASH}", id="no version"),
        pytest.param(f"beta {HASH}", id="a name alone"),
        pytest.param(f"beta==2.* {HASH}", id="any version"),
        pytest.param("beta==2.0 --hash=md5:0a0a", id="a weak hash"),
        pytest.param(f"beta==2.0 {HASH[:-1]}", id="half a hash"),
        pytest.param(f"beta==2.0 {HASH} --hash=md5:0a", id="a weak hash beside a good one"),
        pytest.param(f"beta @ https://example.com/beta.whl {HASH}", id="an address"),
        pytest.param(f"git+https://example.com/beta {HASH}", id="a repository"),
        pytest.param("--extra-index-url https://example.com", id="an index of its own"),
        pytest.param("-r others.txt", id="another file"),
        pytest.param("-e .", id="a folder"),
        pytest.param(f"beta==2.0 # {HASH}", id="a hash in a comment"),
        pytest.param("beta==2.0 \\", id="a line that never ends"),
    ],
)
def test_what_is_no_pin_with_hashes_is_refused_by_its_line(tmp_path: Path, line: str) -> None:
    pins, wrong = read(lock(tmp_path, f"alpha==1.0 \\\n    {HASH}\n{line}\n"))
    assert pins == [Pin("alpha", "1.0")]
    assert wrong == ["requirements.lock:3: is not name==version with its sha256 hashes"]


def test_two_versions_of_one_name_are_refused_however_they_are_spelt(tmp_path: Path) -> None:
    _, wrong = read(lock(tmp_path, f"Al.pha==1.0 {HASH}\nal_pha==1.1 {HASH}\n"))
    assert wrong == ["requirements.lock: al-pha is pinned more than once"]


def test_an_empty_lock_is_refused(tmp_path: Path) -> None:
    assert read(lock(tmp_path, "# nothing\n")) == ([], ["requirements.lock: pins nothing"])


def test_what_is_installed_beside_the_locks_is_named() -> None:
    installed = [Pin("alpha", "1.0"), Pin("beta", "2.1"), Pin("gamma", "3"), Pin("pip", "23.2.1")]
    assert not_locked(installed, {"one": [Pin("alpha", "1.0")], "two": [Pin("beta", "2.0")]}) == [
        "beta 2.1 is installed, and locked in another version",
        "gamma 3 is installed, and in no lock",
    ]
