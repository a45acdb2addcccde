"""Programs that write documents from the code."""
