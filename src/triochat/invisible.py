"""What nobody sees, and what it is good for: it stays in a text only where it does something.

Joiners belong inside emoji, and after letters that join their neighbours or stack upon them; what
chooses a form, after characters that have several. A mark of direction says where signs between
two directions belong; it can do no more than a letter of its direction could, so it stays, one
at a time, in a text that has letters from right to left. Elsewhere it could only hide something.
"""

import re

HIDDEN = "\u061c\u200c-\u200f\u180b-\u180d\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef"
"""What nobody sees, and may have a use, as part of a regular expression's set: marks of direction,
joiners, and what chooses between the forms of the character before it."""

_EMOJI = (
    "[\xa9\xae\u203c\u2049\u2122\u2139\u2190-\u21ff\u2300-\u23ff\u2460-\u24ff\u25a0-\u27bf"
    "\u2934\u2935\u2b00-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff]"
)
_HAN = "[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
_MONGOLIAN = "[\u1820-\u18aa]"
_JOINING = (  # from Arabic to Sinhala, then Burmese, Khmer, Mongolian, Balinese, and their kin
    r"(?!\d)[\u0620-\u0dff\u1000-\u109f\u1780-\u17ff\u1820-\u18aa\u1a20-\u1aad\u1b00-\u1c4f"
    r"\ua800-\ua8ff\ua980-\ua9df\uaae0-\uaaff\uabc0-\uabff\ufb50-\ufdff\ufe70-\ufefc"
    r"\U00010a00-\U00011fff\U0001e900-\U0001e95f]"
)
_FROM_RIGHT_TO_LEFT = re.compile(
    "[\u05d0-\u05f4\u0620-\u08ff\ufb1d-\ufdff\ufe70-\ufefc"
    "\U00010800-\U00010fff\U0001e800-\U0001efff]"
)
_ANY = re.compile(f"[{HIDDEN}]")
_EACH = re.compile(
    rf"({_EMOJI}[\ufe0e\ufe0f]?(?:\u200d(?={_EMOJI}))?|[#*0-9][\ufe0e\ufe0f](?=\u20e3)"
    rf"|{_HAN}[\ufe00-\ufe02\U000e0100-\U000e01ef]"
    rf"|{_MONGOLIAN}[\u180b-\u180d\u180f][\u200c\u200d]?|{_JOINING}[\u200c\u200d])"
    rf"|([\u061c\u200e\u200f])[{HIDDEN}]*|[{HIDDEN}]"
)


def drop_useless(text: str) -> str:
    """The text without what nobody sees and does nothing where it stands."""
    if not _ANY.search(text):
        return text
    return _EACH.sub(r"\1\2" if _FROM_RIGHT_TO_LEFT.search(text) else r"\1", text)
