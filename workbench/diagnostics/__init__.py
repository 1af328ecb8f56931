"""Numbers that describe the geometry of an embedding space: vectors in, estimates with intervals out.

Rows are texts, columns are dimensions, always.
"""

from workbench.diagnostics.attention import sigma_a, sigma_a_gaussian
from workbench.diagnostics.cosine import mean_cosine
from workbench.diagnostics.lengths import LengthProfile, length_profile

__all__ = ["LengthProfile", "length_profile", "mean_cosine", "sigma_a", "sigma_a_gaussian"]
