"""Hyperparameter importance for convolutional networks.

Data flow, one way: `space`, `datasets`, `cnn` -> `trainer` -> `study` -> `trials` (a Parquet table)
-> `relief`, `agreement`, `fanova_package`, `published` -> the notebooks of the book.
"""

__version__ = "0.1.0"
