"""The retrieval and reranking sets on the hub that papers name.

Paths, revisions, licences and numbers of rows were read out of the task metadata and the descriptive statistics of
mteb 2.26.24 (Apache-2.0), where a licence "not specified" is its word for one that nobody stated.
"""

from workbench.corpora import pin
from workbench.corpora.pin import Pinned

__all__ = ["JUDGED"]

ZH = ("zh",)

# CQADupStack, forum by forum: repository, revision, documents, queries, relevant
_FORUMS = {
    "android": ("mteb/CQADupstackAndroidRetrieval", "9be4c0e46342e8e3aff577a89b9a1ec9bc6b4af3", 22_998, 699, 1_696),
    "english": ("mteb/cqadupstack-english", "ad9991cb51e31e31e430383c75ffb2885547b5f0", 40_221, 1_570, 3_765),
    "gaming": ("mteb/cqadupstack-gaming", "4885aa143210c98657558c04aaf3dc47cfb54340", 45_301, 1_595, 2_263),
    "gis": ("mteb/cqadupstack-gis", "5003b3064772da1887988e05400cf3806fe491f2", 37_637, 885, 1_114),
    "mathematica": ("mteb/cqadupstack-mathematica", "90fceea13679c63fe563ded68f3b6f06e50061de", 16_705, 804, 1_358),
    "physics": ("mteb/cqadupstack-physics", "79531abbd1fb92d06c6d6315a0cbbbf5bb247ea4", 38_316, 1_039, 1_933),
    "programmers": ("mteb/cqadupstack-programmers", "6184bc1440d2dbc7612be22b50686b8826d22b32", 32_176, 876, 1_675),
    "stats": ("mteb/cqadupstack-stats", "65ac3a16b8e91f9cee4c9828cc7c335575432a2a", 42_269, 652, 913),
    "tex": ("mteb/cqadupstack-tex", "46989137a86843e03a6195de44b09deda022eec7", 68_184, 2_906, 5_154),
    "unix": ("mteb/cqadupstack-unix", "6c6430d3a6d36f8d2a829195bc5dc94d7e063e53", 47_382, 1_072, 1_693),
    "webmasters": ("mteb/cqadupstack-webmasters", "160c094312a0e1facb97e55eeddb698c0abe3571", 17_405, 506, 1_395),
    "wordpress": ("mteb/cqadupstack-wordpress", "4ffe81d471b1924886b33c7567bfb200e9eec5c4", 48_605, 541, 744),
}

