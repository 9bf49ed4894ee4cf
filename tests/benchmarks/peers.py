"""The environment of the engines that mrkernel itself does not depend on: made on first use, in ``.bench/peers``."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.benchmarks.contenders import Contender

__all__ = ["environments"]

PEERS = Path(__file__).parents[2] / ".bench" / "peers"
JAVA = "openjdk-17-jre-headless"


def environments(
    contenders: Mapping[str, Contender], *, may_install: bool, say: Callable[[str], None]
) -> tuple[dict[str, Path], dict[str, str]]:
    """The interpreter for each engine, and for each that cannot run here the reason in words."""
    pythons, missing = {}, {}
    packages = sorted({need for one in contenders.values() for need in one.needs} - {"java"})
    reason = _packages(packages, may_install, say) if packages else ""
    for name, contender in contenders.items():
        needs = contender.needs
        if not needs:
            pythons[name] = Path(sys.executable)
        elif problem := reason or ("java" in needs and _java(may_install, say)):
            missing[name] = problem
        else:
            pythons[name] = PEERS / "bin" / "python"
    return pythons, missing


def _packages(packages: list[str], may_install: bool, say: Callable[[str], None]) -> str:
    """Nothing if all packages are there in the end, else why not."""
    python = PEERS / "bin" / "python"
    wanted = ", ".join(packages)
    probe = f"import {wanted}"
    if python.exists() and subprocess.run([python, "-c", probe], capture_output=True, check=False).returncode == 0:
        return ""
    if not may_install:
        return f"{wanted} not installed in {PEERS}"
    say(f"installing {wanted} into {PEERS}")
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", PEERS], check=True)
    done = subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], capture_output=True, text=True,
                          check=False)  # fmt: skip
    return f"pip could not install {wanted}: {_last_line(done.stderr)}" if done.returncode else ""


def _java(may_install: bool, say: Callable[[str], None]) -> str:
    """Nothing if there is a Java in the end, else why not."""
    if shutil.which("java"):
        return ""
    if not (may_install and os.geteuid() == 0 and shutil.which("apt-get")):
        return "no Java here"
    say(f"installing Debian's {JAVA}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update"], ["install", "-y", "--no-install-recommends", JAVA]):
        done = subprocess.run(
            ["apt-get", "-qq", *command], env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            return f"apt-get {command[0]} failed: {_last_line(done.stderr)}"
    return ""


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["it said nothing"])[-1]
