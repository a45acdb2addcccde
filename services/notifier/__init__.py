"""The notifier: tells people what they must hear of their claims (R26)."""

from services.notifier.worker import service

__all__ = ["service"]
