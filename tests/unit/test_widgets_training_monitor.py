"""TrainingMonitor without a browser: what it keeps, what it sends, what it refuses, what it saves."""

import itertools
import math
import re
import struct
import sys
import threading
import time
from base64 import b64decode
from xml.etree import ElementTree

import pytest

import workbench.widgets.training_monitor as module
from workbench.widgets import TrainingMonitor
from workbench.widgets.busy_kernel import in_kernel, keep_address, waiting
from workbench.widgets.curve import Curve
from workbench.widgets.saved_training import page, picture


@pytest.fixture
def kernel(monkeypatch):
    """The monitor takes this process for a kernel; what it sends is kept: (seconds, message, buffer)."""
    sent = []
    monkeypatch.setattr(module, "in_kernel", lambda: True)

    def send(self, content, buffers=None):
        sent.append((time.monotonic(), content, buffers[0]))

    monkeypatch.setattr(TrainingMonitor, "send", send)
    return sent


def train(monitor, rows, *, steps=None, reason="finished"):
    monitor.begin(steps or len(rows), 0)
    for i, row in enumerate(rows):
        monitor.update({"step": i + 1, **row})
    monitor.end(reason)


def drawn(message, buffer):
    """Steps and values by name, as the page reads them: doubles, all steps of a curve before its values."""
    found, at = {}, 0
    for curve, n in zip(message["curves"], message["lengths"], strict=True):
        numbers = struct.unpack_from(f"<{2 * n}d", buffer, at)
        found[curve["name"]] = (list(numbers[:n]), list(numbers[n:]))
        at += 16 * n
    assert at == len(buffer)
    return found


@pytest.mark.parametrize("n", [1, 2, 8, 9, 10, 17, 10_000])
def test_a_thinned_curve_keeps_first_and_last_and_even_spacing(n):
    curve = Curve(limit=8)
    for step in range(1, n + 1):
        curve.add(step, step**2)
    steps, values = map(list, curve.points())
    assert steps[0] == 1
    assert steps[-1] == n
    assert values == [s**2 for s in steps]
    assert len(steps) <= 9
    if n <= 8:
        assert steps == list(range(1, n + 1))
    gaps = {b - a for a, b in itertools.pairwise(steps[:-1])}
    assert len(gaps) <= 1  # all but the last gap
    assert all(math.log2(gap).is_integer() for gap in gaps)


def test_a_curve_remembers_extremes_and_oddities_that_it_no_longer_holds():
    curve = Curve(limit=4)
    values = [5.0] * 1000
    values[501], values[333], values[777], values[778] = -2.0, 9.0, math.nan, math.inf
    for step, value in enumerate(values):
        curve.add(step, value)
    assert (curve.lowest, curve.highest) == ((-2.0, 501), (9.0, 333))
    assert (curve.odd, curve.odd_at, curve.count, curve.last) == (2, 777, 1000, 5.0)


def test_a_curve_of_too_few_points_is_refused():
    with pytest.raises(ValueError, match="limit must be 4 or more, got 3"):
        Curve(limit=3)


def test_what_the_page_is_told_at_the_end_is_what_was_reported(kernel):
    rows = [{"loss": 1 / (i + 1), "lr": 1e-3, "grad_norm": 2.0, "alignment": 0.5, "mine": i} for i in range(30)]
    monitor = TrainingMonitor()
    train(monitor, rows, steps=40, reason="early")
    _, message, buffer = kernel[-1]
    assert (message["steps"], message["step"], message["reason"]) == (40, 30, "early")
    curves = drawn(message, buffer)
    assert list(curves) == ["loss", "lr", "grad_norm", "alignment", "uniformity", "mine"]
    assert curves["loss"] == ([float(i) for i in range(1, 31)], [row["loss"] for row in rows])
    assert curves["uniformity"] == ([], [])
    assert curves["mine"][1] == [float(i) for i in range(30)]
    assert message["left"] is None
    assert monitor.summary.startswith("Ended early: no more improvement at step 30 of 40. loss 0.03333, ")


