"""Paired comparisons against scipy, and rankings against mteb's Borda count and by hand."""

import csv
import io
import math

import numpy as np
import pytest
from scipy import stats

from workbench.evaluation.base import evaluation_of
from workbench.evaluation.comparison import compare
from workbench.evaluation.ranking_systems import borda_points, rank_intervals, rank_systems
from workbench.intervals import detectable_effect

NAMES = [f"q{i}" for i in range(200)]


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def mean_of(values, *, ids=None, source="data", metric="ndcg@10", task="retrieval", **recipe):
    ids = NAMES[: len(values)] if ids is None else ids
    return evaluation_of(task, main=metric, arrays={metric: np.asarray(values, float)}, ids=ids,
                         means={metric: "a mean"}, source=source, recipe=recipe)  # fmt: skip


def correlation_of(x, y, *, blocks=None):
    def rho(rows):
        return float(stats.spearmanr(x[rows], y[rows]).statistic)

    return evaluation_of("sts", main="spearman", arrays={"cosine": x}, ids=NAMES[: len(x)],
                         statistics={"spearman": (rho, "Spearman")}, blocks=blocks, source="data")  # fmt: skip


def test_a_mean_is_compared_by_scipys_paired_t_and_sign_flips(rng):
    a = rng.uniform(size=120)
    b = a + rng.normal(0.03, 0.15, 120)
    (row,) = compare(mean_of(a), mean_of(b), seed=4).rows
    peer = stats.ttest_rel(b, a)
    ends = peer.confidence_interval(0.95)
    assert (row.task, row.metric, row.n) == ("retrieval", "ndcg@10", 120)
    assert (row.a, row.b) == pytest.approx((a.mean(), b.mean()))
    assert row.difference.value == pytest.approx(b.mean() - a.mean())  # second minus first
    assert (row.difference.low, row.difference.high) == pytest.approx((ends.low, ends.high))
    flips = stats.permutation_test((b - a,), np.mean, permutation_type="samples", n_resamples=20_000, vectorized=True,
                                   rng=np.random.default_rng(0))  # fmt: skip
    assert row.p == pytest.approx(flips.pvalue, abs=0.01)
    assert row.p_holm == row.p
    error = (b - a).std(ddof=1) / math.sqrt(120)
    reach = stats.t.ppf(0.975, 119) + stats.t.ppf(0.8, 119)
    assert row.detectable == pytest.approx(reach * error)
    assert row.significant is (row.p < 0.05)
    assert compare(mean_of(a), mean_of(b), seed=4).rows == (row,)


def test_a_statistic_is_compared_by_the_jackknife_of_the_difference(rng):
    gold = rng.normal(size=200)
    x, y = gold + rng.normal(size=200), gold + 0.8 * rng.normal(size=200)
    blocks = np.arange(200) % 20

    def difference(keep):
        rhos = [stats.spearmanr(values[keep], gold[keep]).statistic for values in (x, y)]
        return rhos[1] - rhos[0]

    (row,) = compare(correlation_of(x, gold, blocks=blocks), correlation_of(y, gold, blocks=blocks)).rows
    whole = difference(blocks >= 0)
    parts = np.array([difference(blocks != block) for block in range(20)])
    error = math.sqrt(19 * np.mean((parts - whole) ** 2))
    reach = stats.t.ppf(0.975, 19) * error
    assert row.difference.value == pytest.approx(whole)
    assert (row.difference.low, row.difference.high) == pytest.approx((whole - reach, whole + reach))
    assert row.p == pytest.approx(2 * stats.t.sf(abs(whole) / error, 19))
    assert row.detectable == pytest.approx(detectable_effect(row.difference))
    assert row.n == 200


def test_holm_is_over_the_tasks(rng):
    a = {f"t{i}": mean_of(rng.uniform(size=60)) for i in range(3)}
    b = {t: mean_of(e.per_item + rng.normal(0.06, 0.15, 60)) for t, e in a.items()}
    rows = compare(a, b).rows
    assert [row.task for row in rows] == ["t0", "t1", "t2"]
    least, middle, most = sorted(rows, key=lambda row: row.p)
    assert least.p_holm == pytest.approx(3 * least.p)
    assert middle.p_holm == pytest.approx(max(3 * least.p, 2 * middle.p))
    assert most.p_holm == pytest.approx(max(3 * least.p, 2 * middle.p, most.p))


