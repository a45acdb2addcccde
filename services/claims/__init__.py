"""The claims service: commands in, events and outcomes out."""

from services.claims.worker import service

__all__ = ["service"]
