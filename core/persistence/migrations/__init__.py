"""Alembic's migration environment; run by core.persistence.schema, never from a shell."""