def test_time_left_is_the_mean_pace_of_this_sitting(kernel, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    monitor = TrainingMonitor()
    monitor.begin(100, 60)
    for step in range(61, 71):
        now[0] += 2.0
        monitor.update({"step": step, "loss": 1.0})
    monitor.stop()  # sends at once
    assert kernel[-1][1]["left"] == pytest.approx(2.0 * 30)
    assert kernel[-1][1]["seconds"] == pytest.approx(20.0)
    monitor.end("stopped")


def test_messages_are_rare_and_the_last_row_is_never_lost(kernel):
    monitor = TrainingMonitor()
    monitor.begin(10_000, 0)
    start = time.monotonic()
    step = 0
    while time.monotonic() < start + 1.0:
        step += 1
        monitor.update({"step": step, "loss": 1.0})
    time.sleep(0.5)  # no further row, no end: the last one is still told
    assert kernel[-1][1]["step"] == step
    times = [at for at, _, _ in kernel]
    assert all(later - earlier > 0.19 for earlier, later in itertools.pairwise(times[1:]))
    assert 4 <= len(kernel) <= 8
    monitor.end("stopped")
    assert kernel[-1][1]["reason"] == "stopped"
    told = len(kernel)
    time.sleep(0.3)
    assert len(kernel) == told  # nothing ticks on after the end


def test_a_message_stays_small_at_ten_thousand_steps(kernel):
    train(TrainingMonitor(), [{"loss": i, "lr": 1.0, "grad_norm": 1.0, "a": 1.0, "b": 1.0} for i in range(10_000)])
    steps, _ = drawn(*kernel[-1][1:])["loss"]
    assert (steps[0], steps[-1]) == (1.0, 10_000.0)
    assert 120 <= len(steps) <= 241
    assert len(kernel[-1][2]) <= 5 * 241 * 16


def test_the_button_stops_this_training_and_no_other(kernel):
    monitor = TrainingMonitor()
    monitor.begin(10, 0)
    first = kernel[-1][1]["run"]
    monitor.update({"step": 1, "loss": 1.0})
    assert monitor.stopping is False
    monitor._handle_custom_msg({"kind": "stop", "run": first}, [])
    assert monitor.stopping is True
    assert kernel[-1][1]["stopping"] is True  # told at once
    monitor.end("stopped")
    monitor.begin(10, 0)
    assert monitor.stopping is False
    monitor._handle_custom_msg({"kind": "stop", "run": first}, [])  # a click that comes late
    assert monitor.stopping is False
    monitor.end("finished")
    monitor._handle_custom_msg({"kind": "stop", "run": kernel[-1][1]["run"]}, [])
    assert monitor.stopping is False


def test_a_page_that_comes_late_is_told_everything(kernel):
    monitor = TrainingMonitor()
    train(monitor, [{"loss": 3.0}, {"loss": 2.0}])
    told = len(kernel)
    monitor._handle_custom_msg({"kind": "ready"}, [])
    assert len(kernel) == told + 1
    assert drawn(*kernel[-1][1:])["loss"] == ([1.0, 2.0], [3.0, 2.0])


def test_numbers_that_are_not_finite_are_named_and_break_nothing(kernel):
    monitor = TrainingMonitor()
    rows = [{"loss": 1.0}, {"loss": math.nan}, {"loss": -math.inf}, {"loss": 4.0}, {"loss": math.inf}]
    train(monitor, rows, reason="failed")
    loss = kernel[-1][1]["curves"][0]
    assert loss == {"name": "loss", "last": "inf", "odd": 3, "oddAt": 2, "lowest": ["1", 1], "highest": ["4", 4]}
    assert monitor.summary == "Failed at step 5 of 5. loss inf."
    train(monitor, [{"loss": math.nan}] * 3)
    assert "NaN" in monitor.summary
    ElementTree.fromstring(picture(monitor.curves))


def test_rows_may_come_from_a_thread_while_another_reads(kernel):
    monitor = TrainingMonitor()
    monitor.begin(2000, 0)

    def work():
        for step in range(1, 2001):
            monitor.update({"step": step, "loss": float(step)})

    thread = threading.Thread(target=work)
    thread.start()
    while thread.is_alive():
        monitor._handle_custom_msg({"kind": "ready"}, [])
        for name, (steps, values) in drawn(*kernel[-1][1:]).items():
            assert steps == values, name
    thread.join()
    monitor.end("finished")
    assert kernel[-1][1]["step"] == 2000


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda m: m.begin(0, 0), ValueError, "steps must be 1 or more, got 0"),
        (lambda m: m.begin(5, 6), ValueError, "done must be between 0 and steps=5, got 6"),
        (lambda m: m.begin(5, -1), ValueError, "done must be between 0 and steps=5, got -1"),
        (lambda m: m.update({"step": 1}), RuntimeError, "between begin and end"),
        (lambda m: m.begin(5, 0) or m.update({"loss": 1.0}), ValueError, r"a row needs a \"step\", got \['loss'\]"),
        (lambda m: m.begin(5, 0) or m.end("bored"), ValueError, "reason must be one of .*got 'bored'"),
        (lambda m: m.begin(5, 0) or m.end("early") or m.update({"step": 1}), RuntimeError, "Ended early"),
        (lambda m: m.end("finished"), RuntimeError, "end belongs after begin"),
    ],
)
def test_what_is_refused(kernel, call, error, words):
    with pytest.raises(error, match=words):
        call(TrainingMonitor())


