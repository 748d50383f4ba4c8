"""The HTTP API and the built page. One file per resource in `api/`; each gets what it needs from `Parts`."""
