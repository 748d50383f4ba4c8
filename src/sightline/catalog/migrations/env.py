"""Runs the migrations on the connection that `catalog.database` hands over in the configuration."""

from alembic import context

from sightline.catalog.models import Base

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
