"""The dashboard: pages over the same read models and commands as the HTTP API."""
