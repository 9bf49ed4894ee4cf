"""What Binder builds is what the notebooks were tested with."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[2]
BINDER = ROOT / "binder"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
# Only a hub has a use for these.
HUB_ONLY = {"jupyter-server-proxy", "nbgitpuller"}


def _requirements() -> dict[str, Requirement]:
    lines = (BINDER / "requirements.txt").read_text("utf-8").splitlines()
    parsed = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {requirement.name: requirement for requirement in parsed}


def test_requirements_say_the_same_as_the_project() -> None:
    declared = map(Requirement, [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["lab"]])
    wanted = {requirement.name: requirement.specifier for requirement in declared}
    found = {name: one.specifier for name, one in _requirements().items() if name not in HUB_ONLY}
    assert found == {name: wanted.get(name) for name in found}


def test_environment_of_the_notebook_tests_fits_the_requirements() -> None:
    unfit = [
        str(one) for name, one in _requirements().items() if name not in HUB_ONLY and version(name) not in one.specifier
    ]
    assert unfit == []


def test_python_of_the_image_is_one_the_project_supports() -> None:
    kind, number = (BINDER / "runtime.txt").read_text("utf-8").strip().split("-")
    assert kind == "python"
    assert number in SpecifierSet(PROJECT["requires-python"])
    # Those with a lock file in repo2docker; any other one falls back or fails.
    assert number in {"3.11", "3.12", "3.13", "3.14"}


@pytest.mark.parametrize("name", ["postBuild", "start"])
def test_script_can_be_run(name: str) -> None:
    script = BINDER / name
    assert os.access(script, os.X_OK)
    assert script.read_text("utf-8").startswith("#!/usr/bin/env bash\n")
    assert subprocess.run(["bash", "-n", script], check=False).returncode == 0


def test_start_hands_over_to_the_server_with_the_dashboard_behind_the_proxy() -> None:
    command = [BINDER / "start", "printenv", "DASK_DISTRIBUTED__DASHBOARD__LINK"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "{JUPYTERHUB_SERVICE_PREFIX}proxy/{port}/status"


def test_dask_understands_the_link() -> None:
    code = "import dask, distributed; print(dask.config.get('distributed.dashboard.link'))"
    command = [BINDER / "start", sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "{JUPYTERHUB_SERVICE_PREFIX}proxy/{port}/status"


def test_post_build_installs_the_project_and_checks_the_result() -> None:
    script = (BINDER / "postBuild").read_text("utf-8")
    assert "set -euo pipefail" in script
    assert "pip install --no-cache-dir '.[lab]'" in script
    assert "pip check" in script
    assert "lab" in PROJECT["optional-dependencies"]
