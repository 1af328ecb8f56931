"""Small tasks: kinds, sizes, and that each says what it asks."""

import pytest

from workbench.corpora import load
from workbench.corpora.task_sets import LOCAL_TASKS, builtin_tasks, largest_groups, local_tasks

SIZES = {"n_items": 40, "n_documents": 50, "n_queries": 20}


@pytest.fixture(scope="module")
def docs():
    return load("pydocs", scope="stdlib-core")


def test_six_built_in_tasks_of_the_sizes_asked_for(docs):
    tasks = builtin_tasks(docs, **SIZES)
    kinds = [kind for kind, _ in tasks.values()]
    assert sorted(kinds) == ["bitext", "bitext", "classification", "clustering", "retrieval", "retrieval"]
    assert [len(data) for _, data in tasks.values()] == [20, 40, 40, 40, 40, 40]
    assert len(tasks["function of a sentence"][1].documents) == 50
    names = tasks["sentence of a name"][1]
    for query, judged in names.qrels.items():
        (answer,) = judged
        assert names.queries[query].split() == answer.replace("_", " ").replace(".", " ").split()
    german = tasks["German names"][1]
    assert all(a != b for a, b in zip(german.left, german.right, strict=True))


def test_the_same_seed_draws_the_same_texts_and_another_seed_others(docs):
    one, same, other = (builtin_tasks(docs, **SIZES, seed=seed)["module"][1].texts for seed in (0, 0, 1))
    assert one == same
    assert one != other


def test_the_largest_groups_are_the_labels(docs):
    packages = list(docs.columns["package"])
    largest = sorted(set(packages), key=packages.count)[-3:]
    groups = largest_groups(docs, "package", n=3)
    assert set(groups.labels) == set(largest)
    assert len(groups) == sum(packages.count(name) for name in largest)


@pytest.mark.local
def test_every_local_task_is_there_and_labels_carry_no_split():
    tasks = local_tasks(n_items=40, n_documents=450, n_queries=20)
    assert list(tasks) == [name for names in LOCAL_TASKS.values() for name in names]
    assert [kind for kind, _ in tasks.values()] == [kind for kind, names in LOCAL_TASKS.items() for _ in names]
    assert all(len(data) == 40 for kind, data in tasks.values() if kind != "retrieval")
    assert len(tasks["scifact"][1].documents) == 450
    assert len(tasks["cacm"][1].documents) == 3204
    assert all("split" not in data.columns for kind, data in tasks.values() if kind == "classification")
