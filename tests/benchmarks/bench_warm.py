"""CPU and wall time of ten runs of one paper at smoke scale: kernels started warm against fresh interpreters.

Run as `python tests/benchmarks/bench_warm.py [RUNS]`. Both arms run two at a time in empty projects: `workbench
sweep --jobs 2` against one `workbench run` a notebook. Prints both times and the ratio cold / warm; exits 1 when
the CPU ratio is below 1.2 or any number differs between the arms. Linux only.
"""

import ctypes
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WORKBENCH = [sys.executable, "-c", "from workbench.cli import app; app()"]
LEAST_RATIO = 1.2
PR_SET_CHILD_SUBREAPER = 36


def project(folder: Path) -> dict[str, str]:
    for name in ("notebooks", "pyproject.toml", "README.md"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "data").mkdir()
    return os.environ | {"WORKBENCH_HOME": str(folder), "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}


def call(environment: dict[str, str], *arguments: str) -> None:
    subprocess.run([*WORKBENCH, *arguments], env=environment, check=True, capture_output=True, cwd=ROOT)


def warm(environment: dict[str, str], sizes: list[int]) -> None:
    values = [word for n in sizes for word in ("-p", f"n_texts={n}")]
    call(environment, "sweep", "length_collapse", *values, "--jobs", "2")


def cold(environment: dict[str, str], sizes: list[int]) -> None:
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda n: call(environment, "run", "length_collapse", "-p", f"n_texts={n}"), sizes))


def timed(arm, sizes: list[int]) -> tuple[float, float, dict[int, list]]:
    with tempfile.TemporaryDirectory() as name:
        environment = project(Path(name))
        call(environment, "run", "length_collapse", "-p", f"n_texts={sizes[0] - 1}")  # parses the built-in texts
        cpu, wall = used(), time.monotonic()
        arm(environment, sizes)
        wall = time.monotonic() - wall
        records = [json.loads(path.read_text()) for path in Path(name).glob("data/runs/*/*/record.json")]
        values = {r["parameters"]["n_texts"]: [row["value"] for row in r["claims"]] for r in records}
        return used() - cpu, wall, values


def used() -> float:
    """CPU of all ended children; orphans are inherited (the subreaper) and waited for."""
    while True:
        try:
            if os.waitpid(-1, 0)[0] == 0:
                break
        except ChildProcessError:
            break
    found = resource.getrusage(resource.RUSAGE_CHILDREN)
    return found.ru_utime + found.ru_stime


def main(runs: int) -> int:
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    sizes = list(range(21, 21 + runs))
    (cold_cpu, cold_wall, a), (warm_cpu, warm_wall, b) = timed(cold, sizes), timed(warm, sizes)
    same = a == b and len(a) == runs + 1
    print(
        f"cold: {cold_cpu:.0f} s of CPU, {cold_wall:.0f} s wall; warm: {warm_cpu:.0f} s of CPU, {warm_wall:.0f} s wall"
    )
    print(f"{runs} runs, the same numbers: {same}")
    print(f"ratio {cold_cpu / warm_cpu:.2f} of CPU (at least {LEAST_RATIO}), {cold_wall / warm_wall:.2f} of wall time")
    return int(cold_cpu / warm_cpu < LEAST_RATIO or not same)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10))
