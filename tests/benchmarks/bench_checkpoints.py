"""What checkpoints cost a training: wall time in them, as a share of the whole, at the interval `fit` chooses itself.

Run as `python tests/benchmarks/bench_checkpoints.py [SECONDS]`. all-MiniLM-L6-v2 (90 MB of weights, 270 MB with the
optimiser) trains on pairs of one batch for about SECONDS (default 200). Prints the time in checkpoints, their number,
the time of one and of a step. Exits with 1 when their share is above 3 %. Wall time: what a checkpoint costs is the
disk's, not the processor's.
"""

import sys
import tempfile
import time

from workbench.encoders import load_encoder
from workbench.losses import info_nce
from workbench.training import FitConfig, embed_step, fit
from workbench.training.session import Session

MOST_SHARE = 0.03
BATCH = {"anchor": [f"row {i} is a text" for i in range(16)], "positive": [f"text {i} in a row" for i in range(16)]}


def main(seconds: float) -> int:
    spent: list[float] = []
    save = Session.save

    def timed(session: Session) -> None:
        began = time.monotonic()
        save(session)
        if session.reason is None:  # the last one is there whatever the interval
            spent.append(time.monotonic() - began)

    encoder = load_encoder("all-MiniLM-L6-v2", device="cpu")
    probe = fit(encoder, [BATCH], step=embed_step(info_nce), config=FitConfig(steps=5))
    a_step = sum(probe.column("seconds")[1:]) / 4
    Session.save = timed
    with tempfile.TemporaryDirectory() as folder:
        config = FitConfig(steps=max(10, int(seconds / a_step)), folder=folder)
        result = fit(encoder, [BATCH], step=embed_step(info_nce), config=config)
    if not spent:
        print(f"not measured: no checkpoint fell due in {result.seconds:.0f} s; give more seconds")
        return 1
    share = sum(spent) / result.seconds
    print(f"{result.steps} steps of {a_step:.2f} s, {len(spent)} checkpoints of {sum(spent) / len(spent):.2f} s each")
    print(f"share of the time in checkpoints {share:.1%} (at most {MOST_SHARE:.0%})")
    return int(share > MOST_SHARE)


if __name__ == "__main__":
    sys.exit(main(*(float(a) for a in sys.argv[1:]), *(200.0,)[len(sys.argv) - 1 :]))
