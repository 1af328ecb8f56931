"""A cell that builds an Output widget must not hide the reply to itself."""

OUTPUT = (
    "import ipywidgets\n"
    "for i in range(12):\n"
    "    widget = ipywidgets.interactive(lambda a: print('x' * 5000), a=[1, 2])\n"
    'run.record("C1", np.arange(30) / 10)'
)


def test_widgets_with_output_do_not_hang_the_run(project, workbench):
    here = project(OUTPUT)
    done = workbench(here, "run", "broken")  # the fixture allows 120 s
    assert done.returncode == 0, done.stderr


def test_a_reply_whose_wake_up_is_lost_is_still_read():
    """A socket that reports nothing until it is asked again, as after a raw send on it."""
    import asyncio
    from concurrent.futures import ThreadPoolExecutor
    from queue import Empty

    from workbench.experiments.kernel import _patiently

    asked = []

    async def get_msg(timeout):
        asked.append(timeout)
        if timeout is None:
            await asyncio.sleep(60)  # the wake-up that never comes
        if len(asked) < 3:
            raise Empty
        return {"msg_type": "execute_reply"}

    with ThreadPoolExecutor(1) as apart:  # another test's browser driver may keep a loop running in this thread
        got = apart.submit(asyncio.run, asyncio.wait_for(_patiently(get_msg), 5)).result()
    assert got == {"msg_type": "execute_reply"}
    assert asked == [1.0, 1.0, 1.0]
