"""What kills or mistreats a run, done for real: nothing half-done is taken for done, nothing done is lost."""

import json
import signal

import pytest

from tests.faults.conftest import alive, wait_for

WORK = 'run.record("C1", np.arange(30) / 10)'


def records(project, slug="broken"):
    return list((project / "data" / "runs" / slug).glob("*/record.json"))


def test_a_run_is_done_once_and_its_record_says_what_it_measured(project, workbench):
    here = project(WORK)
    done = workbench(here, "run", "broken")
    assert done.returncode == 0, done.stderr
    (path,) = records(here)
    record = json.loads(path.read_text())
    assert record["claims"][0]["value"] == pytest.approx(1.45)
    assert record["claims"][0]["verdict"] is None
    assert "not judged (smoke scale)" in record["claims"][0]["note"]
    assert done.stdout.strip().splitlines()[-1] == str(path.with_name("report.html"))
    written = path.stat().st_mtime_ns
    again = workbench(here, "run", "broken")
    assert again.returncode == 0
    assert "done already" in again.stderr
    assert path.stat().st_mtime_ns == written
    other = workbench(here, "run", "broken", "-p", "n_texts=50")
    assert other.returncode == 0
    assert len(records(here)) == 2
    assert "smoke" in workbench(here, "papers").stdout


def test_a_small_run_is_judged_only_with_preset_parameters(project, workbench):
    here = project(WORK)
    assert workbench(here, "run", "broken", "--scale", "small").returncode == 0
    assert workbench(here, "run", "broken", "--scale", "small", "-p", "n_texts=21").returncode == 0
    rows = [json.loads(path.read_text())["claims"][0] for path in records(here)]
    assert {(row["verdict"], row["note"]) for row in rows} == {
        ("reproduced", ""),
        (None, "not judged (n_texts was changed)"),
    }


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "SIGKILL"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)", "SIGSEGV"),
        ("import os\nos._exit(0)", "exit status 0"),
    ],
)
def test_a_kernel_killed_in_the_middle_is_an_error_that_names_signal_and_cell(project, workbench, how, words):
    here = project(how)
    done = workbench(here, "run", "broken")
    assert done.returncode == 1
    assert words in done.stderr
    assert "cell 5 of 6" in done.stderr  # papermill adds the injected parameters
    assert records(here) == []
    assert "smoke" not in workbench(here, "papers").stdout
    (executed,) = (here / "data" / "runs" / "broken").glob("*/notebook.ipynb")
    states = [cell["metadata"]["papermill"]["status"] for cell in json.loads(executed.read_text())["cells"]]
    assert states == ["completed"] * 4 + ["failed", "pending"]


def test_a_relative_folder_of_local_sets_is_the_callers(project, workbench):
    """The kernel works in the notebook's folder; the path was meant from where the command was typed."""
    cell = "import os\nfrom pathlib import Path\nPath('seen').write_text(os.environ['WORKBENCH_DATA'])\n" + WORK
    here = project(cell)
    (here / "sets").mkdir()
    assert workbench(here, "run", "broken", WORKBENCH_DATA="sets").returncode == 0
    assert (here / "notebooks" / "faults" / "seen").read_text() == str(here / "sets")


def test_what_a_killed_run_measured_is_not_the_next_runs_record(project, workbench):
    """Killed after verdict: the measurement lies there; the next run of the key fails and must not promote it."""
    flag = "import os, pathlib, signal\nfirst = not pathlib.Path('flag').exists()\npathlib.Path('flag').touch()\n"
    here = project(f"{flag}{WORK} if first else 1 / 0\nif first:\n    run.verdict()\n    os.kill(os.getpid(), 9)")
    assert workbench(here, "run", "broken").returncode == 1
    assert len(list((here / "data" / "runs" / "broken").glob("*/measured.json"))) == 1
    assert workbench(here, "run", "broken").returncode == 1
    assert records(here) == []
    assert not list((here / "data" / "runs" / "broken").glob("*/measured.json"))


