"""Mixtures of experts (arXiv 1701.06538): each token is mapped by the few experts it is sent to."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from inference.layers.mlp import ACTIVATIONS, GatedMLP


class Router(nn.Module):
    """Chooses the experts of each token, and how much each counts.

    Args:
        weight: (experts, hidden).
        chosen: experts for each token.
        normalize: the chosen experts' shares sum to 1.
    """

    weight: Tensor

    def __init__(self, weight: Tensor, chosen: int, *, normalize: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight, requires_grad=False)
        self._chosen = chosen
        self._normalize = normalize

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Shares (tokens, chosen) in the dtype of `x`, and experts (tokens, chosen) int64."""
        scores = functional.linear(x, self.weight).softmax(-1, dtype=torch.float32)
        shares, experts = scores.topk(self._chosen, dim=-1)
        if self._normalize:
            shares = shares / shares.sum(-1, keepdim=True)
        return shares.to(x.dtype), experts


class ListedExperts(nn.Module):
    """Experts one by one: for CPUs, and for weights that only their own layer can read.

    Which experts run depends on the tokens, so no CUDA graph can hold it.
    """

    graph_safe = False

    def __init__(self, experts: Sequence[GatedMLP]) -> None:
        super().__init__()
        self.experts = nn.ModuleList(experts)

    def forward(self, x: Tensor, shares: Tensor, experts: Tensor) -> Tensor:
        """Sum what the chosen experts make of (tokens, hidden), in the order of the experts."""
        chosen = experts.shape[1]
        order = experts.flatten().argsort(stable=True)
        rows = order // chosen
        ordered_shares = shares.flatten()[order, None]
        output = torch.zeros_like(x)
        begin = 0
        for expert, count in enumerate(self._counts(experts)):
            if not count:
                continue
            end = begin + count
            mapped = self.experts[expert](x[rows[begin:end]]).mul_(ordered_shares[begin:end])
            output.index_add_(0, rows[begin:end], mapped)
            begin = end
        return output

    def _counts(self, experts: Tensor) -> list[int]:
        counts: list[int] = experts.flatten().bincount(minlength=len(self.experts)).tolist()
        return counts


class GroupedExperts(nn.Module):
    """All experts in one grouped product: for CUDA. Nothing waits for the host.

    Args:
        gate_up: (experts, 2 * intermediate, hidden).
        down: (experts, hidden, intermediate).
        activation: a key of `ACTIVATIONS`.
    """

    graph_safe = True
    gate_up: Tensor
    down: Tensor

    def __init__(self, gate_up: Tensor, down: Tensor, activation: str) -> None:
        super().__init__()
        self.gate_up = nn.Parameter(gate_up, requires_grad=False)
        self.down = nn.Parameter(down, requires_grad=False)
        self._activation = ACTIVATIONS[activation]
        ids = torch.arange(gate_up.shape[0], device=gate_up.device)
        self.register_buffer("_expert_ids", ids, persistent=False)
        self._expert_ids: Tensor

    def forward(self, x: Tensor, shares: Tensor, experts: Tensor) -> Tensor:
        """Sum what the chosen experts make of (tokens, hidden)."""
        tokens, chosen = experts.shape
        ordered, order = experts.flatten().sort(stable=True)
        ends = torch.searchsorted(ordered, self._expert_ids, right=True).int()
        gate, up = _grouped(x[order // chosen], self.gate_up, ends).chunk(2, dim=-1)
        mapped = _grouped(self._activation(gate) * up, self.down, ends)
        # Put back in place, not added up there: atomic additions come in any order.
        placed = torch.empty_like(mapped).index_copy_(0, order, mapped)
        return (placed.view(tokens, chosen, -1) * shares[..., None]).sum(1)


def _grouped(x: Tensor, weights: Tensor, ends: Tensor) -> Tensor:
    """Rows up to `ends[i]`, from the last end on, times `weights[i]` transposed."""
    return functional.grouped_mm(x, weights.transpose(1, 2), offs=ends)


class Mixture(nn.Module):
    """A router and its experts."""

    def __init__(self, router: Router, experts: ListedExperts | GroupedExperts) -> None:
        super().__init__()
        self.router = router
        self.experts = experts

    def forward(self, x: Tensor) -> Tensor:
        """Map (tokens, hidden) to (tokens, hidden)."""
        shares, experts = self.router(x)
        mixed: Tensor = self.experts(x, shares, experts)
        return mixed
