"""Run by Alembic: carries the revisions out on the connection that `store.migrate` hands over, in its transaction."""

from alembic import context

from lunaport.store.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    transactional_ddl=True,
    render_as_batch=True,
)
context.run_migrations()
