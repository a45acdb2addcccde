"""Documents looked into: what they say, and how their pages look.

Whoever sends a document may mean harm. It is opened by a program of its own, `python -m
services.inspection`, that holds no secret, can't write, and has little memory and time. What runs
there are `pdf`, `picture`, `office` and `plain`; the web leans on `inspector`.
"""
