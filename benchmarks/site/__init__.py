"""The site: what `results/` holds as tables, figures and facts that the pages show.

Each file makes one kind of thing as text; `generate` alone writes.
"""
