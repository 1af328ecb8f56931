"""Search: exact and approximate indexes, BM25, fusion, feedback and reranking. Never a metric."""

from workbench.retrieval.bm25 import BM25
from workbench.retrieval.codebooks import Codebook, coded_within, product_bytes, product_codebook
from workbench.retrieval.cut_codes import cut_codes
from workbench.retrieval.dense import DenseIndex
from workbench.retrieval.drift import common_drift, compensated, mean_drift
from workbench.retrieval.exact import search
from workbench.retrieval.feedback import expand_terms, rocchio
from workbench.retrieval.fusion import fuse
from workbench.retrieval.hits import Hits
from workbench.retrieval.inverted import IVFIndex
from workbench.retrieval.late import late_search, max_sim
from workbench.retrieval.multifield import search_fields
from workbench.retrieval.quantised import BinaryIndex, PQIndex, recall_against
from workbench.retrieval.rerank import Reranker, rerank
from workbench.retrieval.sweeps import Sweep, sweep_codes, sweep_lists
from workbench.retrieval.trie import Trie

__all__ = [
    "Trie",
    "BM25",
    "BinaryIndex",
    "Codebook",
    "DenseIndex",
    "Hits",
    "IVFIndex",
    "PQIndex",
    "Reranker",
    "Sweep",
    "coded_within",
    "common_drift",
    "compensated",
    "cut_codes",
    "expand_terms",
    "fuse",
    "late_search",
    "max_sim",
    "product_bytes",
    "product_codebook",
    "mean_drift",
    "recall_against",
    "rerank",
    "rocchio",
    "search",
    "search_fields",
    "sweep_codes",
    "sweep_lists",
]
