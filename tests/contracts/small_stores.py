"""What every EndpointStore, SettingsStore and ConversationStore must do."""

from __future__ import annotations

import pytest

from core.conversations import Citation
from core.endpoints import Endpoint
from core.errors import ConflictError, NotFoundError
from core.ports import ConversationStore, EndpointStore, SettingsStore
from core.text import Span

HOME = Endpoint("home", "http://127.0.0.1:8000/v1", "llama")
WORK = Endpoint("work", "https://example.org/v1", "qwen", 32_768)


class EndpointStoreContract:
    """Inherit, and give a fixture `endpoints`: an empty store."""

    def test_endpoints_come_back_by_name(self, endpoints: EndpointStore) -> None:
        endpoints.add(WORK)
        endpoints.add(HOME)
        assert endpoints.all() == [HOME, WORK]
        assert endpoints.get("work") == WORK

    def test_a_name_is_taken_once(self, endpoints: EndpointStore) -> None:
        endpoints.add(HOME)
        endpoints.add(WORK)
        with pytest.raises(ConflictError, match="home"):
            endpoints.add(HOME)
        with pytest.raises(ConflictError, match="work"):
            endpoints.replace("home", WORK)

    def test_an_endpoint_can_change_its_name(self, endpoints: EndpointStore) -> None:
        endpoints.add(HOME)
        endpoints.replace("home", WORK)
        assert endpoints.all() == [WORK]

    def test_a_removed_endpoint_is_gone(self, endpoints: EndpointStore) -> None:
        endpoints.add(HOME)
        endpoints.remove("home")
        for call in (endpoints.get, endpoints.remove, lambda name: endpoints.replace(name, HOME)):
            with pytest.raises(NotFoundError, match="home"):
                call("home")


class SettingsStoreContract:
    """Inherit, and give a fixture `settings_store`: an empty store."""

    def test_values_come_back_and_others_stay(self, settings_store: SettingsStore) -> None:
        assert settings_store.read() == {}
        settings_store.write({"a": 1, "b": ["é", None], "c": {"d": 0.5}})
        settings_store.write({"a": None})
        settings_store.write({})
        assert settings_store.read() == {"a": None, "b": ["é", None], "c": {"d": 0.5}}


class ConversationStoreContract:
    """Inherit, and give a fixture `conversations`: an empty store."""

    def test_messages_come_back_with_their_citations(
        self, conversations: ConversationStore
    ) -> None:
        conversation = conversations.create("Who is Ishmael?")
        citations = (
            Citation(1, 7, "Loomings", Span(0, 16), "Call me Ishmael."),
            Citation(2, 7, "", Span(20, 25), "鲸鱼"),
            Citation(1, 7, "Loomings", Span(0, 4), "Call"),
        )
        first = conversations.append(
            conversation.id,
            question="Who is Ishmael?",
            answer="“Call me Ishmael.” [1]",
            citations=citations,
            answered=True,
            model="llama",
            trace={"stages": [{"name": "retrieve", "took_s": 0.1}]},
        )
        second = conversations.append(
            conversation.id,
            question="And then?",
            answer="",
            citations=(),
            answered=False,
            model=None,
            stopped=True,
            error="It broke off.",
        )
        assert conversations.messages(conversation.id) == [first, second]
        assert first.citations == citations
        assert first.trace["stages"][0]["took_s"] == 0.1
        assert (second.stopped, second.error, second.trace) == (True, "It broke off.", {})

    def test_the_last_used_comes_first(self, conversations: ConversationStore) -> None:
        first, second = conversations.create("1"), conversations.create("2")
        assert [c.id for c in conversations.all()] == [second.id, first.id]
        conversations.append(
            first.id, question="q", answer="a", citations=(), answered=True, model=None
        )
        assert [c.id for c in conversations.all()] == [first.id, second.id]

    def test_a_conversation_can_be_renamed_and_removed(
        self, conversations: ConversationStore
    ) -> None:
        conversation, kept = conversations.create("1"), conversations.create("2")
        quote = Citation(1, 7, "", Span(0, 1), "x")
        for owner in (conversation, kept):
            conversations.append(
                owner.id, question="q", answer="a", citations=[quote], answered=True, model=None
            )
        conversations.rename(conversation.id, "Whales")
        assert conversations.all()[1].title == "Whales"
        conversations.remove(conversation.id)
        assert [c.id for c in conversations.all()] == [kept.id]
        assert len(conversations.messages(kept.id)) == 1
        calls = [
            lambda: conversations.messages(conversation.id),
            lambda: conversations.rename(conversation.id, "x"),
            lambda: conversations.remove(conversation.id),
        ]
        for call in calls:
            with pytest.raises(NotFoundError):
                call()
