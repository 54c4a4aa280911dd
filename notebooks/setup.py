# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Experimental set-up
#
# **{glue:text}`n_cnns:,d` small CNNs were trained once each, with hyperparameters drawn from the
# paper's space, on ten data sets. Most of this book is computed from their accuracies;
# {doc}`design`, {doc}`noise`, {doc}`screening` and {doc}`live` add trainings of their own.**
#
# Training is slow, so its results come with the code, as do other long computations; all
# else runs while the book is built ({numref}`fig-1`).
#
# :::{caption} fig-1
# :alt: Data sets, then random search and BOHB, then trained CNNs, then the table of trials, then
#   N-RReliefF with three results and the ICC, and functional ANOVA beside it
#
# From data sets to importance (the paper's Fig. 1, redrawn). Blue: training; orange: results;
# green: checks.
# :::

# %% tags=["parameters"]
trials = "data/trials.parquet"  # the trained CNNs, one row each
dataset = "cifar10"  # the network is drawn for its images; choices: hia.datasets.NAMES
num_conv_layers = 2  # of the network drawn, as what follows, Table 1's defaults; 1 to 3
kernel = 2  # pixels a side; 2 to 3
stride = 1  # of the convolutions; 1 to 2
padding = 0  # pixels around the image; 0 to 1
dropout_rate = 0.5  # of the units before the last layer; 0 to 0.9
num_fc_units = 32  # of the layer before the last; 8 to 256
num_filters = [16, 16, 16]  # of the three convolutional layers; 4 to 64
n_configurations = 2000  # drawn to count the networks that run out of pixels; at least 1
random_state = 0  # seed of these; 0 to 4294967295

# %%
import numpy as np
import pandas as pd

from hia import cnn
from hia.datasets import FACTS, NAMES
from hia.space import FILTERS, SAMPLED, SPACE, sample, validate
from hia.trials import load
from hia_book import diagrams, published
from hia_book.claims import claim, glue, need
from hia_book.figures import show_figure, show_table

rows, share = load(trials), published.value("random_share")
show_figure(diagrams.workflow(len(NAMES), len(rows), share), "fig-1")

# %% [markdown]
# ## What is varied
#
# Every CNN is one point of the space in {numref}`table-1`. All hyperparameters vary together, so
# the defaults are not used. `in_channel_num` is not drawn: the data set sets it. `lr` is drawn on a
# log scale; the paper does not say how it draws it ({doc}`design`). A layer's number of filters
# exists only if the layer does, so {doc}`filters` compares CNNs of the same depth.
#
# :::{caption} table-1
# The configuration space, ours and as printed {cite}`wang2024efficient`: eleven hyperparameters and
# the numbers of filters. Ranges include both ends.
# :::


# %%
def outside(name, value):
    """Whether the paper's default is not in its own range."""
    values = pd.Series([value if SPACE[name].kind == "categorical" else float(value)])
    return not SPACE[name].allows(values).item()


def as_printed(name):
    """Whether our space has the ends, or the choices, that the paper prints."""
    printed = [value.strip() for value in paper["space"][name].strip("[]").split(",")]
    row = SPACE[name]
    if row.kind == "categorical":
        return printed == [str(choice) for choice in row.choices]
    return [float(value) for value in printed] == list(row.choices or (row.low, row.high))


paper = published.table(1).set_index("hyperparameter")
strange = [name for name in SPACE if outside(name, paper["default"][name])]
table = paper.loc[list(SPACE), ["label", "space", "default"]]
table.insert(1, "drawn", [f"{row.kind}: {published.allowed(name)}" for name, row in SPACE.items()])
table.loc[strange, "default"] = "**" + table["default"] + "**"
table.columns = ["Printed as", "Drawn from", "Printed space", "Printed default"]
show_table(table, "table-1")
claim("all our spaces of hyperparameters are as printed", all(map(as_printed, SPACE)))
claim("the default of `in_channel_num` is outside its own space", strange == ["in_channel_num"])
own = rows[rows["source"] == "bohb"]
full = SPACE["epoch"].high
stopped = own.loc[own["epoch"] < full, "epoch"]
claim("BOHB stops CNNs after 1, 3 or 9 epochs", set(stopped) <= {1, 3, 9})
glue(n_cnns=len(rows), n_spaces=len(SPACE), full=full, stopped=len(stopped) / max(len(own), 1))

# %% [markdown] tags=["agreement-table-1"]
# **Agreement with the paper.** All {glue:text}`n_spaces` spaces are as printed. One printed
# default, that of `in_channel_num`, lies outside its own space.

# %% [markdown]
# ## The network
#
# One to three blocks of convolution, ReLU and max-pooling come first ({numref}`fig-network`). Two
# fully connected layers follow, each after dropout, the first with ReLU, the last with one output
# per class and softmax (the paper's Section 4.3). All blocks share kernel, stride and padding; both
# dropouts share the rate.
#
# :::{caption} fig-network
# :alt: Feature maps: {glue:text}`sizes`; then vectors of {glue:text}`inputs`,
#   {glue:text}`num_fc_units` and {glue:text}`n_classes`
#
# The network for {glue:text}`dataset_label` with `num_conv_layers` {glue:text}`num_conv_layers`,
# kernel {glue:text}`kernel`, stride {glue:text}`stride`, padding {glue:text}`padding` and dropout
# {glue:text}`dropout_rate:g`: {glue:text}`parameters:,` parameters, {glue:text}`mflops:.2f` million
# floating-point operations for one image. Below each stack of maps: their side in pixels, and their
# number.
# :::

