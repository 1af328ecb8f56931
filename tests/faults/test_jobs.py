"""Several runs at once, sweeps, and two processes that want the same run: real processes, really killed."""

import json
import os
import signal

import pytest

from tests.faults.conftest import alive, wait_for

WORK = 'run.record("C1", np.arange(30) / 10)'
# a run that goes on when the file `go` is there
HELD = "while not os.path.exists('go'): time.sleep(0.1)\n"
COUNTED = "import os, time\nopen('ran', 'a').write(f'{os.getpid()}\\n')\n" + HELD + WORK


def records(project, slug="*"):
    return sorted((project / "data" / "runs").glob(f"{slug}/*/record.json"))


def pids(project, name="ran"):
    path = project / "notebooks" / "faults" / name
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def go(project):
    (project / "notebooks" / "faults" / "go").touch()


def read_until(process, words):
    """What the process says, up to the line with these words."""
    said = ""
    for line in process.stdout:
        said += line
        if words in line:
            return said
    raise AssertionError(f"never said {words!r}: {said}")


def test_two_runs_of_one_key_at_once_are_one_run(project, in_background):
    here = project(COUNTED)
    first = in_background(here, "run", "broken")
    wait_for(lambda: pids(here))
    second = in_background(here, "run", "broken")
    said = read_until(second, "another process is at this very run")
    go(here)
    said += second.communicate(timeout=60)[0]
    assert (first.wait(timeout=60), second.returncode) == (0, 0)
    assert "done already" in said
    assert len(pids(here)) == len(records(here)) == 1


def test_a_run_that_waits_for_a_killed_one_takes_over(project, in_background):
    here = project(COUNTED)
    first = in_background(here, "run", "broken")
    wait_for(lambda: pids(here))
    second = in_background(here, "run", "broken")
    read_until(second, "another process")
    first.kill()
    go(here)
    assert second.wait(timeout=60) == 0
    assert len(pids(here)) == 2
    assert len(records(here)) == 1


@pytest.mark.parametrize(("how", "words"), [("os.kill(os.getpid(), 9)", "SIGKILL"), ("os._exit(0)", "exit status 0")])
def test_the_death_of_one_kernel_of_several_is_that_runs_alone(project, workbench, how, words):
    here = project(WORK, slug="good")
    project(f"import os\n{how}", slug="bad")
    done = workbench(here, "run", "bad", "good", "--jobs", "2")
    assert done.returncode == 1
    assert f"bad: kernel died in cell 5 of 6: {words}" in done.stderr
    assert "1 of 2 runs failed" in done.stderr
    assert [path.parent.parent.name for path in records(here)] == ["good"]
    written = records(here)[0].stat().st_mtime_ns
    project(WORK, slug="bad")
    again = workbench(here, "run", "--all", "--jobs", "2")
    assert again.returncode == 0, again.stderr
    assert [path.parent.parent.name for path in records(here)] == ["bad", "good"]
    assert records(here)[1].stat().st_mtime_ns == written
    assert "IPython" not in again.stderr


def test_all_papers_killed_in_the_middle_are_finished_by_the_same_call_and_none_is_done_twice(
    project, in_background, workbench
):
    here = project("open('done', 'a').write('done\\n')\n" + WORK, slug="first")
    project("open('other', 'a').write('other\\n')\n" + WORK, slug="second")
    project(COUNTED, slug="third")
    folder, command = here / "notebooks" / "faults", ("run", "--all", "--scale", "smoke", "--jobs", "2")
    process = in_background(here, *command)
    wait_for(lambda: pids(here) and len(records(here)) == 2, 60)
    written = [path.stat().st_mtime_ns for path in records(here)]
    process.send_signal(signal.SIGKILL)
    assert process.wait(timeout=30) == -signal.SIGKILL
    wait_for(lambda: not any(map(alive, pids(here))), 20)
    go(here)
    again = workbench(here, *command)
    assert again.returncode == 0, again.stderr
    assert [path.parent.parent.name for path in records(here)] == ["first", "second", "third"]
    assert [path.stat().st_mtime_ns for path in records(here)[:2]] == written
    assert [(folder / name).read_text().splitlines() for name in ("done", "other")] == [["done"], ["other"]]
    assert len(pids(here)) == 2
    assert again.stderr.count("done already") == 2
    assert all(slug in again.stdout for slug in ("first", "second", "third"))


def test_the_death_of_a_runs_own_process_is_named_and_the_others_go_on(project, workbench):
    here = project(WORK, slug="good")
    kill = "import os, time\nos.kill(os.getppid(), 9)\ntime.sleep(30)"
    project(kill, slug="bad")
    done = workbench(here, "run", "bad", "good", "--jobs", "2")
    assert done.returncode == 1
    assert "bad: its process ended: SIGKILL" in done.stderr
    assert [path.parent.parent.name for path in records(here)] == ["good"]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_the_end_of_a_sweep_is_the_end_of_its_kernels(project, in_background, how):
    here = project("import os, time\nopen('ran', 'a').write(f'{os.getpid()}\\n')\ntime.sleep(60)")
    process = in_background(here, "sweep", "broken", "-p", "n_texts=20", "-p", "n_texts=30", "--jobs", "2")
    wait_for(lambda: len(pids(here)) == 2)
    process.send_signal(how)
    assert process.wait(timeout=30) != 0
    wait_for(lambda: not any(map(alive, pids(here))), 10)
    assert records(here) == []


