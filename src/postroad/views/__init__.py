"""Everything that is shown (floor 7): as JSON, text, pages and pictures. It looks nothing up and decides nothing.

Rule 1: nothing is told by colour alone, nor by a symbol alone: a word or a number stands beside it.
Rule 2: names and replies come from strangers: every form makes them harmless in its own way.
Rule 3: shares, times, counts and lists are written by `words.phrasebook` alone, so that they are the same everywhere.

Stops: `json` (an object for each answer), `text` (lines and tables for a terminal or a pipe), `html` (pages, and the
one style sheet), `findings` (of `check`, in every form), `pictures` (who is contacted first, what survives, how long
one delivery waits).
"""
