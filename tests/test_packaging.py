"""`pip install .`: the same versions as `make env`, every package and what it reads."""
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def pins(lines):
    """{package: version} of lines such as 'ray[data]==2.60.0  # why'."""
    found = (re.match(r"([\w.-]+(?:\[\w+\])?)==([\w.]+)", line) for line in lines)
    return {match[1].lower(): match[2] for match in found if match}


REQUIREMENTS = pins((ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines())
GROUPS = {"core": PROJECT["project"]["dependencies"],
          **PROJECT["project"]["optional-dependencies"]}


def test_versions_are_those_of_requirements():
    assert set(GROUPS) == {"core", "fast", "ray", "tricks"}
    for group, lines in GROUPS.items():
        wanted = pins(lines)
        assert len(wanted) == len(lines), f"{group}: every package needs ==version"
        assert wanted == {name: REQUIREMENTS.get(name) for name in wanted}, group


def test_what_the_library_imports_is_installed_with_it():
    """A package of requirements.txt's first parts is in a group, and in one only."""
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    serving = pins(text[:text.index("# --- the notebooks")].splitlines())
    grouped = [name for lines in GROUPS.values() for name in pins(lines)]
    assert sorted(grouped) == sorted(serving)


def test_every_package_and_template_is_found():
    settings = PROJECT["tool"]["setuptools"]
    for module in settings["py-modules"]:
        assert (ROOT / f"{module}.py").exists()
    folders = {path.parent for path in (ROOT / "src_mindspore").rglob("*.py")}
    assert all((folder / "__init__.py").exists() for folder in folders)
    others = [path for path in (ROOT / "src_mindspore").rglob("*")
              if path.is_file() and path.suffix not in (".py", ".pyc")]
    assert others
    assert all(path.parent.name == "templates" for path in others)
    assert settings["package-data"] == {"*": ["templates/*"]}
