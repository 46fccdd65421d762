"""Delivers mail straight to a domain's mail exchangers, and shows what any sender will do with its MX records."""
