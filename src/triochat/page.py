"""The page that browsers are served: one file, with its style and its script, from nowhere else.

Browsers are told the hashes of both, and run nothing else: whatever anybody says in the room, none
of it is ever obeyed.
"""

import re
from base64 import b64encode
from hashlib import sha256
from importlib.resources import files

PAGE = files("triochat").joinpath("page.html").read_bytes()
"""The page, as it is sent."""


def _hash_of(name: str) -> str:
    """How the policy names the text of the page's one element of this name."""
    [text] = re.findall(rf"<{name}>(.*?)</{name}>".encode(), PAGE, re.DOTALL)
    return f"'sha256-{b64encode(sha256(text).digest()).decode()}'"


CSP = "; ".join(
    [
        "default-src 'none'",
        f"script-src {_hash_of('script')}",
        f"style-src {_hash_of('style')}",
        "connect-src 'self'",  # also by WebSocket
        "img-src data:",  # the icon, which the script draws
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
)
"""What the page may do: the value of the header ``Content-Security-Policy``."""
