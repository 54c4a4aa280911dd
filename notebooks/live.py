# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Live: a few CNNs, trained just now
#
# **Most random configurations learn next to nothing: of {glue:text}`n_models` CNNs trained while
# this page was built, {glue:text}`learned` got a fifth of the images right, the best one
# {glue:text}`best:.0f`%.** Guessing gives 10%.
#
# {numref}`fig-live` shows them learn. Together they took {glue:text}`seconds:.1f` s on one core,
# {glue:text}`per_image:.3f` ms per training image. The images are the 1,797 handwritten digits of
# scikit-learn: 8 × 8 pixels, ten classes, no download. Results on the other pages come from
# recorded trainings by the same function, `hia.trainer.train`. This is the quickest way to see it
# at work:
#
# ```
# make notebook NB=live P="n_models=30 seed=7"
# ```
#
# The same configuration with the same seed gives the same accuracy, to the last bit, on the same
# kind of processor.
#
# :::{caption} fig-live
# :alt: Learning curves of a few CNNs on handwritten digits, by optimizer.
#
# Validation accuracy after every epoch of the CNNs in {numref}`table-live`. Thicker lines are
# deeper networks. If the learning rate is too small for the optimizer, a few epochs often get no
# further than guessing, which is why every random search over this space has so many poor networks.
# :::
#
# :::{caption} table-live
# CNNs trained while this page was built, best first.
# :::

# %% tags=["parameters"]
n_models = 20  # random configurations to train; at least 2
seed = 0  # of the configurations and of the trainings; at least 0
device = "cpu"  # the digits are too few to keep a GPU busy; choices: cpu, cuda, auto

# %%
import numpy as np
import pandas as pd
import seaborn as sns

from hia import datasets, space, trainer
from hia_book.claims import claim, glue
from hia_book.figures import look, panels, show_figure, show_table

digits = datasets.load("digits", device=trainer.resolve_device(device))
rng = np.random.default_rng(seed)
configs = [space.sample(rng) for _ in range(n_models)]
results = [trainer.train(config, digits, seed + number) for number, config in enumerate(configs)]
accuracies = np.array([result.accuracy for result in results])
seconds = sum(result.seconds for result in results)
images = sum(len(digits.train_labels) * config["epoch"] for config in configs)
glue(n_models=n_models, learned=(accuracies >= 0.2).sum(), best=100 * accuracies.max())
glue(seconds=seconds, per_image=1e3 * seconds / images)
claim("most CNNs get fewer than a fifth of the images right", np.median(accuracies) < 0.2)
claim("the best CNN gets more than half of the images right", accuracies.max() > 0.5)

# %%
curves = [
    {"CNN": number, "optimizer": config["optimizer"], "layers": config["num_conv_layers"]}
    | {"epoch": epoch, "accuracy": accuracy}
    for number, (config, result) in enumerate(zip(configs, results, strict=True), start=1)
    for epoch, accuracy in enumerate(result.accuracy_per_epoch, start=1)
]
curves = pd.DataFrame(curves)
figure, axes = panels(3.8)
colours = {name: look(name)["color"] for name in ("Adam", "SGD")}
kinds = {"hue": "optimizer", "style": "optimizer", "size": "layers", "units": "CNN"}
kinds |= {"hue_order": list(colours), "style_order": list(colours)}
style = {"palette": colours, "sizes": (1.2, 2.4), "marker": "o", "markersize": 3}
sns.lineplot(curves, x="epoch", y="accuracy", estimator=None, ax=axes, **kinds, **style)
sns.move_legend(axes, "center left", bbox_to_anchor=(1, 0.5))
axes.axhline(0.1, color="0.5", linewidth=0.8)
axes.annotate("guessing", (10, 0.1), ha="right", va="bottom", color="0.35")
axes.set(ylabel="validation accuracy", ylim=(0, 1), xlim=(0.8, 10.2), xticks=range(1, 11))
show_figure(figure, "fig-live", data=curves)

# %%
table = pd.DataFrame(configs).assign(accuracy=accuracies)
for name in ("parameters", "seconds"):
    table[name] = [getattr(result, name) for result in results]
names = {"num_conv_layers": "layers", "dropout_rate": "dropout", "epoch": "epochs"}
table = table.sort_values("accuracy", ascending=False).rename(columns=names)
columns = ["accuracy", "layers", "lr", "dropout", "optimizer", "epochs", "parameters", "seconds"]
formats = {"accuracy": ".3f", "lr": ".1e", "dropout": ".2f", "parameters": ",", "seconds": ".2f"}
show_table(table[columns], "table-live", formats)
