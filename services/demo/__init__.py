"""The demo: forty claims through every ending, on the real system and a simulated clock."""
