"""Clustering against mteb, scikit-learn and closed forms."""

import itertools
import random

import numpy as np
import pytest
from scipy.stats import t as student
from sklearn import metrics
from sklearn.cluster import MiniBatchKMeans

from workbench.corpora import Labels
from workbench.evaluation import agreement
from workbench.evaluation.clustering import evaluate_clustering
from workbench.intervals import blocks_of


class Table:
    """An encoder that looks its vectors up."""

    def __init__(self, vectors):
        self.vectors = vectors

    def encode(self, texts):
        return np.stack([self.vectors[text] for text in texts])


class Rows:
    """Rows of 5 labels with a signal of size `shift`, in two sets."""

    def __init__(self, *, n=400, shift=1.0, labels=5, seed=0):
        rng = np.random.default_rng(seed)
        self.y = rng.integers(0, labels, n)
        self.x = rng.normal(size=(n, 8)).astype(np.float32)
        self.x[np.arange(n), self.y] += shift
        self.names = [f"text {i}" for i in range(n)]
        self.encoder = Table(dict(zip(self.names, self.x, strict=True)))
        # the finer label of a third of the rows is not known
        self.fine = [int(y) * 2 + i % 2 if i % 3 else None for i, y in enumerate(self.y)]
        self.sets = ["one"] * (n // 4) + ["other"] * (n - n // 4)
        self.data = Labels(self.names, self.y.tolist(), {"fine": self.fine, "set": self.sets})


def test_version_2_is_mtebs_clustering_of_sampled_rows_and_levels():
    from tests.unit import local_mteb

    rows = Rows()
    task = local_mteb.Clustering()
    task.max_document_to_embed, task.max_documents_per_cluster = 300, 500
    labels = [[int(y), *([] if fine is None else [fine])] for y, fine in zip(rows.y, rows.fine, strict=True)]
    theirs = local_mteb.scores(task, {"test": {"sentences": rows.names, "labels": labels}}, rows.encoder.vectors)
    ours = evaluate_clustering(rows.encoder, rows.data, levels=["fine"], most=300, draw=500)
    assert ours["v_measure"].value == pytest.approx(theirs["v_measure"], abs=1e-9)
    assert len(ours.ids) == 300
    assert ours.main == "v_measure"


def test_version_1_is_mtebs_clustering_of_each_set():
    from tests.unit import local_mteb

    rows = Rows()
    parts = [[i for i, name in enumerate(rows.sets) if name == one] for one in ("one", "other")]
    columns = {
        "sentences": [[rows.names[i] for i in part] for part in parts],
        "labels": [[int(rows.y[i]) for i in part] for part in parts],
    }
    theirs = local_mteb.scores(local_mteb.ClusteringLegacy(), {"test": columns}, rows.encoder.vectors)
    ours = evaluate_clustering(rows.encoder, rows.data, version=1, groups="set")
    assert ours["v_measure"].value == pytest.approx(theirs["v_measure"], abs=1e-9)
    for name, part, v in zip(("one", "other"), parts, theirs["v_measures"], strict=True):
        found = ours.take(part)
        assert found["v_measure"].value == pytest.approx(v, abs=1e-9), name
        assert ours.by("set")[name]["v_measure"].value == found["v_measure"].value


def kmeans(rows, seed=42):
    return MiniBatchKMeans(5, batch_size=500, n_init="auto", random_state=seed).fit(rows.x).labels_


def best_match(y, clusters):
    table = metrics.cluster.contingency_matrix(y, clusters)
    return max(
        sum(table[label, cluster] for cluster, label in enumerate(order))
        for order in itertools.permutations(range(len(table)))
    ) / len(y)


def test_version_1_scores_one_clustering_by_scikit_learns_measures():
    rows = Rows(shift=2.0)
    clusters = kmeans(rows)
    found = evaluate_clustering(rows.encoder, rows.data, version=1)
    table = metrics.cluster.contingency_matrix(rows.y, clusters)
    assert found["v_measure"].value == pytest.approx(metrics.v_measure_score(rows.y, clusters))
    assert found["v_measure"].value == pytest.approx(metrics.normalized_mutual_info_score(rows.y, clusters))
    assert found["ami"].value == pytest.approx(metrics.adjusted_mutual_info_score(rows.y, clusters))
    assert found["ari"].value == pytest.approx(metrics.adjusted_rand_score(rows.y, clusters))
    assert found["purity"].value == pytest.approx(table.max(axis=0).sum() / len(rows.y))
    assert found["accuracy"].value == pytest.approx(best_match(rows.y, clusters))
    assert found["accuracy"].value == pytest.approx(found.per_item.mean())


def test_the_interval_is_the_jackknife_of_fixed_clusters_and_the_spread_over_seeds():
    rows = Rows()
    clusters, block = kmeans(rows), blocks_of(rows.names)
    found = evaluate_clustering(rows.encoder, rows.data, version=1)
    left_out = np.array([metrics.v_measure_score(rows.y[block != b], clusters[block != b]) for b in range(20)])
    assert found.replicates["v_measure"] == pytest.approx(left_out)
    items = 19 / 20 * np.sum((left_out - found["v_measure"].value) ** 2)
    seeds = np.var([metrics.v_measure_score(rows.y, kmeans(rows, 42 + i)) for i in range(5)], ddof=1)
    freedom = (items + seeds) ** 2 / (items**2 / 19 + seeds**2 / 4)
    half = student.ppf(0.975, freedom) * np.sqrt(items + seeds)
    assert found["v_measure"].high - found["v_measure"].value == pytest.approx(half)
    assert found["v_measure"].value - found["v_measure"].low == pytest.approx(half)


def test_version_2_adds_the_variance_of_a_mean_of_10_draws():
    rows, rng = Rows(), random.Random(7)
    values = []
    for _ in range(10):
        drawn = rng.choices(range(400), k=200)
        model = MiniBatchKMeans(5, batch_size=512, n_init=1, random_state=7).fit(rows.x[drawn])
        values.append(metrics.v_measure_score(rows.y[drawn], model.labels_))
    found = evaluate_clustering(rows.encoder, rows.data, draw=200, seed=7)
    assert found["v_measure"].value == pytest.approx(np.mean(values))
    items = 19 / 20 * np.sum((found.replicates["v_measure"] - np.mean(values)) ** 2)
    assert found["v_measure"].standard_error ** 2 == pytest.approx(items + np.var(values, ddof=1) / 10)
    assert "10 clusterings" in found["v_measure"].method
    assert evaluate_clustering(rows.encoder, rows.data, draw=200, seed=8)["v_measure"].value != np.mean(values)


@pytest.mark.parametrize("version", [1, 2])
def test_groups_far_apart_are_found_and_random_labels_are_not(version):
    apart = evaluate_clustering(Rows(shift=60.0, labels=2).encoder, Rows(shift=60.0, labels=2).data, version=version)
    assert all(estimate.value == pytest.approx(1) for estimate in apart.values())
    for seed in range(3):
        rows = Rows(shift=0, seed=seed)
        found = evaluate_clustering(rows.encoder, rows.data, version=version)
        for name in ("ami", "ari"):
            assert abs(found[name].value) < 0.02
            assert found[name].low <= 0 <= found[name].high
        assert found["v_measure"].value < 0.05


def test_copies_that_are_drawn_do_not_pass_for_agreement():
    """16,384 draws of 100 rows: 160 copies of a row share its label and its cluster, whatever the label is worth."""
    rows = Rows(n=100, shift=0)
    drawn = random.Random(42).choices(range(100), k=16_384)
    clusters = MiniBatchKMeans(5, batch_size=512, n_init=1, random_state=42).fit(rows.x[drawn]).labels_
    assert metrics.adjusted_mutual_info_score(rows.y[drawn], clusters) > 0.04
    found = evaluate_clustering(rows.encoder, rows.data)["ami"]
    assert found.value < 0.03
    assert found.low <= 0 <= found.high


def table_of(y, clusters):
    table = np.zeros((max(y) + 1, max(clusters) + 1))
    np.add.at(table, (y, clusters), 1)
    return table


@pytest.mark.parametrize("seed", range(6))
def test_measures_are_scikit_learns_on_random_tables(seed):
    rng = np.random.default_rng(seed)
    labels, clusters = rng.integers(2, 7, 2)
    y, found = rng.integers(0, labels, 40), rng.integers(0, clusters, 40)
    found[: 6 * seed] = y[: 6 * seed] % clusters
    table = table_of(y, found)
    assert agreement.v_measure(table) == pytest.approx(metrics.v_measure_score(y, found))
    assert agreement.ami(table) == pytest.approx(metrics.adjusted_mutual_info_score(y, found))
    assert agreement.ari(table) == pytest.approx(metrics.adjusted_rand_score(y, found))


@pytest.mark.parametrize(
    ("y", "found"),
    [
        ([0, 0, 1, 1], [1, 1, 0, 0]),  # the same partition under other names
        ([0, 0, 1, 1], [0, 0, 0, 0]),  # one cluster
        ([0, 1, 2, 3], [0, 0, 1, 1]),  # a label each
        ([0, 0, 1, 1], [0, 1, 2, 3]),  # a cluster each
        ([0, 0, 0], [0, 0, 0]),
        ([0, 1, 2], [2, 0, 1]),
        ([0, 0, 2, 2], [3, 3, 1, 1]),  # empty rows and columns
    ],
)
def test_measures_are_scikit_learns_at_the_edges(y, found):
    table = table_of(y, found)
    assert agreement.v_measure(table) == pytest.approx(metrics.v_measure_score(y, found))
    assert agreement.ami(table) == pytest.approx(metrics.adjusted_mutual_info_score(y, found), abs=1e-12)
    assert agreement.ari(table) == pytest.approx(metrics.adjusted_rand_score(y, found))


def test_items_that_hold_one_label_have_no_v_measure():
    rows = Rows()
    parts = evaluate_clustering(rows.encoder, rows.data, version=1).by("label")
    assert sorted(parts) == ["0", "1", "2", "3", "4"]
    assert all(set(part) == {"accuracy"} for part in parts.values())


@pytest.mark.parametrize(
    ("y", "words", "more"),
    [
        (["a"] * 20, "the labels: 1 labels of 20 rows", {}),
        ([str(i) for i in range(20)], "the labels: 20 labels of 20 rows", {"version": 1}),
        ([], "no rows", {}),
        (["a"] * 10 + ["a", "b"] * 5, "set one: 1 labels of 10 rows", {"version": 1, "groups": "set"}),
        (["a", "b"] * 10, "level set: 1 labels of 10 rows", {"levels": ["set"]}),
        (["a", "b"] * 10, "has no column 'topic'", {"levels": ["topic"]}),
        (["a", "b"] * 10, "has no column 'topic'", {"version": 1, "groups": "topic"}),
        (["a", "b"] * 10, "most and draw must be at least 2, got 1 and 16384", {"most": 1}),
        (["a", "b"] * 10, "most and draw must be at least 2, got None and 0", {"draw": 0}),
        (["a", "b"] * 10, "most and draw belong to version 2", {"version": 1, "draw": 100}),
        (["a", "b"] * 10, "groups to version 1", {"groups": "set"}),
        (["a", "b"] * 10, "fewer than the 5 clusters", {"levels": ["five"], "draw": 3}),
    ],
)
def test_what_cannot_be_clustered_is_refused(y, words, more):
    n = len(y)
    names = [f"text {i}" for i in range(n)]
    sets = (["one"] * 10 + [None if "levels" in more else "other"] * 10)[:n]
    encoder = Table({name: np.ones(3) * i for i, name in enumerate(names)})
    with pytest.raises(ValueError, match=words):
        evaluate_clustering(encoder, Labels(names, y, {"set": sets, "five": [i % 5 for i in range(n)]}), **more)


@pytest.mark.parametrize("version", [1, 2])
def test_vectors_that_are_not_numbers_are_refused_by_row(version):
    rows = Rows(n=30)
    rows.encoder.vectors["text 7"] = np.full(8, np.nan, dtype=np.float32)
    with pytest.raises(ValueError, match="vectors: row 7 is not finite"):
        evaluate_clustering(rows.encoder, rows.data, version=version)
