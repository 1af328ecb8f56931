"""How a click reaches Python while a cell keeps the kernel's main thread busy.

JupyterLab 4.4 and later sends widget messages to a subshell, a second thread of the kernel, which is free while a cell
runs. From ipykernel 7.4 on the kernel routes them by itself instead: to the thread that last wrote to the widget, which
is the busy one. `keep_address` leaves them where the front end sent them. A front end without subshells has only the
busy thread to write to; there `waiting` looks into its queue from within the running cell.
"""

import threading
from collections.abc import Callable, Iterator
from typing import Any

from comm.base_comm import BaseComm
from IPython.core.getipython import get_ipython

__all__ = ["in_kernel", "keep_address", "waiting"]


def in_kernel() -> bool:
    """Whether this process is a Jupyter kernel, so that a widget can be shown at all."""
    return getattr(get_ipython(), "kernel", None) is not None


def keep_address(comm: BaseComm | None) -> None:
    """Messages to this widget go to the thread that the front end addressed; no effect where no kernel routes them."""
    if comm is not None:
        comm._reply_subshell_for = _as_addressed  # pyright: ignore[reportAttributeAccessIssue]


def _as_addressed(_data: object, addressed: str | None) -> str | None:
    return addressed


def waiting(comm_id: str) -> list[dict[str, Any]]:
    """Custom messages to a widget that wait in the queue of the kernel's main thread, oldest first.

    To be called from a running cell, on the main thread; elsewhere the list is empty, and likewise with ipykernel
    before version 7. The messages are only looked at: every one is handled in its turn when the cell has ended.
    """
    kernel: Any = getattr(get_ipython(), "kernel", None)
    thread = getattr(kernel, "shell_channel_thread", None)
    if thread is None or threading.current_thread() is not thread.parent_thread:
        return []
    stream = thread.manager.get_shell_channel_to_subshell_pair(None).to_stream
    found = []
    for frames in _taken(stream.socket):
        stream.io_loop.add_callback(stream._recv_callback, frames)
        content = _comm_content(kernel.session, frames)
        data = content.get("data", {}) if content.get("comm_id") == comm_id else {}
        if data.get("method") == "custom":
            found.append(data["content"])
    return found


def _taken(socket: Any) -> Iterator[list[Any]]:  # noqa: ANN401 - a zmq.Socket, whose module loads slowly
    import zmq

    while True:
        try:
            yield socket.recv_multipart(zmq.NOBLOCK, copy=False)
        except zmq.Again:
            return


def _comm_content(session: Any, frames: list[Any]) -> dict[str, Any]:  # noqa: ANN401 - a jupyter_client Session
    """Content of a comm message, {} for any other. Frames: identities, delimiter, signature, four parts, buffers."""
    unpack: Callable[[Any], Any] = session.unpack
    parts = [bytes(frame.buffer) for frame in frames]
    if b"<IDS|MSG>" not in parts:
        return {}
    header, _parent, _metadata, content = parts[parts.index(b"<IDS|MSG>") + 2 :][:4]
    return unpack(content) if unpack(header)["msg_type"] == "comm_msg" else {}
