"""What all models are: token ids and positions in, hidden states and logits out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from torch import Tensor, nn

from inference.attention.interface import AttentionSpec, AttentionStep
from inference.config import ModelConfig


class CausalLM(nn.Module, ABC):
    """A language model, for inference only.

    A batch is sequences laid end to end, without padding and without a batch dimension. Which
    token belongs to which sequence only the attention step knows.

    Attributes:
        config: the model's shape.
        attention_specs: one for each layer; what the cache is sized by.
        graph_safe: what `forward` does depends on no value, so that a CUDA graph can hold it.
    """

    config: ModelConfig
    attention_specs: Sequence[AttentionSpec]
    graph_safe: bool = True

    @abstractmethod
    def forward(self, token_ids: Tensor, positions: Tensor, attention: AttentionStep) -> Tensor:
        """Run the layers.

        Args:
            token_ids: (tokens,) int64.
            positions: (tokens,) int64, from 0 in each sequence.
            attention: stores keys and values, and attends.

        Returns:
            (tokens, hidden), normalised: what `logits` takes.
        """

    @abstractmethod
    def logits(self, hidden: Tensor) -> Tensor:
        """Score the vocabulary.

        Args:
            hidden: (rows, hidden), any rows of what `forward` returned.

        Returns:
            (rows, vocab) in the model's dtype.
        """
