"""Hyperparameter importance for convolutional networks.

`space`, `datasets`, `cpu`, `cnn` and `trainer` train one CNN, `study` many; `trials` is the table
of them. `relief` is N-RReliefF; `ranking` puts all methods behind one function, for anyone's
trials.
"""

from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hia.datasets import load as load_dataset
    from hia.ranking.fanova import FAnova
    from hia.ranking.methods import rank
    from hia.relief import NRReliefF
    from hia.trainer import train
    from hia.trials import load as load_trials

__version__ = "0.1.0"
__all__ = ["FAnova", "NRReliefF", "load_dataset", "load_trials", "rank", "train"]

# Imported when they are asked for: to train needs PyTorch, to rank does not.
_PLACES = {
    "FAnova": "hia.ranking.fanova:FAnova",
    "NRReliefF": "hia.relief:NRReliefF",
    "load_dataset": "hia.datasets:load",
    "load_trials": "hia.trials:load",
    "rank": "hia.ranking.methods:rank",
    "train": "hia.trainer:train",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'hia' has no attribute {name!r}")
    return resolve_name(_PLACES[name])
