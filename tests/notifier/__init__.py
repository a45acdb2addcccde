"""Tests of the notifier, its courier and the development mailbox."""