def test_the_saved_state_is_small_and_holds_no_numbers(kernel):
    monitor = TrainingMonitor()
    empty = len(repr(monitor.get_state()))
    train(monitor, [{"loss": float(i), "lr": 1.0} for i in range(5000)])
    assert len(repr(monitor.get_state())) - empty < 200
    assert empty < 16_000


def test_the_saved_picture_has_words_numbers_and_the_curve(kernel):
    monitor = TrainingMonitor()
    train(monitor, [{"loss": v, "<b>": 1.0} for v in (4.0, 2.0, math.nan, 3.0, 1.0)])
    html = page("mark", monitor.summary, monitor.curves)
    figure = ElementTree.fromstring(html)
    image = figure.find("img")
    assert image.get("alt").startswith("Finished at step 5 of 5. loss 1, <b> 1. Curves over the steps: loss")
    cells = [[cell.text for cell in row] for row in figure.iter("tr")]
    assert cells[1] == ["loss", "1", "1 (5)", "4 (1)", "1, first at step 3"]
    assert cells[2][0] == "<b>"
    svg = ElementTree.fromstring(b64decode(image.get("src").split(",")[1]))
    paths = [p.get("d") for p in svg.iter("{http://www.w3.org/2000/svg}path")]
    assert len(paths) == 3  # NaN parts the loss in two
    # steps 1 to 5 over 220 units; 4 is the highest (top, 5 %), 1 the lowest (95 %) of 84 units
    assert [float(x) for x in re.findall(r"[\d.]+", paths[0])] == pytest.approx([0, 4.2, 55, 54.6], abs=0.06)
    assert [float(x) for x in re.findall(r"[\d.]+", paths[1])] == pytest.approx([165, 29.4, 220, 79.8], abs=0.06)
    assert len(html) < 8_000


def test_outside_jupyter_it_is_a_progress_bar(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert in_kernel() is False
    monitor = TrainingMonitor()
    monitor.begin(10, 4)
    for step in range(5, 8):
        monitor.update({"step": step, "loss": 0.25, "lr": 1.0})
    monitor._bar.refresh()
    monitor.end("stopped")
    assert re.search(r"70%.*7/10.*loss=0.25", capsys.readouterr().err)


def test_outside_jupyter_and_without_a_terminal_it_is_silent(capsys):
    monitor = TrainingMonitor()
    train(monitor, [{"loss": 1.0}] * 3)
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")
    assert waiting("any") == []


def test_a_message_keeps_the_address_that_the_page_gave_it():
    from ipykernel.comm.comm import BaseComm

    keep_address(None)
    comm = BaseComm(comm_id="x", primary=False, target_name="t")
    keep_address(comm)
    comm._reply_subshell_id = None  # as ipykernel notes when the busy thread has written
    assert comm._reply_subshell_for({"content": {}}, "subshell-1") == "subshell-1"


def test_names_load_on_first_use():
    import workbench.widgets

    assert "TrainingMonitor" in dir(workbench.widgets)
    with pytest.raises(AttributeError, match="no attribute 'Absent'"):
        _ = workbench.widgets.Absent
