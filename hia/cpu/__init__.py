"""What the trainer computes on a processor: compiled, or else PyTorch's."""
