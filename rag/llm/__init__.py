"""Language models behind OpenAI-compatible endpoints."""

from rag.llm.client import LLMClient

__all__ = ["LLMClient"]
