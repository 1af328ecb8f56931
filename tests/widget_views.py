"""Every widget as cells of a notebook, over built texts: what is shown, saved and measured of each in turn."""

__all__ = ["DATA", "VIEWS"]

# n rows in three groups; every text bears a word that nothing else bears
DATA = """
import numpy as np
rng = np.random.default_rng(3)
n = {n}
group = rng.integers(0, 3, n)
x = (3 * rng.normal(size=(3, {dimensions}))[group] + rng.normal(size=(n, {dimensions})) + 1).astype(np.float32)
texts = [f"Corpusword {{i}} speaks of <b>foxes</b> and owls" for i in range(n)]
columns = {{"group": np.array(["red fox", "<i>owl</i>", "heron"])[group], "height": x[:, 0]}}
"""

# each builds `view`
VIEWS = {
    "Map": """
from workbench.widgets import Map
view = Map(x[:, :2], texts=texts, colour=columns["group"], title="Animals")
""",
    "TrainingMonitor": """
from workbench.widgets import TrainingMonitor
view = TrainingMonitor()
view.begin(n, 0)
for step in range(1, n + 1):
    view.update({"step": step, "lr": 1e-3, "loss": 0.4 + 2 / step, "grad_norm": 1.0, "alignment": 0.3, "seconds": 0.01})
view.end("finished")
""",
    "Explorer": """
from workbench.widgets import Explorer
view = Explorer(x, texts, columns, title="Animals")
""",
    "LayerExplorer": """
from workbench.widgets import LayerExplorer
steps = np.stack([x, 0.9 * x + 0.1 * x[:, ::-1], 0.6 * x + 0.4 * x[:, ::-1]])
view = LayerExplorer(steps, texts, columns, title="Animals")
""",
    "CompareExplorer": """
from workbench.widgets import CompareExplorer
view = CompareExplorer({"all": x, "half": x[:, :16], "third": x[:, :11]}, texts, columns, title="Animals")
""",
    "DepthExplorer": """
from workbench.widgets import DepthExplorer
half = n // 2
view = DepthExplorer(x[:half], x[half:] + 0.1, (texts[:half], texts[half:]), names=("early", "late"), title="Animals")
""",
    "LiveText": """
from workbench.encoders import load_encoder
from workbench.widgets import LiveText
encoder = load_encoder("all-MiniLM-L6-v2")
few = np.arange(n) % 60
vectors = encoder.encode(texts[:60], store=False, progress=False)
view = LiveText(encoder, [texts[i] for i in few], x=vectors[few], columns=columns, title="Animals")
""",
}