def test_items_are_paired_by_their_ids(rng):
    a = rng.uniform(size=50)
    b = a + rng.normal(0.1, 0.05, 50)
    order = rng.permutation(50)
    straight = compare(mean_of(a), mean_of(b)).rows
    mixed = compare(mean_of(a), mean_of(b[order], ids=[NAMES[i] for i in order])).rows
    assert mixed[0].difference.standard_error == pytest.approx(straight[0].difference.standard_error)
    assert mixed[0].p == pytest.approx(straight[0].p)


def test_a_system_does_not_differ_from_itself(rng):
    a = mean_of(rng.uniform(size=40))
    s = correlation_of(*rng.normal(size=(2, 60)))
    for one in (a, s):
        (row,) = compare(one, one).rows
        assert (row.difference.value, row.p, row.significant) == (0.0, 1.0, False)


def test_too_few_units_have_no_interval_and_no_significance(rng):
    (row,) = compare(mean_of([0.1]), mean_of([0.9])).rows
    assert (row.p, row.significant, row.detectable) == (1.0, False, math.inf)
    few = np.arange(60) % 3
    gold = rng.normal(size=60)
    (row,) = compare(correlation_of(-gold, gold, blocks=few), correlation_of(gold, gold, blocks=few)).rows
    assert (row.difference.value, row.p, row.significant) == (2.0, 1.0, False)
    assert "no interval" in str(compare(mean_of([0.1]), mean_of([0.9])))


def test_a_difference_of_equal_parts_is_certain(rng):
    gold = rng.normal(size=60)
    (row,) = compare(correlation_of(-gold, gold), correlation_of(gold, gold)).rows
    assert (row.difference.value, row.p, row.significant) == (pytest.approx(2.0), 0.0, True)


def refusals(rng):
    values = rng.uniform(size=20)
    one, short, gold = mean_of(values), mean_of(values[:19]), rng.normal(size=60)
    halves = [correlation_of(gold, gold, blocks=np.arange(60) % n) for n in (20, 10)]
    both_names = mean_of(values, ids=["q0"] * 20)
    as_statistic = evaluation_of("retrieval", main="ndcg@10", arrays={"x": values}, ids=NAMES[:20], source="data",
                                 statistics={"ndcg@10": (lambda rows: float(len(rows)), "s")})  # fmt: skip
    return [
        (one, short, {}, "1 items are in one evaluation only, 'q19' in the first"),
        (short, one, {}, "'q19' in the second"),
        (one, mean_of(values, source="other"), {}, "the data differ: fingerprints 'data' and 'other'"),
        (one, mean_of(values, task="sts"), {}, "of kind 'retrieval', the other 'sts'"),
        (one, one, {"metric": "map"}, "no metric 'map' in one of the evaluations; it has ndcg@10"),
        (*halves, {}, "needs the same blocks"),
        (one, as_statistic, {}, "a mean of items in one evaluation and a statistic"),
        (both_names, mean_of(values[:1], ids=["q0"]), {}, "must be unique"),
        (one, {"t": one}, {}, "not one of each"),
        ({"t": one}, {"u": one}, {}, r"same tasks, got \['t'\] and \['u'\]"),
        ({}, {}, {}, "same tasks"),
        (one, one, {"resamples": 99}, "at least 100 resamples"),
    ]


@pytest.mark.parametrize("case", range(12))
def test_compare_refuses_and_names_what_differs(rng, case):
    a, b, options, words = refusals(rng)[case]
    with pytest.raises(ValueError, match=words):
        compare(a, b, **options)


def test_the_recipes_difference_stands_first_in_every_form(rng, tmp_path):
    values = rng.uniform(size=30)
    a = {t: mean_of(values, model="a<b>", weights="0" * 64, pooling="mean", k=3) for t in ("t", "=u")}
    b = {t: mean_of(values + 0.1, model="c", weights="f" * 64, pooling="mean", k=n) for t, n in (("t", 3), ("=u", 4))}
    found = compare(a, b)
    said = (("model", "a<b>", "c"), ("weights", "0" * 12, "f" * 12), ("k of =u", "3", "4"))
    assert found.recipe_difference == said
    assert str(found).splitlines()[:3] == ["recipe, model: a<b> -> c", f"recipe, weights: {'0' * 12} -> {'f' * 12}",
                                           "recipe, k of =u: 3 -> 4"]  # fmt: skip
    html = found._repr_html_()
    assert "a<b>" not in html
    assert html.index("a&lt;b&gt;") < html.index("<table>")
    found.to_csv(tmp_path / "t.csv")
    lines = (tmp_path / "t.csv").read_text().splitlines()
    assert lines[0] == "# recipe, model: a<b> -> c"
    rows = list(csv.DictReader(io.StringIO("\n".join(lines[3:]))))
    assert [row["task"] for row in rows] == ["t", "'=u"]  # no spreadsheet takes it for a formula
    assert float(rows[0]["difference"]) == pytest.approx(0.1)
    frame = found.to_frame()
    assert frame["difference"].tolist() == [row.difference.value for row in found.rows]
    assert frame.attrs["preface"] == found.preface
    assert compare(a, a).preface == ["the same recipe"]
    assert repr(found) == str(found)


