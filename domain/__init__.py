"""The rules of partner association claims: no input, no output, no clock."""
