"""Numbers that describe the geometry of an embedding space: vectors in, estimates with intervals out.

Rows are texts, columns are dimensions, always.
"""

from workbench.diagnostics.attention import sigma_a, sigma_a_gaussian
from workbench.diagnostics.cka import linear_cka
from workbench.diagnostics.contrast import alignment, uniformity
from workbench.diagnostics.cosine import mean_cosine
from workbench.diagnostics.depth import chord_error, mahalanobis_depth, tte_depth
from workbench.diagnostics.depth_tests import DepthComparison, depth_rank_sum
from workbench.diagnostics.diagnosing import diagnose, expected_seconds
from workbench.diagnostics.dimension import Dimension, mle_dimension, two_nn
from workbench.diagnostics.hubness import Hubness, hubness
from workbench.diagnostics.isotropy import isoscore, isoscore_star, participation_ratio
from workbench.diagnostics.lengths import LengthProfile, length_profile
from workbench.diagnostics.moments import GroupedMoments, Moments, merge, moments
from workbench.diagnostics.outliers import OutlierDimensions, outlier_dimensions
from workbench.diagnostics.partition import partition_isotropy
from workbench.diagnostics.reading import read_vectors
from workbench.diagnostics.reliability import MapReliability, continuity, map_reliability, trustworthiness
from workbench.diagnostics.report import Report, Reports, Row
from workbench.diagnostics.spaces import Drift, drift, mutual_knn, procrustes
from workbench.diagnostics.spectrum import Spectrum, effective_rank, spectrum
from workbench.diagnostics.transforms import AllButTheTop, Whitening, all_but_the_top, whitening
from workbench.intervals import Estimate, mean_interval

__all__ = [
    "AllButTheTop",
    "DepthComparison",
    "Dimension",
    "Drift",
    "Estimate",
    "GroupedMoments",
    "Hubness",
    "LengthProfile",
    "MapReliability",
    "Moments",
    "OutlierDimensions",
    "Report",
    "Reports",
    "Row",
    "Spectrum",
    "Whitening",
    "alignment",
    "all_but_the_top",
    "chord_error",
    "continuity",
    "depth_rank_sum",
    "diagnose",
    "drift",
    "effective_rank",
    "expected_seconds",
    "hubness",
    "isoscore",
    "isoscore_star",
    "length_profile",
    "linear_cka",
    "mahalanobis_depth",
    "map_reliability",
    "mean_cosine",
    "mean_interval",
    "merge",
    "mle_dimension",
    "moments",
    "mutual_knn",
    "outlier_dimensions",
    "participation_ratio",
    "partition_isotropy",
    "procrustes",
    "read_vectors",
    "sigma_a",
    "sigma_a_gaussian",
    "spectrum",
    "trustworthiness",
    "tte_depth",
    "two_nn",
    "uniformity",
    "whitening",
]