def test_a_sweep_runs_every_combination_once_and_says_what_varies(project, workbench):
    here = project("open('ran', 'a').write('1\\n')\n" + WORK)
    sweep = ["sweep", "broken", "-p", "n_texts=20", "-p", "n_texts=30", "-p", "seed=0", "-p", "seed=1"]
    assert workbench(here, "run", "broken", "-p", "n_texts=20").returncode == 0
    done = workbench(here, *sweep, "--jobs", "2")
    assert done.returncode == 0, done.stderr
    assert len(records(here)) == len(pids(here)) == 4
    found = {(r["parameters"]["n_texts"], r["parameters"]["seed"]) for r in map(read, records(here))}
    assert found == {(20, 0), (20, 1), (30, 0), (30, 1)}
    assert "n_texts" in done.stdout
    assert done.stderr.count("done already") == 1


def test_warm_and_cold_kernels_measure_the_same(project, workbench):
    here = project("import sys, os\nrun.record('C1', np.random.default_rng(0).normal(size=30))\nassert '' in sys.path")
    assert workbench(here, "run", "broken", "-p", "n_texts=20").returncode == 0
    cold = read(records(here)[0])
    assert workbench(here, "run", "broken", "-p", "n_texts=20", "--force", "--jobs", "2").returncode == 0
    warm = read(records(here)[0])
    changing = {"seconds", "cpu_seconds", "peak_memory"}
    assert {k: v for k, v in cold.items() if k not in changing} == {k: v for k, v in warm.items() if k not in changing}


def read(path):
    return json.loads(path.read_text())


def test_why_names_what_changed_and_runs_nothing(project, workbench):
    here = project(WORK)
    assert "none completed here" in workbench(here, "run", "broken", "--why").stdout
    assert workbench(here, "run", "broken").returncode == 0
    assert "is done" in workbench(here, "run", "broken", "--why").stdout
    said = workbench(here, "run", "broken", "--why", "-p", "n_texts=33").stdout
    assert "parameter n_texts: 40 -> 33" in said
    assert "notebook" not in said
    project(WORK + " + 1")
    said = workbench(here, "run", "broken", "--why").stdout
    assert "notebook: " in said
    assert "parameter" not in said
    assert len(records(here)) == 1


def test_compare_shows_the_recipe_first_then_the_claims(project, workbench):
    here = project('run.record("C1", np.arange(30) / 10 * run.p.n_texts)')
    assert workbench(here, "sweep", "broken", "-p", "n_texts=20", "-p", "n_texts=40").returncode == 0
    keys = {read(path)["parameters"]["n_texts"]: path.parent.name for path in records(here)}
    said = workbench(here, "compare", f"broken/{keys[20][:8]}", str(records(here)[0].parents[1] / keys[40]))
    assert said.returncode == 0, said.stderr
    assert said.stdout.index("parameter n_texts") < said.stdout.index("C1")
    assert "+29" in said.stdout  # 1.45 * 40 - 1.45 * 20
    for wrong in ("broken/ffff", "broken/", "nothing", str(here / "none.json")):
        if wrong != "broken/":
            assert workbench(here, "compare", wrong, "broken").returncode == 1


@pytest.fixture
def mounted(request):
    """Mounts something over a folder until the test ends; skips where this user may not mount."""
    if os.geteuid() != 0:
        pytest.skip("mounting needs root: run the suite as root in a container to cover full and read-only disks")
    import subprocess

    def mount(*arguments):
        done = subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"this container may not mount ({done.stderr.strip()}): run with CAP_SYS_ADMIN to cover this")
        if "remount" not in arguments[1]:
            request.addfinalizer(lambda: subprocess.run(["umount", arguments[-1]], check=True))

    return mount


def test_a_full_disk_fails_the_run_and_loses_nothing(project, workbench, mounted):
    here = project("run.record('C1', np.arange(30) / 10)\nprint('x' * 600_000)")
    (here / "data").mkdir()
    mounted("-t", "tmpfs", "-o", "size=2m", "tmpfs", str(here / "data"))
    assert workbench(here, "run", "broken").returncode == 0
    before = {path: path.read_bytes() for path in records(here)}
    filler = here / "data" / "filler"
    with filler.open("wb") as file:
        file.write(b"x" * free_bytes(here / "data"))
    failed = workbench(here, "run", "broken", "-p", "n_texts=30")
    assert failed.returncode == 1
    assert "No space left" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert {path: path.read_bytes() for path in records(here)} == before
    filler.unlink()
    assert workbench(here, "run", "broken", "-p", "n_texts=30").returncode == 0
    assert len(records(here)) == 2


def free_bytes(folder):
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def test_a_read_only_project_runs_with_the_users_own_data(project, workbench, mounted, tmp_path_factory):
    here = project(WORK)
    assert workbench(here, "run", "broken").returncode == 0
    mounted("--bind", str(here), str(here))
    mounted("-o", "remount,ro,bind", str(here))
    mine = tmp_path_factory.mktemp("mine")
    done = workbench(here, "run", "broken", "-p", "n_texts=30", XDG_DATA_HOME=str(mine))
    assert done.returncode == 0, done.stderr
    (record,) = mine.glob("workbench/*/runs/broken/*/record.json")
    assert str(record.with_name("report.html")) in done.stdout
    said = workbench(here, "doctor", XDG_DATA_HOME=str(mine)).stdout
    assert f"the project is read-only: runs and caches go to {mine}" in said
    assert len(records(here)) == 1
