"""The local models that Postil offers to download.

Sizes are those of the safetensors files on the hub, rounded up. The engine keeps weights in int8,
so a model needs about half of that in memory, and some room for the text it reads.
"""

from __future__ import annotations

from dataclasses import dataclass

_INT8_SHARE = 0.55
_READING_ROOM_BYTES = 700_000_000


@dataclass(frozen=True, slots=True)
class CatalogueModel:
    """A model that can be downloaded.

    Attributes:
        name: what the reader calls it.
        repository: where it lies on the Hugging Face hub.
        size_mb: what is downloaded and kept on disk, in megabytes.
        licence: SPDX identifier, or the name of the makers' own licence.
        gated: the makers ask for consent on the hub first.
    """

    name: str
    repository: str
    size_mb: int
    licence: str
    gated: bool = False

    @property
    def memory_bytes(self) -> int:
        """What it needs to run, about."""
        return int(self.size_mb * 1_000_000 * _INT8_SHARE) + _READING_ROOM_BYTES


CATALOGUE = (
    CatalogueModel("qwen3-0.6b", "Qwen/Qwen3-0.6B", 1510, "Apache-2.0"),
    CatalogueModel("qwen3-1.7b", "Qwen/Qwen3-1.7B", 4070, "Apache-2.0"),
    CatalogueModel("qwen3-4b", "Qwen/Qwen3-4B-Instruct-2507", 8060, "Apache-2.0"),
    CatalogueModel("qwen3-8b", "Qwen/Qwen3-8B", 16400, "Apache-2.0"),
    CatalogueModel(
        "llama-3.2-1b", "meta-llama/Llama-3.2-1B-Instruct", 2490, "Llama 3.2", gated=True
    ),
    CatalogueModel(
        "llama-3.2-3b", "meta-llama/Llama-3.2-3B-Instruct", 6450, "Llama 3.2", gated=True
    ),
    CatalogueModel("smollm3-3b", "HuggingFaceTB/SmolLM3-3B", 6170, "Apache-2.0"),
    CatalogueModel("deepseek-r1-1.5b", "deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B", 3570, "MIT"),
    CatalogueModel("deepseek-r1-7b", "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B", 15250, "MIT"),
    CatalogueModel("gemma-3-1b", "google/gemma-3-1b-it", 2040, "Gemma", gated=True),
    CatalogueModel("gemma-3-4b", "google/gemma-3-4b-it", 8640, "Gemma", gated=True),
)


def find(name: str) -> CatalogueModel | None:
    """Return the model of that name or repository, None where the catalogue has none."""
    wanted = name.casefold()
    for model in CATALOGUE:
        if wanted in (model.name.casefold(), model.repository.casefold()):
            return model
    return None
