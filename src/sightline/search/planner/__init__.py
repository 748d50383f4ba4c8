"""From commands to SQL: typed values, a small closed algebra of relations, named rewrites, and the one SQL writer."""
