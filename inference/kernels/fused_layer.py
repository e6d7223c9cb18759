"""Decoder layers that run as few kernels as they can in steps where every token is a row."""

from __future__ import annotations

from torch import Tensor, nn

from inference.attention.interface import AttentionStep
from inference.attention.paged import PagedStep
from inference.kernels.elementwise import add_norm, gate
from inference.kernels.rotary_write import Rotated
from inference.kernels.row_linear import Norm, row_linear
from inference.layers.mlp import ACTIVATIONS, GatedMLP
from inference.layers.norm import RMSNorm
from inference.layers.rotary import Rotation
from inference.linear.dense import DenseLinear
from inference.linear.interface import Linear
from inference.models.decoder import Decoder, DecoderLayer


class FusedLayer(nn.Module):
    """A decoder layer; its weights are the plain layer's own.

    Attributes:
        plain: the layer as it is computed in all other steps.
        attention: the plain layer's.
        reads_rows: single rows go through `row_linear`, not through PyTorch's products.
    """

    def __init__(self, plain: DecoderLayer, mlp: GatedMLP) -> None:
        super().__init__()
        self.plain = plain
        self.attention = plain.attention
        self.mlp = mlp
        self.reads_rows = all(
            isinstance(linear, DenseLinear) and linear.weight.is_contiguous()
            for linear in (
                self.attention.query_key_value,
                self.attention.output,
                mlp.gate_up,
                mlp.down,
            )
        )

    def forward(self, x: Tensor, rotation: Rotation | None, attention: AttentionStep) -> Tensor:
        """Map (tokens, hidden) to (tokens, hidden)."""
        if rotation is None or not isinstance(attention, PagedStep):
            plain: Tensor = self.plain(x, rotation, attention)
            return plain
        if x.shape[0] == 1 and self.reads_rows:
            return self._one_row(x, rotation, attention)
        return self._rows(x, rotation, attention)

    def _one_row(self, x: Tensor, rotation: Rotation, step: PagedStep) -> Tensor:
        layer, attention = self.plain, self.attention
        heads = _row(attention.query_key_value, x, norm=_norm(layer.attention_norm))
        attended = self._attend(heads, rotation, step)
        x = _row(attention.output, attended, residual=x)
        gated = _row(self.mlp.gate_up, x, norm=_norm(layer.mlp_norm), gated=True)
        return _row(self.mlp.down, gated, residual=x)

    def _rows(self, x: Tensor, rotation: Rotation, step: PagedStep) -> Tensor:
        layer, attention, mlp = self.plain, self.attention, self.mlp
        heads = attention.query_key_value(layer.attention_norm(x))
        attended = attention.output(self._attend(heads, rotation, step))
        norm = layer.mlp_norm
        x, normed = add_norm(x, attended, norm.weight, norm.epsilon)
        mapped: Tensor = x + mlp.down(gate(mlp.gate_up(normed)))
        return mapped

    def _attend(self, heads: Tensor, rotation: Rotation, step: PagedStep) -> Tensor:
        attention = self.attention
        norm = attention.query_key_norm
        rotated = Rotated(
            rotation.cos,
            rotation.sin,
            None if norm is None else norm.weight,
            0.0 if norm is None else norm.epsilon,
        )
        tokens, head_dim = heads.shape[0], attention.spec.head_dim
        attended = step.attend_heads(attention.spec, heads.view(tokens, -1, head_dim), rotated)
        return attended.view(tokens, -1)


def fuse_layers(model: nn.Module) -> list[FusedLayer]:
    """Put fused layers in the place of those that can be fused; others stay as they are."""
    fused: list[FusedLayer] = []
    if not isinstance(model, Decoder):
        return fused
    for index, layer in enumerate(model.layers):
        if isinstance(layer, DecoderLayer) and (mlp := _fusible_mlp(layer)) is not None:
            fused.append(FusedLayer(layer, mlp))
            model.layers[index] = fused[-1]
    return fused


def _fusible_mlp(layer: DecoderLayer) -> GatedMLP | None:
    if layer.after_attention_norm is not None or layer.after_mlp_norm is not None:
        return None
    mlp, norm = layer.mlp, layer.attention.query_key_norm
    if not isinstance(mlp, GatedMLP) or mlp.activation is not ACTIVATIONS["silu"]:
        return None
    if norm is not None and norm.weight.dim() != 2:
        return None
    return mlp


def _row(
    linear: Linear,
    x: Tensor,
    *,
    norm: Norm | None = None,
    residual: Tensor | None = None,
    gated: bool = False,
) -> Tensor:
    assert isinstance(linear, DenseLinear)
    return row_linear(x, linear.weight, linear.bias, norm=norm, residual=residual, gated=gated)


def _norm(norm: RMSNorm) -> Norm:
    return Norm(norm.weight, norm.epsilon)