# %%
facts = FACTS[dataset]
config = {name: SPACE[name].default for name in SAMPLED}
config |= {"num_conv_layers": num_conv_layers, "kernel": kernel, "stride": stride}
config |= {"padding": padding, "dropout_rate": dropout_rate, "num_fc_units": num_fc_units}
need(len(num_filters) == len(FILTERS), f"num_filters={num_filters}: three numbers are meant")
config = validate(config | dict(zip(FILTERS, num_filters, strict=True)))
blocks = cnn.blocks(config, facts.channels, facts.size)
# Sides and numbers of all maps, and what makes the next from each.
maps = [(facts.size, facts.channels)]
steps = []
for block in blocks:
    maps += [(block.size_conv, block.channels_out), (block.size_out, block.channels_out)]
    pooled = f"pool\n{cnn.POOL}×{cnn.POOL}" if block.pooled else "not\npooled"
    steps += [f"conv\n{kernel}×{kernel}\nReLU", pooled]
inputs = blocks[-1].channels_out * blocks[-1].size_out ** 2
vectors = [inputs, num_fc_units, facts.classes]
steps += ["flatten", "dropout\nlinear\nReLU", "dropout\nlinear\nsoftmax"]

show_figure(diagrams.network(maps, vectors, steps), "fig-network")
network = cnn.CNN(config, facts.channels, facts.size, facts.classes)
parameters = sum(tensor.numel() for tensor in network.parameters())
sizes = ", ".join(f"{count} of {side}×{side}" for side, count in maps)
glue(dataset_label=facts.label, kernel=kernel, stride=stride, padding=padding)
glue(dropout_rate=dropout_rate, num_conv_layers=num_conv_layers, parameters=parameters)
glue(mflops=cnn.flops(config, facts.channels, facts.size, facts.classes) / 1000000.0, sizes=sizes)
glue(inputs=inputs, num_fc_units=num_fc_units, n_classes=facts.classes)

# %% [markdown]
# ## What the paper leaves open
#
# | Open | Chosen here |
# |:--|:--|
# | pooling window | 2×2, stride 2 |
# | a map smaller than the kernel | padded with zeros to the kernel's size |
# | a map of one pixel before pooling | not pooled |
# | order of ReLU and max-pooling | pooled first, with the same result and fewer operations |
# | initial weights | PyTorch's defaults, from the seed |
# | optimizers | Adam and SGD with PyTorch's defaults: no momentum, no weight decay, no schedule |
# | images | standardised per channel by the training images; no augmentation |
# | which images validate | every fifth, drawn once per data set in the class proportions |
# | number of images | {numref}`table-images`: fewer than the paper's |
# | accuracy of a CNN | on the validation images after its last epoch |
# | BOHB {cite}`falkner2018bohb` | by Optuna {cite}`akiba2019optuna`: 1 to 10 epochs, factor 3 |
# | seed of a CNN | from its data set and number, so that each can be trained again |

# %% [markdown]
# **BOHB** mixes short trainings of many CNNs with long ones of the best. Here it is Optuna's
# multivariate TPE under Hyperband. {glue:text}`stopped:.0%` of its CNNs were stopped after 1, 3 or
# 9 of {glue:text}`full` epochs. So in BOHB `epoch` is partly a result: good CNNs have more.
#
# **Small maps.** Padding small maps and not pooling those of one pixel makes every combination a
# valid network. These rules matter for images of up to 64 pixels a side, in at most
# {glue:text}`most_shrunk:.0%` of configurations ({numref}`table-shrink`). {doc}`audit` counts the
# networks that could not be built without them.
#
# :::{caption} table-shrink
# Share of {glue:text}`n_configurations:,` random configurations in which a map is filled up to the
# kernel's size, and in which this or a map of one pixel occurs; the latter also of the recorded
# CNNs.
# :::

# %%
rng = np.random.default_rng(random_state)
configurations = [sample(rng) for _ in range(n_configurations)]
counted = []
for size in sorted({FACTS[name].size for name in NAMES}):
    sets = [name for name in NAMES if FACTS[name].size == size]
    filled = [any(b.fill for b in cnn.blocks(config, 1, size)) for config in configurations]
    either = [cnn.shrinks(config, 1, size) for config in configurations]
    own = rows.loc[rows["dataset"].isin(sets), list(SPACE)].to_dict("records")
    recorded = [cnn.shrinks(config, config["in_channel_num"], size) for config in own]
    labels = ", ".join(FACTS[name].label for name in sets)
    counted.append((size, labels, *map(np.mean, (filled, either, recorded))))
headings = "Side, pixels | Data sets | Filled up {:.1%} | Either rule {:.1%} | "
show_table(counted, "table-shrink", f"{headings}Either rule, recorded {{:.1%}}")
affected = [size for size, _, _, either, _ in counted if either]
claim("the rules for small maps do not matter above 64 pixels", max(affected) == 64)
glue(n_configurations=n_configurations, most_shrunk=max(row[3] for row in counted))
