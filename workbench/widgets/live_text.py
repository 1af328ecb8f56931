"""A text that is edited, and where its vector goes among the texts of a corpus."""

import threading
from collections.abc import Callable, Mapping, Sequence

import ipywidgets
import numpy as np
from torch import Tensor

from workbench.encoders import Encoder
from workbench.widgets.live_controls import Controls
from workbench.widgets.live_latest import Latest
from workbench.widgets.live_panel import Panel
from workbench.widgets.live_reader import LeftOut
from workbench.widgets.live_state import LiveResult, LiveState
from workbench.widgets.live_words import near_rows, note, number_rows, parts, said_of, settings_in_words, token_rows
from workbench.widgets.map import Map
from workbench.widgets.map_columns import as_colouring, as_texts
from workbench.widgets.view import View

__all__ = ["LiveResult", "LiveText"]

PAUSE = 0.35  # seconds without a new text after which tokens are left out
FIRST = 2000  # characters of the corpus' first text, with which it begins


class LiveText(View):
    """A text area, and a map of a corpus on which the vector of the text moves while it is edited.

    Beside it stand the nearest texts, the diagnostics before and after, and, when writing has paused, the effect of
    leaving each token out. Attention temperature and pooling are changed for the text alone; the corpus follows when it
    is embedded anew (`embed_corpus`), and until then the page says that the two are under different settings. The
    encoder that is handed in keeps its own settings. The first text of the corpus is where it begins.
    """

    def __init__(
        self,
        encoder: Encoder,
        texts: Sequence,
        *,
        x: np.ndarray | Tensor | None = None,
        columns: Mapping[str, Sequence | np.ndarray] | None = None,
        k: int = 8,
        title: str = "",
    ) -> None:
        """Live text among `texts` (n), whose vectors `x` (n, d) are taken from the encoder where they are not given.

        `columns` hold a value for each text, for colour; `k` is the length of the lists of neighbours.

        Raises:
            TypeError: not an Encoder, a text that is not str.
            ValueError: fewer than 2 texts, rows or columns of another length, `k` outside 1..n - 1, or `x` that are not
                the encoder's vectors of the texts.
        """
        as_texts(texts, len(texts))
        self._columns = {name: list(values) for name, values in (columns or {}).items()}
        for name, values in self._columns.items():
            as_colouring(values, len(texts), name=name)
        self._state = state = LiveState(encoder, texts, x, k=k)
        self._lock, self._latest = threading.RLock(), Latest()
        self._wanted: tuple[str, int] | None = None
        points = np.vstack([state.corpus.points, np.zeros((1, 2))])
        self._map = Map(points, texts=[*state.texts, "The text that is edited"], title=title or "Live text")
        self._panel, self._controls = Panel(self._written, self._later), self._new_controls()
        self._panel.layout = ipywidgets.Layout(flex="1 1 340px", min_width="0")
        beside = ipywidgets.VBox([self._map, self._controls.under], layout={"flex": "1 1 420px", "min_width": "0"})
        body = ipywidgets.HBox([self._panel, beside], layout={"flex_flow": "row wrap", "grid_gap": "12px"})
        super().__init__([self._map], [self._controls.row, body], kind="live")
        self._tell_settings()
        self.colour_by(None)
        self.edit(state.texts[0][:FIRST])

    def _new_controls(self) -> Controls:
        temperature, pooling = self._state.settings
        controls = Controls(list(self._columns), temperature=temperature, pooling=pooling)
        controls.on_change(
            temperature=lambda tau: setattr(self, "temperature", tau),
            pooling=lambda how: setattr(self, "pooling", how),
            colour=self.colour_by,
        )
        controls.embed.on_click(lambda _: self._embed_or_stop())
        controls.start.on_click(lambda _: self.start_from(int(self.selection[0])))
        controls.near.on_click(lambda _: self.select_nearest())
        self._map.on_select(lambda ids: self._selected(ids))
        return controls

    def _selected(self, ids: np.ndarray) -> None:
        self._controls.start.disabled = len(ids) != 1 or int(ids[0]) == self._state.n

    @property
    def map(self) -> Map:
        """The map of the corpus; its last point, n, is the text's."""
        return self._map

    @property
    def selection(self) -> np.ndarray:
        """Ids of the selected points, int64, rising: rows of the corpus, and n for the text itself; may be set."""
        return self._map.selection

    @selection.setter
    def selection(self, ids: np.ndarray | Sequence) -> None:
        self._map.selection = ids
        self._selected(self.selection)

    def select_nearest(self) -> None:
        """Selects the nearest texts, and the text itself."""
        self.selection = [*self.result.neighbours[0].tolist(), self._state.n]

    @property
    def result(self) -> LiveResult:
        """What was read last."""
        return self._state.last

    @property
    def text(self) -> str:
        """The text; setting it is an `edit`."""
        return self.result.text

    @text.setter
    def text(self, text: str) -> None:
        self.edit(text)

    @property
    def temperature(self) -> float:
        """The temperature that divides attention scores when the text is read, above 0; may be set."""
        return self._state.reader.temperature

    @temperature.setter
    def temperature(self, tau: float) -> None:
        self._state.reader.temperature = tau
        self._settle()

    @property
    def pooling(self) -> str:
        """How token states become the vector of the text: "mean", "cls", "last", "max" or "own"; may be set."""
        return self._state.reader.pooling

    @pooling.setter
    def pooling(self, pooling: str) -> None:
        self._state.reader.pooling = pooling
        self._settle()

    @property
    def matched(self) -> bool:
        """Whether text and corpus are under the same temperature and pooling."""
        return self._state.corpus_settings == self._state.settings

    @property
    def summary(self) -> str:
        """What is seen: the map, and where the text lies; none of the texts' words."""
        cosine = self.result.neighbours[1][0]
        return f"{self._map.summary} A text being edited: its nearest text has cosine {cosine:.3f}. {self.said}"

    @property
    def said(self) -> str:
        """A sentence on the settings of text and corpus."""
        state = self._state
        return settings_in_words(state.settings, state.corpus_settings, state.n, state.seconds)

    def edit(self, text: str) -> LiveResult:
        """Reads the text, moves its point, and says what has changed since the text before; at once.

        Raises:
            TypeError: not a str.
            ValueError: not valid Unicode, or a text without tokens.
        """
        result = self._read(text)
        self._panel.show("text", {"text": text})
        self._later()
        return result

    def start_from(self, row: int) -> LiveResult:
        """Edits the text of a row of the corpus.

        Raises:
            IndexError: there is no such row.
        """
        if not 0 <= row < self._state.n:
            raise IndexError(f"row must lie in 0..{self._state.n - 1}, got {row}")
        return self.edit(self._state.texts[row])

    def left_out(self, text: str | None = None) -> list[LeftOut]:
        """Every token of `text`, or of the text that is shown, with the effect of leaving its characters out.

        (token, start, end, effect): the effect is 1 less the cosine of the text without them to the text, in [0, 2].

        Raises:
            TypeError, ValueError: as `edit`, or a tokenizer that does not tell where its tokens lie.
        """
        if text is not None and not isinstance(text, str):
            raise TypeError(f"text must be a str, got {type(text).__name__}")
        return self._state.reader.left_out(self.text if text is None else text) or []

    def colour_by(self, name: str | None) -> None:
        """Colours the map by a column; None tells the text from the corpus.

        Raises:
            ValueError: no such column.
        """
        if name is not None and name not in self._columns:
            raise ValueError(f"columns are {sorted(self._columns)}, got {name!r}")
        plain = ["corpus"] * self._state.n + ["the text"]
        self._map.colour_by(plain if name is None else [*self._columns[name], None], name=name or "")
        self._controls.show_colour(name)

    def estimate(self) -> float:
        """Seconds that `embed_corpus` will take, from the time for up to 32 texts; measured once."""
        return self._state.estimate()

    def embed_corpus(self) -> bool:
        """Embeds the corpus under the settings of the text, and draws its map anew; waits.

        False where the settings were changed or `stop_embedding` was called meanwhile: the corpus then stays as it was.
        """
        done = self._state.embed(self._progress)
        self._settle()
        return done

    def stop_embedding(self) -> None:
        """Ends an embedding of the corpus; what was embedded of it is dropped."""
        self._state.embedding = False

    def _settle(self) -> None:
        """Settings or corpus have changed: the corpus that belongs to them, if there is one, and the text again."""
        with self._lock:
            if self._state.follow():
                corpus = self._state.corpus
                self._map.points = np.vstack([corpus.points, corpus.place(self.result.vector)])
            self._read(self.text)
        self._controls.show(*self._state.settings)
        self._tell_settings()
        self._later()

    def _read(self, text: str) -> LiveResult:
        with self._lock:
            state, result = self._state, self._state.read(text)
            self._map.move([state.n], [result.point])
            sampled = len(state.corpus.asked) < state.n
            said = note(text, int(result.diagnostics["tokens"][1]), state.reader.encoder.settings.max_length)
            numbers = number_rows(result.diagnostics, k=state.k, sampled=sampled)
            near = near_rows(*result.neighbours, state.texts)
            self._panel.show("result", {"note": said, "wrong": False, "numbers": numbers, "near": near})
            self._follow()  # the map says nothing new of itself when a point moves
        return result

    def _written(self, text: str, seq: int) -> None:
        """A text was written on the page."""
        self._wanted = text, seq
        self._latest.put(self._catch_up)

    def _later(self) -> None:
        if self._panel.live:
            self._latest.put(self._catch_up)

    def _catch_up(self, newest: Callable[[], bool]) -> None:
        """Reads what was written last, answers, and leaves out tokens when nothing more has come for a moment."""
        wanted, self._wanted = self._wanted, None
        if wanted is not None:
            try:
                self._read(wanted[0])
                self._panel.keep("text", {"text": wanted[0]})
            except (TypeError, ValueError) as error:
                self._panel.show("result", {"note": str(error), "wrong": True})
            self._panel.send({"kind": "answer", "seq": wanted[1]})
        if self._latest.pause(PAUSE):
            self._leave_out(newest)
        if not self.matched and self._state.seconds is None and newest():
            self.estimate()
            self._tell_settings()

    def _leave_out(self, newest: Callable[[], bool]) -> None:
        text = self.text
        try:
            found = self._state.reader.left_out(text, wanted=newest)
        except ValueError as error:
            self._panel.show("left", {"parts": [[text[:FIRST], None]], "rows": [], "words": str(error)})
            return
        if found is not None and text == self.text:
            shown = {"parts": parts(text, found), "rows": token_rows(found), "words": said_of(found)}
            self._panel.show("left", shown)

    def _embed_or_stop(self) -> None:
        if self._state.embedding:
            self.stop_embedding()
        else:
            threading.Thread(target=self.embed_corpus, name="workbench-embed", daemon=True).start()

    def _progress(self, done: int) -> None:
        words = f"Embedding the corpus with the settings of the text: {done:,} of {self._state.n:,} texts."
        self._controls.say(words, matched=False, embedding=True)

    def _tell_settings(self) -> None:
        self._controls.say(self.said, matched=self.matched)
