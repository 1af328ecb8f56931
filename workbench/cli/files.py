"""Files of texts to files of vectors, the geometry of vectors in a file, and what the vector store holds."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from workbench.cli.shared import app, checked, err, fail, out

__all__ = ["cache", "diagnose", "encode"]

GB = 1e9
SHOWN = ("name", "pooling", "max_length", "layers", "dimensions", "prompt", "normalize", "temperature", "dtype")


@app.command()
def encode(
    source: Annotated[Path, typer.Argument(help=".txt (a text a line), .jsonl, .csv, .tsv or .parquet")],
    target: Annotated[Path, typer.Argument(help=".npy, or .parquet for the source's columns and `embedding`")],
    model: Annotated[str, typer.Option(help="a folder, or a name that is here or on the hub")] = "all-MiniLM-L6-v2",
    text: Annotated[str | None, typer.Option(help="the column of the texts; without it `text`")] = None,
    normalize: Annotated[bool | None, typer.Option(help="rows of length 1; without it as the model says")] = None,
    dtype: Annotated[str | None, typer.Option(help="float32, bfloat16 or float16, of the weights")] = None,
    max_length: Annotated[int | None, typer.Option(min=1, help="tokens kept of a text")] = None,
    prompt: Annotated[str | None, typer.Option(help="text before every text, or the name of a prompt")] = None,
) -> None:
    """Encodes a file of texts, a window at a time; a killed run goes on where it was when called again."""
    for path, kinds in ((source, (".txt", ".jsonl", ".csv", ".tsv", ".parquet")), (target, (".npy", ".parquet"))):
        if path.suffix not in kinds:
            fail(2, f"{path} must end in one of {', '.join(kinds)}")
    if not source.is_file():
        fail(2, f"no file {source}")
    if not target.parent.is_dir():
        fail(2, f"no folder {target.parent} to write {target.name} into")
    from workbench.encoders import Encoder, encode_file, load_encoder

    def work() -> Path:
        encoder = load_encoder(model, dtype=dtype, max_length=max_length, prompt=prompt)
        if not isinstance(encoder, Encoder):
            raise ValueError(f"{model} encodes images; a file of texts needs a text encoder")
        return encode_file(source, target, encoder=encoder, text=text, normalize=normalize, progress=err.is_terminal)

    out.print(str(checked(work)), markup=False)


@app.command()
def diagnose(
    source: Annotated[Path, typer.Argument(help=".npy, .parquet or .safetensors with one vector a row")],
    name: Annotated[str | None, typer.Option(help="the column (`embedding`) or the tensor")] = None,
    sample: Annotated[int, typer.Option(min=100, help="rows for what is quadratic in their number")] = 5000,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON instead of a table")] = False,
) -> None:
    """Prints the geometry of the vectors in a file, with intervals; says first how long it will take."""
    if source.suffix not in (kinds := (".npy", ".parquet", ".safetensors")):
        fail(2, f"{source} must end in one of {', '.join(kinds)}")
    if not source.is_file():
        fail(2, f"no file {source}")
    from workbench.diagnostics import diagnose as measure
    from workbench.diagnostics import expected_seconds, read_vectors

    x = checked(lambda: read_vectors(source, name=name))
    seconds = checked(lambda: expected_seconds(x, sample=sample))
    err.print(f"{len(x):,} rows, {x.shape[1]:,} dimensions: about {seconds / 60:.1f} minutes")
    report = checked(lambda: measure(x, sample=sample))
    if as_json:
        out.print(report.to_json(), markup=False)
        return
    table = Table("diagnostic", "value [95 %]", "what is unusual")
    for row in report.rows:
        table.add_row(*map(escape, (row.name, row.number, row.unusual or row.note)))
    out.print(table)
    for note in report.notes:
        out.print(note, markup=False)


@app.command()
def cache(
    clear: Annotated[bool, typer.Option("--clear", help="remove stored vectors instead of listing them")] = False,
    space: Annotated[str | None, typer.Option(help="with --clear: only the space whose name begins so")] = None,
    older_than: Annotated[
        float | None, typer.Option(min=0, help="with --clear: only what lay unused so many days")
    ] = None,
) -> None:
    """Shows what the vector store holds, by model and settings; --clear empties it. Vectors are made again."""
    from workbench.encoders import clear_store, store_report

    if not clear and (space is not None or older_than is not None):
        fail(2, "--space and --older-than choose what --clear removes")
    if clear:
        freed = checked(lambda: clear_store(space=space, older_than_days=older_than))
        out.print(f"{freed / GB:.3f} GB freed")
        return
    table = Table("space", "model and settings", "rows", "files", "MB", "last used (UTC)", "damaged")
    uses = checked(store_report)
    for use in uses:
        note = ", ".join(f"{name} {use.note[name]}" for name in SHOWN if use.note.get(name)) or "not noted"
        used = f"{use.last_used:%Y-%m-%d %H:%M}"
        cells = (use.space[:12], note, f"{use.n_rows:,}", str(use.n_files), f"{use.n_bytes / 1e6:.1f}", used)
        table.add_row(*map(escape, (*cells, ", ".join(use.damaged) or "none")))
    out.print(table)
    out.print(f"{sum(use.n_bytes for use in uses) / GB:.3f} GB; WORKBENCH_CACHE_GB sets the limit (20)")
