"""Qwen 3 with a mixture of experts."""

from __future__ import annotations

from torch import nn

from inference.errors import ModelConfigError
from inference.layers.mixture import GroupedExperts, ListedExperts, Mixture, Router
from inference.models.qwen3 import Qwen3


class Qwen3Moe(Qwen3):
    """Qwen 3 (arXiv 2505.09388), its feed-forward layers mixtures of experts."""

    def sliding_window(self, index: int) -> int | None:  # noqa: ARG002
        """The same in all layers, where it is switched on."""
        fields = self.config.fields
        if not fields.flag("use_sliding_window"):
            return None
        return fields.optional_size("sliding_window")

    def mlp(self, index: int) -> nn.Module:
        """A mixture, or in some layers a plain feed-forward layer."""
        fields = self.config.fields
        plain_layers = fields.items("mlp_only_layers", 0) or []
        if index in plain_layers or (index + 1) % fields.size("decoder_sparse_step", 1):
            return super().mlp(index)
        return self._mixture(f"{self.layer_prefix(index)}mlp.")

    def _mixture(self, prefix: str) -> Mixture:
        config, fields, weights = self.config, self.config.fields, self.weights
        experts = fields.optional_size("num_experts") or fields.size("num_local_experts")
        chosen = fields.size("num_experts_per_tok")
        if chosen > experts:
            raise ModelConfigError(f"config.json chooses {chosen} of only {experts} experts.")
        router = Router(
            weights.tensor(f"{prefix}gate.weight", (experts, config.hidden_size)),
            chosen,
            normalize=fields.flag("norm_topk_prob"),
        )
        size = fields.size("moe_intermediate_size")
        prefixes = [f"{prefix}experts.{expert}." for expert in range(experts)]
        if weights.quantized or weights.device.type != "cuda":
            return Mixture(router, ListedExperts([self.gated_mlp(name, size) for name in prefixes]))
        gate_up = weights.stacked(
            [f"{name}{part}" for name in prefixes for part in ("gate_proj", "up_proj")],
            size,
            config.hidden_size,
        )
        down = weights.stacked([f"{name}down_proj" for name in prefixes], config.hidden_size, size)
        grouped = GroupedExperts(
            gate_up.view(experts, 2 * size, config.hidden_size),
            down,
            config.activation,
        )
        return Mixture(router, grouped)
