"""Generation of texts, free or under a constraint on the next token: greedy, by beams, or by sampling."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from workbench.models.passes import checked_budget, evaluating, padded, token_batches
from workbench.models.prompts import Text, decoder_start, end_tokens, positions_of, prompt_ids
from workbench.models.seeding import checked_count, checked_seed

__all__ = ["Generated", "Sampling", "generate"]

Allowed = Callable[[tuple[int, ...]], Iterable[int]]

IMPOSSIBLE = -5e8  # transformers fills empty places among the beams with -1e9


@dataclass(frozen=True)
class Generated:
    """One output: its tokens, its text, its log-likelihood, and whether it came to an end.

    Attributes:
        tokens: what the model wrote behind the prompt, the token that ends a text included where it was written.
        text: `tokens` decoded, without special tokens.
        log_likelihood: of `tokens` under the model as it is, in nats, 0 or less; what `log_likelihoods` gives. The
            constraint, the temperature and top_p choose tokens and do not change it.
        ended: whether the last token ends a text; False where `max_tokens` cut it.
    """

    tokens: tuple[int, ...]
    text: str
    log_likelihood: float
    ended: bool


@dataclass(frozen=True)
class Sampling:
    """How outputs are drawn.

    Args:
        number: outputs for each prompt.
        temperature: the logits are divided by it before the draw.
        top_p: draw from the fewest likeliest tokens that hold this share of the probability, in (0, 1].
        seed: each output's draws depend on it and on the places of prompt and output alone, not on batches.

    Raises:
        ValueError: a number below 1, a temperature that is not positive and finite, `top_p` outside (0, 1], a seed
            that is none.

    Reference: Holtzman et al. 2020 for `top_p`.
    """

    number: int = 1
    temperature: float = 1.0
    top_p: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        checked_count("number", self.number)
        checked_seed(self.seed)
        if not 0 < self.temperature < float("inf"):
            raise ValueError(f"temperature must be above 0 and finite, got {self.temperature}")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p must be in (0, 1], got {self.top_p}")


def generate(
    model: Any,  # noqa: ANN401 - transformers has no common type for what has a language head
    tokenizer: Any,  # noqa: ANN401
    prompts: Sequence[Text],
    *,
    max_tokens: int,
    allowed: Allowed | None = None,
    beams: int = 1,
    sampling: Sampling | None = None,
    batch_tokens: int | None = None,
) -> list[list[Generated]]:
    """Outputs for each prompt, the likeliest first: one greedily, up to `beams` of a beam search, or drawn ones.

    Prompts are read as in `token_log_likelihoods`, and generation goes through transformers' `generate`, without the
    model's own generation settings (penalties, forced tokens) apart from the tokens that end a text. Beams are ordered
    by log-likelihood as it is: no length penalty. They may be fewer than asked where `allowed` leaves fewer; every one
    obeys it. Probabilities are not renormalised over the allowed tokens.

    Args:
        model: a model of transformers with a language head.
        tokenizer: its tokenizer.
        prompts: texts, or lists of tokens.
        max_tokens: most tokens written for a prompt, the one that ends a text included.
        allowed: from the tokens written so far (without the prompt and the decoder's start token) to the tokens that
            may follow, as `retrieval.Trie.allowed`; none: the text must end here. Asked once for each prefix, dead
            beams excepted; whoever wants every hypothesis, not the last ones alone, keeps what it is asked for.
        beams: beams of the search; 1 is greedy.
        sampling: draw instead; not with beams.
        batch_tokens: tokens per batch, outputs and padding included; None: 512 on a CPU, 8192 on a GPU.

    Raises:
        TypeError: as `token_log_likelihoods`.
        ValueError: a prompt without tokens, with one outside the vocabulary, or that leaves no room for `max_tokens`
            in the model's positions, by its index; `allowed` gives a token outside the vocabulary, or none where no
            token ends a text; a model without a language head; `beams` with `sampling`, or beyond the vocabulary; a
            size below 1.
    """
    if not getattr(model, "can_generate", lambda: False)():
        raise ValueError(f"model must have a language head that goes on from tokens, {type(model).__name__} has none")
    checked_count("max_tokens", max_tokens)
    vocabulary = model.get_input_embeddings().num_embeddings
    if checked_count("beams", beams) > vocabulary:
        raise ValueError(f"beams must be at most {vocabulary}, the tokens of the model, got {beams}")
    if beams > 1 and sampling is not None:
        raise ValueError(f"beams={beams} search and sampling draws: choose one of them")
    budget = checked_budget(batch_tokens, model.device)
    rows = prompt_ids(model, tokenizer, prompts)
    _refuse_long(model, rows, max_tokens)
    ends, copies = end_tokens(model, tokenizer), 1 if sampling is None else sampling.number
    rule = _Rule(allowed, ends, vocabulary)
    jobs = [(i, copy) for i in range(len(rows)) for copy in range(copies)]
    found: list[list[Generated]] = [[] for _ in rows]
    with evaluating(model), _plain(model, ends):
        for part in token_batches([(len(rows[i]) + max_tokens) * beams for i, _ in jobs], budget=budget):
            picked = [jobs[k] for k in part]
            step = _Beams(rule, beams) if beams > 1 else _Choice(rule, sampling, picked)
            written = _written(model, [rows[i] for i, _ in picked], step, max_tokens, beams)
            for (i, _), outputs in zip(picked, written, strict=True):
                found[i] += [_generated(tokenizer, tokens, value, ends) for tokens, value in outputs]
    return [sorted(outputs, key=lambda one: -one.log_likelihood) for outputs in found]


class _Rule:
    """Which tokens may follow a prefix, asked once for each."""

    def __init__(self, allowed: Allowed | None, ends: list[int], vocabulary: int) -> None:
        self.allowed, self.ends, self.vocabulary = allowed, ends, vocabulary
        self.known: dict[tuple[int, ...], np.ndarray] = {}

    def mask(self, scores: Tensor, prefixes: list[tuple[int, ...]]) -> Tensor:
        """`scores` (n, vocabulary) with -inf where a token may not follow."""
        if self.allowed is None:
            return scores
        kept = torch.full_like(scores, -torch.inf)
        for row, prefix in enumerate(prefixes):
            if self._alive(prefix):
                place = torch.from_numpy(self._after(prefix)).to(scores.device)
                kept[row, place] = scores[row, place]
        return kept

    def _alive(self, prefix: tuple[int, ...]) -> bool:
        """Whether `prefix` was written by the rule and has not ended; empty places of a beam search were not."""
        if not prefix:
            return True
        before = self.known.get(prefix[:-1])
        return before is not None and prefix[-1] in before and prefix[-1] not in self.ends

    def _after(self, prefix: tuple[int, ...]) -> np.ndarray:
        if prefix not in self.known:
            tokens = np.unique(np.fromiter(self.allowed(prefix), dtype=np.int64))  # pyright: ignore - asked above
            if not len(tokens) and not self.ends:
                raise ValueError(f"allowed gives no token after {prefix}, and no token ends a text")
            if len(tokens) and not 0 <= tokens[0] <= tokens[-1] < self.vocabulary:
                wrong = tokens[0] if tokens[0] < 0 else tokens[-1]
                raise ValueError(f"allowed gives token {wrong} after {prefix}, the model has {self.vocabulary} of them")
            self.known[prefix] = tokens if len(tokens) else np.array(self.ends[:1])
        return self.known[prefix]


class _Beams:
    """A logits processor of a beam search, which gets and gives log-probabilities."""

    def __init__(self, rule: _Rule, beams: int) -> None:
        self.rule, self.beams, self.start = rule, beams, -1

    def __call__(self, ids: Tensor, scores: Tensor) -> Tensor:
        self.start = ids.shape[1] if self.start < 0 else self.start
        return self.rule.mask(scores, [tuple(row) for row in ids[:, self.start :].tolist()])


class _Choice:
    """A logits processor that chooses the next token, greedily or by a draw, and keeps its log-likelihood."""

    def __init__(self, rule: _Rule, sampling: Sampling | None, jobs: list[tuple[int, int]]) -> None:
        self.rule, self.sampling, self.start = rule, sampling, -1
        self.sums = np.zeros(len(jobs))
        self.running = np.ones(len(jobs), dtype=bool)
        seeds = [np.random.SeedSequence([sampling.seed, *job]).generate_state(1)[0] for job in jobs] if sampling else []
        self.draws = [torch.Generator().manual_seed(int(seed)) for seed in seeds]

    def __call__(self, ids: Tensor, scores: Tensor) -> Tensor:
        self.start = ids.shape[1] if self.start < 0 else self.start
        values = torch.log_softmax(scores.float(), dim=-1)
        masked = self.rule.mask(values, [tuple(row) for row in ids[:, self.start :].tolist()])
        chosen = (masked if self.sampling is None else self._noisy(masked)).argmax(dim=-1, keepdim=True)
        self.sums += np.where(self.running, values.gather(1, chosen)[:, 0].double().cpu().numpy(), 0)
        self.running &= ~np.isin(chosen[:, 0].cpu().numpy(), self.rule.ends)
        return torch.full_like(scores, -torch.inf).scatter_(1, chosen, 0.0)

    def _noisy(self, masked: Tensor) -> Tensor:
        """Log-probabilities of the draw with Gumbel noise added: the largest is a draw from them."""
        logits = masked / (self.sampling or Sampling()).temperature
        share, order = torch.softmax(logits, dim=-1).sort(dim=-1, descending=True)
        beyond = share.cumsum(dim=-1) - share >= (self.sampling or Sampling()).top_p
        logits = logits.masked_fill(torch.empty_like(beyond).scatter_(1, order, beyond), -torch.inf)
        noise = torch.stack([torch.empty(logits.shape[1]).exponential_(generator=draw) for draw in self.draws])
        return logits - noise.log().to(logits)


def _written(
    model: Any,  # noqa: ANN401
    rows: list[list[int]],
    step: _Beams | _Choice,
    max_tokens: int,
    beams: int,
) -> Iterator[list[tuple[list[int], float]]]:
    """Tokens behind each prompt, with what stands behind their end, and their log-likelihood."""
    from transformers import LogitsProcessorList

    ids, mask = padded(rows, 0, model.device, left=not model.config.is_encoder_decoder)
    with torch.inference_mode():
        out = model.generate(
            input_ids=ids,
            attention_mask=mask,
            max_new_tokens=max_tokens,
            num_beams=beams,
            num_return_sequences=beams,
            logits_processor=LogitsProcessorList([step]),  # pyright: ignore - any callable serves
            return_dict_in_generate=True,
            output_scores=beams > 1,
            **({"length_penalty": 0.0} if beams > 1 else {}),
        )
    values = step.sums.tolist() if isinstance(step, _Choice) else out.sequences_scores.tolist()
    tokens = out.sequences[:, step.start :].tolist()
    for start in range(0, len(tokens), beams):
        place = range(start, start + beams)
        yield [(tokens[k], values[k]) for k in place if values[k] > IMPOSSIBLE]


def _generated(tokenizer: Any, tokens: list[int], value: float, ends: list[int]) -> Generated:  # noqa: ANN401
    stop = next((place for place, token in enumerate(tokens) if token in ends), None)
    own = tokens if stop is None else tokens[: stop + 1]
    return Generated(tuple(own), tokenizer.decode(own, skip_special_tokens=True), value, stop is not None)


@contextmanager
def _plain(model: Any, ends: list[int]) -> Iterator[None]:  # noqa: ANN401
    """A block in which the model's generation settings are transformers' defaults and the tokens that end a text."""
    from transformers import GenerationConfig

    start = {"decoder_start_token_id": decoder_start(model)} if model.config.is_encoder_decoder else {}
    before = model.generation_config
    model.generation_config = GenerationConfig(
        pad_token_id=ends[0] if ends else 0, eos_token_id=ends or None, do_sample=False, **start
    )
    try:
        yield
    finally:
        model.generation_config = before


def _refuse_long(model: Any, rows: list[list[int]], max_tokens: int) -> None:  # noqa: ANN401
    limit = positions_of(model)
    if limit is None:
        return
    apart = model.config.is_encoder_decoder
    for i, row in enumerate(rows):
        longest = max(len(row), max_tokens) if apart else len(row) + max_tokens
        if longest > limit:
            raise ValueError(
                f"prompt {i} has {len(row)} tokens, with max_tokens={max_tokens} too many for {limit} positions"
            )
