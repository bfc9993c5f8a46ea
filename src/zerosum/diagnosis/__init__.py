"""The doctor: from the records of a run to findings. It sees numbers, never tensors, and no recipe's name."""
