"""The URL of a database: which one it names, and how it is shown without its password."""

from __future__ import annotations

from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

SCHEMES = ("postgresql", "postgres")
_SECRET = {"password", "sslpassword"}


def is_url(text: str) -> bool:
    """Whether this names a PostgreSQL database, not a folder."""
    return text.partition("://")[0].lower() in SCHEMES and "://" in text


def without_password(url: str) -> str:
    """The URL as it may be shown: what stands for a password is left out."""
    try:
        parts = urlsplit(url)
        query = [(key, value) for key, value in parse_qsl(parts.query) if key.lower() not in _SECRET]
    except ValueError:
        return f"{url.partition(':')[0]}://..."
    if "@" in f"{parts.path}{parts.query}{parts.fragment}":  # the end of a password with a "/", "?" or "#"
        return f"{parts.scheme}://..."
    user, at, host = parts.netloc.rpartition("@")
    user = quote(unquote(user.partition(":")[0]))
    asked = f"?{urlencode(query, safe='/:,')}" if query else ""
    return f"{parts.scheme}://{user}{at}{host}{parts.path}{asked}"
