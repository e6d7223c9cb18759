"""What every Embedder must do; the test class of an implementation inherits this one."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from rag.ports import Embedder, Float32Array

TEXTS = (
    "The whale rose from the sea and broke the ship in two.",
    "An enormous sea animal sank their vessel.",
    "She paid the tax on her late aunt's house in March.",
    "",
    " ",
    "a",
    "Жили-были старик со старухою у самого синего моря.",
    "吾輩は猫である。名前はまだ無い。",
    "\x00\ufffd\u202e 👩‍👩‍👧",
    "word " * 5000,
)


class EmbedderContract:
    """Subclasses give `embedder`, a fixture that is open for the whole test class."""

    @pytest.fixture
    def embedder(self) -> Embedder:
        raise NotImplementedError

    def test_vectors_have_the_shape_type_and_length_promised(self, embedder: Embedder) -> None:
        vectors = embedder.embed_passages(TEXTS)
        assert vectors.shape == (len(TEXTS), embedder.fingerprint.dimension)
        assert vectors.dtype == np.float32
        assert np.linalg.norm(vectors, axis=1) == pytest.approx(1.0, abs=1e-4)
        query = embedder.embed_query(TEXTS[0])
        assert query.shape == (embedder.fingerprint.dimension,)
        assert query.dtype == np.float32
        assert np.linalg.norm(query) == pytest.approx(1.0, abs=1e-4)

    def test_no_texts_give_no_vectors(self, embedder: Embedder) -> None:
        assert embedder.embed_passages([]).shape == (0, embedder.fingerprint.dimension)

    def test_a_vector_does_not_depend_on_its_company(self, embedder: Embedder) -> None:
        together = embedder.embed_passages(TEXTS * 3)
        alone = np.array([embedder.embed_passages([text])[0] for text in TEXTS])
        assert np.array_equal(together, np.tile(alone, (3, 1)))

    def test_what_means_the_same_is_near(self, embedder: Embedder) -> None:
        whale, animal, tax = embedder.embed_passages(TEXTS[:3])
        question = embedder.embed_query("What happened to the ship?")
        assert whale @ animal > whale @ tax
        assert min(question @ whale, question @ animal) > question @ tax

    def test_several_threads_get_what_one_gets(self, embedder: Embedder) -> None:
        expected = embedder.embed_passages(TEXTS)
        results: list[Float32Array] = []

        def embed() -> None:
            results.append(embedder.embed_passages(TEXTS))
            results.append(np.array([embedder.embed_passages([text])[0] for text in TEXTS]))

        threads = [threading.Thread(target=embed) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(results) == 6
        assert all(np.array_equal(result, expected) for result in results)

    def test_warming_up_twice_is_no_error(self, embedder: Embedder) -> None:
        embedder.warm_up()
        embedder.warm_up()
