"""Pages: one self-contained HTML file each, without network or scripts, and with a dark mode.

Rule 1: whatever comes from outside goes through `frame.text`. A page that were tricked all the same could load nothing:
its Content-Security-Policy allows its own style sheet and nothing more.
Rule 2: all pages wear `style.css`.

Stops: `frame` (what all pages share), `answer` (whatever is made of sections: simulate, compare), `findings` (check).
"""
