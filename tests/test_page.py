import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest

from triochat.page import CSP, PAGE

TEXT = PAGE.decode()
STYLE = re.findall(r"(?s)<style>(.*?)</style>", TEXT)
SCRIPT = re.findall(r"(?s)<script>(.*?)</script>", TEXT)


class Elements(HTMLParser):
    """What stands in the page: the name of each element, and its attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(TEXT)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note it."""
        self.found.append((tag, dict(attrs)))


ELEMENTS = Elements().found


def contrast(one: str, other: str) -> float:
    """The contrast of two colours, as WCAG 2 has it."""

    def luminance(colour: str) -> float:
        digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
        parts = (int(digits[start : start + 2], 16) / 255 for start in (0, 2, 4))
        red, green, blue = (
            part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    darker, lighter = sorted(map(luminance, (one, other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_it_is_light() -> None:
    """The page with all that it needs has less than 64 KiB."""
    assert len(PAGE) < 64 << 10


@pytest.mark.parametrize(("name", "texts"), [("style", STYLE), ("script", SCRIPT)])
def test_the_policy_names_what_runs(name: str, texts: list[str]) -> None:
    """There is one style and one script, and the policy allows these by their hashes alone."""
    [text] = texts
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    assert f"{name}-src 'sha256-{digest}';" in CSP
    assert "unsafe" not in CSP


def test_nothing_is_fetched() -> None:
    """Nothing in the page comes from elsewhere, and no element has a style or script."""
    assert not re.search(r"//(?!www\.w3\.org/2000/svg)\w+\.\w", TEXT)
    for _, attributes in ELEMENTS:
        assert "src" not in attributes
        assert (attributes.get("href") or "data:,") == "data:,"
        assert not [name for name in attributes if name.startswith("on") or name == "style"]


def test_text_stays_text() -> None:
    """No text is ever read as markup, or as a script."""
    forbidden = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|Function\(|srcdoc"
    assert not re.search(forbidden, TEXT)


def test_what_is_asked_is_labelled() -> None:
    """Each field has a label, and each name that an element refers to is there, once."""
    names = [attributes["id"] for _, attributes in ELEMENTS if "id" in attributes]
    assert len(names) == len(set(names))
    for tag, attributes in ELEMENTS:
        for reference in ("for", "aria-describedby", "aria-labelledby", "aria-controls"):
            assert set((attributes.get(reference) or "").split()) <= set(names), tag
    assert re.search(r"<label>Handle <input", TEXT)
    assert re.search(r"<label [^>]*>Password <input", TEXT)
    assert re.search(r'<label for="message"[^>]*>Message</label>', TEXT)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_colours_are_read(scheme: int) -> None:
    """Each colour of text has a contrast of 4.5 or more to each ground, in both schemes."""
    [style] = STYLE
    blocks = re.findall(r":root \{(.*?)\}", style, re.DOTALL)
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]+);", blocks[scheme]))
    hues = [name for name in colours if re.fullmatch(r"h\d+", name)]
    assert len(hues) == 11
    for name in (*hues, "ink", "faint", "accent", "bad", "secret"):
        for ground in ("ground", "panel"):
            assert contrast(colours[name], colours[ground]) >= 4.5, (name, ground)
    assert contrast(colours["on-accent"], colours["accent"]) >= 4.5
    assert contrast(colours["ink"], colours["mark"]) >= 4.5
    assert contrast(colours["edge"], colours["ground"]) >= 3
