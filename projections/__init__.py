"""Read models: pure folds from events to rows, their tables and queries."""
