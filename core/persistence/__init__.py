"""The library on disk: one SQLite database through SQLAlchemy, migrated by Alembic."""