@pytest.mark.parametrize("where", ["before", "after"])
def test_sys_exit_in_a_cell_is_not_success(project, workbench, where):
    exits = "import sys\nsys.exit(0)"
    here = project(exits if where == "before" else f"{WORK}\nrun.verdict()\n{exits}")
    done = workbench(here, "run", "broken")
    assert done.returncode == 1
    assert "not all cells ran" in done.stderr
    assert records(here) == []


def test_an_error_in_a_cell_exits_1_and_names_it(project, workbench):
    here = project("1 / 0")
    done = workbench(here, "run", "broken")
    assert done.returncode == 1
    assert "cell 5" in done.stderr
    assert "ZeroDivisionError" in done.stderr
    assert records(here) == []


def test_a_claim_without_a_measurement_is_an_error(project, workbench):
    done = workbench(project("pass"), "run", "broken")
    assert done.returncode == 1
    assert "neither recorded nor said to be not measured: C1" in done.stderr


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ('run.record("C9", np.arange(9.0))', "C9"),
        ('run.record("C1", 0.5)', "needs an interval"),
        ('run.record("C1", np.arange(9.0)); run.record("C1", np.arange(9.0))', "already"),
        ('run.record("C1", np.array([1.0, np.nan]))', "finite"),
        ('run.not_measured("C1", "  ")', "reason"),
    ],
)
def test_a_wrong_record_is_refused_by_name(project, workbench, cell, words):
    done = workbench(project(cell), "run", "broken")
    assert done.returncode == 1
    assert words in done.stderr


def test_a_run_killed_while_it_writes_its_record_leaves_the_old_record(project, workbench):
    """The process dies inside the write, after the temporary file is filled and before it is renamed."""
    here = project(WORK)
    assert workbench(here, "run", "broken").returncode == 0
    (path,) = records(here)
    before = path.read_bytes()
    die = (
        "import os, pathlib, signal\n"
        "old = pathlib.Path.replace\n"
        "def dying(self, target):\n"
        "    if pathlib.Path(target).name == NAME:\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return old(self, target)\n"
        "pathlib.Path.replace = dying\n"
    )
    launcher = die.replace("NAME", "'record.json'") + "from workbench.cli import app; app()"
    import subprocess
    import sys

    from tests.faults.conftest import environment

    command = [sys.executable, "-c", launcher, "run", "broken", "--force"]
    killed = subprocess.run(command, cwd=here, env=environment(here), capture_output=True, check=False, timeout=120)
    assert killed.returncode == -signal.SIGKILL
    assert path.read_bytes() == before


def test_a_torn_record_is_never_taken_for_done_and_the_run_is_repeated(project, workbench):
    here = project(WORK)
    assert workbench(here, "run", "broken").returncode == 0
    (path,) = records(here)
    path.write_bytes(path.read_bytes()[:-40])
    assert "smoke" not in workbench(here, "papers").stdout
    assert workbench(here, "run", "broken").returncode == 0
    json.loads(path.read_text())


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_parent_leaves_no_record_and_no_kernel(project, in_background, how):
    here = project("import os, time\nopen('pid', 'w').write(str(os.getpid()))\ntime.sleep(60)")
    process = in_background(here, "run", "broken")
    pid_file = here / "notebooks" / "faults" / "pid"
    wait_for(lambda: pid_file.exists() and pid_file.read_text())
    process.send_signal(how)
    process.wait()
    kernel = int(pid_file.read_text())
    wait_for(lambda: not alive(kernel))  # the kernel notices within about 2 s
    assert records(here) == []


def test_an_interrupt_ends_the_run_without_a_record(project, in_background):
    here = project("import os, time\nopen('pid', 'w').write(str(os.getpid()))\ntime.sleep(60)")
    process = in_background(here, "run", "broken")
    pid_file = here / "notebooks" / "faults" / "pid"
    wait_for(lambda: pid_file.exists() and pid_file.read_text())
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) != 0
    wait_for(lambda: not alive(int(pid_file.read_text())))
    assert records(here) == []
