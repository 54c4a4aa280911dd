"""Hyperparameter importance for convolutional networks.

`space`, `datasets`, `cpu`, `cnn` and `trainer` train one CNN, `study` many; `trials` is the table
of them. `relief` is N-RReliefF; `ranking` puts all methods behind one function, for anyone's
trials.
"""

__version__ = "0.1.0"
