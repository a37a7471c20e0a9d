"""The site: what `results/` holds as tables, figures and facts that the pages show.

Each file makes one kind of thing as text. `generate` writes the site, `readme` the README and what
lies beside it.
"""
