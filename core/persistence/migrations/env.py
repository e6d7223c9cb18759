"""Run the migrations on the connection that the caller has opened, in its transaction."""

from __future__ import annotations

from alembic import context

from core.persistence.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
context.run_migrations()
