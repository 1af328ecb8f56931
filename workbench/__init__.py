"""A research workbench for embedding spaces: explore, rerun, teach.

The package root is deliberately empty: importing it loads neither torch nor numpy, so that
`workbench papers` answers at once. Import the layer you need, for example
`from workbench.encoders import load_encoder`.
"""

__version__ = "0.1.0"
__all__ = ["__version__"]