def test_a_part_of_the_recipe_that_one_side_does_not_say(rng):
    values = rng.uniform(size=30)
    found = compare(mean_of(values, prompt="", k=None), mean_of(values, k=None))
    assert found.recipe_difference == (("prompt", "", "not said"),)


@pytest.mark.parametrize("decimals", [1, 8])
def test_borda_is_mtebs_with_and_without_ties(rng, decimals):
    pl = pytest.importorskip("polars")
    tables = pytest.importorskip("mteb.benchmarks._create_table")
    scores = np.round(rng.uniform(size=(9, 7)), decimals)
    frame = pl.DataFrame({f"t{j}": scores[:, j] for j in range(7)})
    peer = frame.select(tables._get_borda_rank(frame.columns).alias("rank"))["rank"].to_list()
    points = borda_points(scores)
    ours = [1 + int(np.sum(points > own)) for own in points]
    assert ours == peer
    assert points.sum() == 7 * 9 * 8 / 2  # every pair of systems shares one point on each task


def test_borda_points_by_hand():
    # task 1: a beats b and c, who tie; task 2: c beats a beats b
    assert borda_points(np.array([[0.9, 0.5], [0.4, 0.1], [0.4, 0.8]])).tolist() == [2 + 1, 0.5 + 0, 0.5 + 2]


def test_places_vary_as_the_tasks_do(rng):
    clear = np.array([0.9, 0.5, 0.1])[:, None] + rng.normal(0, 0.001, (3, 12))
    low, high = rank_intervals(clear, rng=rng, resamples=500)
    assert low.tolist() == high.tolist() == [1, 2, 3]
    mixed = np.vstack([np.tile([0.9, 0.1], 6), np.tile([0.1, 0.9], 6), np.full(12, 0.05)])
    low, high = rank_intervals(mixed, rng=rng, resamples=500)
    assert (low.tolist(), high.tolist()) == ([1, 1, 3], [2, 2, 3])
    low, high = rank_intervals(clear[:, :4], rng=rng)
    assert (low.tolist(), high.tolist()) == ([1, 1, 1], [3, 3, 3])


def test_rank_intervals_are_the_quantiles_of_a_loop(rng):
    scores = rng.uniform(size=(6, 8))
    low, high = rank_intervals(scores, rng=np.random.default_rng(1), resamples=4000)
    drawn = np.empty((2000, 6))
    for i in range(2000):
        points = borda_points(scores[:, rng.integers(0, 8, 8)])
        drawn[i] = stats.rankdata(-points, method="min")
    # a place may sit on the quantile's edge: the share below and above must fit
    assert (np.mean(drawn < low, axis=0) <= 0.035).all()
    assert (np.mean(drawn <= low, axis=0) >= 0.015).all()
    assert (np.mean(drawn > high, axis=0) <= 0.035).all()
    assert (np.mean(drawn >= high, axis=0) >= 0.015).all()


@pytest.mark.parametrize(
    ("scores", "words"),
    [
        (np.zeros(3), r"at least 2 x 1, got shape \(3,\)"),
        (np.zeros((1, 3)), "at least 2 x 1"),
        (np.zeros((2, 0)), "at least 2 x 1"),
        (np.array([[0.0, 1.0], [0.5, math.nan]]), "system 1 has nan on task 1"),
    ],
)
def test_borda_refuses(scores, words):
    with pytest.raises(ValueError, match=words):
        borda_points(scores)


def test_rank_intervals_refuses_few_resamples(rng):
    with pytest.raises(ValueError, match="at least 100 resamples, got 9"):
        rank_intervals(np.eye(5), rng=rng, resamples=9)


