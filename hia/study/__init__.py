"""Many CNNs: plans, and what trains and records them."""
