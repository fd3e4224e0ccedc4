"""Run fuzz targets: `python -m tests.fuzz.run NAME|--all [--seconds N] [--seed N] [--plain]`.

With atheris the run is guided by coverage of our packages; without it, or with --plain, the seeds
are mutated at random, the same way for the same seed. A finding is written to the current folder
and ends the run of its target; --all goes on to the next one and fails at the end.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from hashlib import sha256
from importlib import import_module, util
from pathlib import Path
from typing import Any

from tests.fuzz.mutate import mutations

_OURS = ["mail", "schemas", "infra", "ingress", "streams", "projections", "api", "mailfold"]


def main(arguments: list[str] | None = None) -> int:
    """Return 0 when the time is over without a finding; a finding is raised or ends the run."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.run", description=__doc__)
    parser.add_argument("name", nargs="?", help="a target of tests/fuzz/targets.py")
    parser.add_argument("--all", action="store_true", help="every target, one after the other")
    parser.add_argument("--seconds", type=int, default=60, help="of each target")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--plain", action="store_true", help="do not use atheris")
    chosen = parser.parse_args(arguments)
    if chosen.all == (chosen.name is not None):
        parser.error("name a target, or give --all")
    if chosen.all:
        return _all(chosen.seconds, chosen.seed, plain=chosen.plain)
    guided = not chosen.plain and util.find_spec("atheris") is not None
    atheris: Any = import_module("atheris") if guided else None
    # Coverage is put into modules as they are imported, so the targets come after atheris.
    with atheris.instrument_imports(include=_OURS) if guided else nullcontext():
        targets = import_module("tests.fuzz.targets").TARGETS
    if chosen.name not in targets:
        parser.error(f"no target {chosen.name}; there are {', '.join(sorted(targets))}")
    target = targets[chosen.name]
    if guided:
        return _guided(atheris, target.run, target.seeds(), chosen.seconds, chosen.seed)
    return _plain(chosen.name, target.run, target.seeds(), chosen.seconds, chosen.seed)


def _all(seconds: int, seed: int, *, plain: bool) -> int:
    """Run every target; return 1 when any of them had a finding."""
    failed: list[str] = []
    for name in import_module("tests.fuzz.targets").TARGETS:
        print(f"== {name}", flush=True)
        # A process each: what guides the run ends its process, and so may a finding.
        command = [sys.executable, "-m", "tests.fuzz.run", name]
        command += [f"--seconds={seconds}", f"--seed={seed}", *(["--plain"] if plain else [])]
        if subprocess.run(command, check=False).returncode:
            failed.append(name)
    if failed:
        print(f"findings in {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _plain(
    name: str, run: Callable[[bytes], None], seeds: list[bytes], seconds: int, seed: int
) -> int:
    end = time.monotonic() + seconds
    count = 0
    for data in mutations(seeds, seed):
        if time.monotonic() > end:
            break
        count += 1
        try:
            run(data)
        except Exception:
            path = Path(f"finding-{name}-{sha256(data).hexdigest()[:12]}")
            path.write_bytes(data)
            print(f"finding after {count} inputs, kept in {path}", file=sys.stderr)
            raise
    print(f"{count} inputs in {seconds} s, no finding")
    return 0


def _guided(
    atheris: Any, run: Callable[[bytes], None], seeds: list[bytes], seconds: int, seed: int
) -> int:
    with tempfile.TemporaryDirectory() as folder:
        for data in seeds:
            (Path(folder) / sha256(data).hexdigest()).write_bytes(data)
        options = [sys.argv[0], folder, f"-max_total_time={seconds}", f"-seed={seed + 1}"]
        atheris.Setup(options, run)
        atheris.Fuzz()  # ends the process
    return 0


if __name__ == "__main__":
    sys.exit(main())