def three_systems(rng, n_tasks=6):
    tasks = {f"t{i}": rng.uniform(size=50 + i) for i in range(n_tasks)}
    gains = {"good": 0.2, "as <good>": 0.2, "bad": 0.0}
    return {
        name: {task: mean_of(values + gain + rng.normal(0, 0.1, len(values))) for task, values in tasks.items()}
        for name, gain in gains.items()
    }


def test_a_ranking_says_who_differs_from_the_best(tmp_path):
    systems = three_systems(np.random.default_rng(0))  # one draw in 20 or so finds equal systems to differ
    found = rank_systems(systems)
    scores = {name: np.array([e["ndcg@10"].value for e in tasks.values()]) for name, tasks in systems.items()}
    best = max(scores, key=lambda name: scores[name].mean())
    assert found.best == best
    assert best in ("good", "as <good>")
    by_name = {row.system: row for row in found.rows}
    assert [row.rank for row in found.rows] == sorted(row.rank for row in found.rows)
    for name, row in by_name.items():
        assert row.mean == pytest.approx(scores[name].mean())
        assert row.points == borda_points(np.stack(list(scores.values())))[list(scores).index(name)]
        places = [1 + sum(other[i] > scores[name][i] for other in scores.values()) for i in range(6)]
        assert row.mean_rank == pytest.approx(np.mean(places))
        if name != best:
            parts = [systems[best][t].per_item - systems[name][t].per_item for t in systems[name]]
            error = math.sqrt(sum(d.var(ddof=1) / len(d) for d in parts)) / 6
            assert row.difference is not None
            assert row.difference.value == pytest.approx(np.mean([d.mean() for d in parts]))
            assert row.difference.standard_error == pytest.approx(error)
            t = row.difference.value / error
            assert row.p == pytest.approx(2 * stats.norm.sf(t), abs=0.02)
    assert by_name["bad"].significant
    assert by_name["bad"].rank == 3
    assert not by_name[({"good", "as <good>"} - {best}).pop()].significant
    found.to_csv(tmp_path / "r.csv")
    assert (tmp_path / "r.csv").read_text().startswith("# 6 tasks: t0, t1")
    assert "as &lt;good&gt;" in found._repr_html_()
    assert len(found.to_frame()) == 3


def test_a_ranking_with_statistics_is_tested_by_t(rng):
    gold = rng.normal(size=200)
    noise = {"a": 0.3, "b": 2.0}
    systems = {
        name: {
            "sts": correlation_of(gold + size * rng.normal(size=200), gold),
            "mean": mean_of(rng.uniform(size=50) + 0.3 - size / 10),
        }
        for name, size in noise.items()
    }
    found = rank_systems(systems)
    (row,) = (row for row in found.rows if row.system == "b")
    by_task = compare(systems["b"], systems["a"]).rows
    variances = [(r.difference.standard_error / 2) ** 2 for r in by_task]
    freedoms = [r.difference.degrees_of_freedom for r in by_task]
    freedom = sum(variances) ** 2 / sum(v**2 / f for v, f in zip(variances, freedoms, strict=True))
    value = np.mean([r.difference.value for r in by_task])
    assert row.difference.value == pytest.approx(value)
    assert row.p == pytest.approx(2 * stats.t.sf(value / math.sqrt(sum(variances)), freedom))


def test_a_ranking_of_tasks_too_small_for_an_interval():
    systems = {name: {"t": mean_of([value])} for name, value in (("a", 0.3), ("b", 0.1))}
    row = rank_systems(systems).rows[1]
    assert (row.system, row.p, row.significant, row.difference.low) == ("b", 1.0, False, -math.inf)


def test_rank_systems_refuses(rng):
    one = {"t": mean_of(rng.uniform(size=20))}
    with pytest.raises(ValueError, match="2 systems or more, got 1"):
        rank_systems({"a": one})
    with pytest.raises(ValueError, match="a has no tasks"):
        rank_systems({"a": {}, "b": {}})
    with pytest.raises(ValueError, match="u is in one of a and b only"):
        rank_systems({"a": one, "b": {**one, "u": one["t"]}})
    with pytest.raises(ValueError, match=r"the main metric of a is ndcg@10, of b map"):
        rank_systems({"a": one, "b": {"t": mean_of(rng.uniform(size=20), metric="map")}})
    with pytest.raises(ValueError, match="the data differ"):
        rank_systems({"a": one, "b": {"t": mean_of(rng.uniform(size=20), source="other")}})
