"""Hyperparameter importance for convolutional networks.

Data flows one way: `space`, `datasets`, `kernels`, `cnn` -> `trainer` -> `study`, `experiments` ->
`trials`, `records` (Parquet tables) -> `relief`, `fanova`, `screening`, `agreement` and the other
analyses, with `methods` as the one interface over those that rank -> the notebooks of the book.
"""

__version__ = "0.1.0"