JUDGED: dict[str, Pinned] = {
    **{
        f"cqadupstack_{forum}": pin.judged(
            repo, revision, documents=documents, queries=queries, relevant=relevant, licence="apache-2.0"
        )
        for forum, (repo, revision, documents, queries, relevant) in _FORUMS.items()
    },
    "arguana": pin.judged(
        "mteb/arguana",
        "c22ab2a51041ffd869aaddef7af8d8215647e41a",
        licence="cc-by-sa-4.0",
        documents=8_674,
        queries=1_406,
        relevant=1_406,
        absent=5,
    ),
    "askubuntu": pin.judged(
        "mteb/AskUbuntuDupQuestions",
        "c5691e3c48741d5f83b5cc8e630653d7a8cfc048",
        licence="cc-by-sa-3.0",
        documents=7_220,
        queries=361,
        relevant=1_975,
        task="reranking",
    ),
    "climate_fever_beir": pin.judged(
        "mteb/climate-fever",
        "47f2ac6acb640fc46020b02a5b59fdda04d39380",
        licence="cc-by-sa-4.0",
        documents=5_416_593,
        queries=1_535,
        relevant=4_681,
    ),
    "cmedqa": pin.judged(
        "mteb/CmedqaRetrieval",
        "c476f85bf03d6642ec66bf54b9a551c88108bbb4",
        documents=100_001,
        split="dev",
        queries=3_999,
        relevant=7_449,
        languages=ZH,
    ),
    "covid_zh": pin.judged(
        "mteb/CovidRetrieval",
        "9c6dc4b276bb47c3ff725bbc5ffcafd56dded38b",
        documents=100_001,
        split="dev",
        queries=949,
        relevant=959,
        languages=ZH,
    ),
    "dbpedia": pin.judged(
        "mteb/dbpedia",
        "c0f706b76e590d620bd6618b3ca8efdd34e2d659",
        licence="mit",
        documents=4_635_922,
        queries=400,
        relevant=15_286,
    ),
    "duretrieval": pin.judged(
        "mteb/DuRetrieval",
        "313c81b51311893c8fd09ca432f96b841ed0ebb3",
        licence="apache-2.0",
        documents=100_001,
        split="dev",
        queries=2_000,
        relevant=9_839,
        languages=ZH,
    ),
    "ecom_zh": pin.judged(
        "mteb/EcomRetrieval",
        "fa705ce5418e91636b1eaeaf43f34c15aa3f5a8a",
        documents=100_902,
        split="dev",
        queries=1_000,
        relevant=1_000,
        languages=ZH,
    ),
    "fever": pin.judged(
        "mteb/fever",
        "bea83ef9e8fb933d90a2f1d5515737465d613e12",
        licence="cc-by-nc-sa-3.0",
        documents=5_416_568,
        queries=6_666,
        relevant=7_937,
    ),
    "fiqa": pin.judged(
        "mteb/fiqa", "27a168819829fe9bcd655c2df245fb19452e8e06", documents=57_638, queries=648, relevant=1_706
    ),
    "hotpotqa": pin.judged(
        "mteb/hotpotqa",
        "ab518f4d6fcca38d87c25209f94beba119d02014",
        licence="cc-by-sa-4.0",
        documents=5_233_329,
        queries=7_405,
        relevant=14_810,
    ),
    "limit": pin.judged(
        "orionweller/LIMIT",
        "48142cc741b04d0b4af370ade7e8b42430382670",
        licence="apache-2.0",
        documents=50_000,
        queries=1_000,
        relevant=2_000,
    ),
    "limit_small": pin.judged(
        "orionweller/LIMIT-small",
        "ff4a8f2476ae77476c1912f1f3cb5bb5f2d766d4",
        licence="apache-2.0",
        documents=46,
        queries=1_000,
        relevant=2_000,
    ),
    "medical_zh": pin.judged(
        "mteb/MedicalRetrieval",
        "023ae3b2c6b96f583c4ff9b3f9239c93f7885c20",
        documents=100_999,
        split="dev",
        queries=1_000,
        relevant=1_000,
        languages=ZH,
    ),
    "mmarco_zh": pin.judged(
        "mteb/MMarcoRetrieval",
        "4940a7b26bf53463cfe3435bb8e201963e9c31ae",
        documents=106_813,
        split="dev",
        queries=6_980,
        relevant=7_437,
        languages=ZH,
    ),
    "msmarco": pin.judged(
        "mteb/msmarco",
        "c5a29a104738b98a9e76336939199e264163d4a0",
        licence="msr-la-nc",
        documents=8_841_823,
        split="dev",
        queries=6_980,
        relevant=7_437,
    ),
    "nfcorpus": pin.judged(
        "mteb/nfcorpus", "ec0fa4fe99da2ff19ca1214b7966684033a58814", documents=3_633, queries=323, relevant=12_334
    ),
    "nq": pin.judged(
        "mteb/nq",
        "b774495ed302d8c44a3a7ea25c90dbce03968f31",
        licence="cc-by-nc-sa-3.0",
        documents=2_681_468,
        queries=3_452,
        relevant=4_201,
    ),
    "quora": pin.judged(
        "mteb/quora", "e4e08e0b7dbe3c8700f0daef558ff32256715259", documents=522_931, queries=10_000, relevant=15_675
    ),
    "scidocs": pin.judged(
        "mteb/scidocs",
        "f8c2fcf00f625baaa80f62ec5bd9e1fff3b8ae88",
        licence="cc-by-sa-4.0",
        documents=25_657,
        queries=1_000,
        relevant=4_928,
    ),
    "scidocs_rr": pin.judged(
        "mteb/SciDocsRR",
        "39b8377811871075eed9de3b8a7e21aaa6acb3d8",
        licence="cc-by-4.0",
        relevant=19_599,
        task="reranking",
    ),
    "scifact": pin.judged(
        "mteb/scifact",
        "d56462d0e63a25450459c4f213e49ffdb866f7f9",
        licence="cc-by-nc-4.0",
        documents=5_183,
        queries=300,
        relevant=339,
    ),
    "stackoverflow_duplicates": pin.judged(
        "mteb/StackOverflowDupQuestions",
        "5debda000fe8e27ebb5c123d38081f92e1847a59",
        licence="cc-by-nc-sa-4.0",
        documents=89_470,
        queries=2_992,
        relevant=3_467,
        task="reranking",
    ),
    "t2reranking": pin.judged(
        "mteb/T2Reranking",
        "a34fe6bc0dff185af1228e49a0f6fb1de1565627",
        documents=97_422,
        split="dev",
        queries=5_908,
        relevant=44_444,
        languages=ZH,
        task="reranking",
    ),
    "t2retrieval": pin.judged(
        "mteb/T2Retrieval",
        "cf778c0ea4168ec5174a34d888d6453e4cde9222",
        licence="apache-2.0",
        documents=118_605,
        split="dev",
        queries=22_812,
        relevant=118_932,
        languages=ZH,
    ),
    "touche2020": pin.judged(
        "mteb/touche2020", "a34f9a33db75fa0cbb21bb5cfc3dae8dc8bec93f", licence="cc-by-sa-4.0", relevant=932
    ),
    "touche2020_v3": pin.judged(
        "mteb/webis-touche2020-v3",
        "431886eaecc48f067a3975b70d0949ea2862463c",
        licence="cc-by-sa-4.0",
        documents=303_732,
        queries=49,
        relevant=1_712,
    ),
    "trec_covid": pin.judged(
        "mteb/trec-covid", "bb9466bac8153a0349341eb1b22e06409e78ef4e", documents=171_332, queries=50, relevant=24_675
    ),
    "video_zh": pin.judged(
        "mteb/VideoRetrieval",
        "146a9d5e4fd7a9c182b6b92cccb6a3753994305c",
        documents=100_930,
        split="dev",
        queries=1_000,
        relevant=1_000,
        languages=ZH,
    ),
}
