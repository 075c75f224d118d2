"""The drawings that explain, each before the code that does it: a module a notebook.

Every number in a drawing is computed from the arguments. Each function returns the Figure, which
the caller shows.
"""
