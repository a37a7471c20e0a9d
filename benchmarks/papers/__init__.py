"""What the papers print, and the recipes that should give it.

`reported` reads what was printed, `recipes` what to build for it, `sizes` counts what was built and
`verdicts` compares the two. Nothing that counts can see a printed value.
"""
