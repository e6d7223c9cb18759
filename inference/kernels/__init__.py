"""Triton kernels for CUDA: what PyTorch does in several passes, in one. Triton is optional."""
