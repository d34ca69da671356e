"""HTML by construction: elements that escape every text put into them, and the frame of the page.

All HTML of the report is made here. A page fetches nothing and runs nothing, and a policy in it tells the browser so.
"""

import io
import warnings
from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from slmmux._display.text import printable
from slmmux.plots import INK, drawn_alike

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "Html", "bare", "captioned", "each", "element", "heads", "number", "page", "picture", "points", "table", "times",
]  # fmt: skip

_CSS = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #57606a; --line: #d0d7de; --ground: #ffffff;
  --raised: #f3f6f9; --right: #0a5c43; --wrong: #97380a; --mark: #0072b2 }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #a3adb8; --line: #3d444d; --ground: #0d1117;
  --raised: #171d26; --right: #4fd1a5; --wrong: #ffa07a; --mark: #6cb6ff } }
* { box-sizing: border-box }
body { margin: 0; background: var(--ground); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif;
  overflow-wrap: anywhere; -webkit-text-size-adjust: 100% }
main { max-width: 76rem; margin: 0 auto; padding: 1rem }
h1 { font-size: 1.1rem; color: var(--soft); margin: .5rem 0 0; font-weight: 600 }
h2 { font-size: 1.3rem; margin: 2.5rem 0 .5rem; border-top: 1px solid var(--line); padding-top: 1rem }
h3 { font-size: 1rem; margin: 1.5rem 0 .25rem }
p, dl, figcaption, blockquote { max-width: 46rem; margin: .5rem 0 }
.verdict { font-size: clamp(1.25rem, 1rem + 2vw, 1.9rem); line-height: 1.3; font-weight: 650; margin: .25rem 0 1rem;
  max-width: none }
.soft, .caption, figcaption, footer { color: var(--soft); font-size: .9rem }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem .75rem; font-size: .92rem }
dt { font-weight: 600 }
dd { margin: 0 }
.scroll { overflow-x: auto; margin: 0 0 .75rem }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .88rem; overflow-wrap: break-word }
.caption { margin: .75rem 0 .35rem }
th, td { padding: .3rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top;
  max-width: 20rem }
th { background: var(--raised) }
.number { text-align: right }
td.number, .interval { white-space: nowrap }
td.number:has(.interval) { white-space: normal }
.names { min-width: 8rem }
.group { text-align: center; border-left: 1px solid var(--line) }
.winner { font-weight: 600 }
.winner > :first-child { box-shadow: inset .25rem 0 var(--mark) }
.right { color: var(--right) }
.wrong { color: var(--wrong) }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); gap: 1.5rem }
figure { margin: .5rem 0; min-width: 0; overflow-x: auto }
svg { display: block; width: 100%; max-width: 32rem; height: auto }
svg * { stroke-linejoin: round; stroke-linecap: butt }
blockquote { padding: .5rem .75rem; background: var(--raised); white-space: pre-wrap }
pre { background: var(--raised); padding: .5rem .75rem; white-space: pre-wrap; font-size: .85rem }
summary { cursor: pointer }
footer { margin: 3rem 0 1rem; border-top: 1px solid var(--line); padding-top: .5rem }
"""

_SVG, _XLINK = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}"


class Html(str):
    """A text that is HTML already; any other text is escaped."""

    __slots__ = ()


def element(tag: str, *inside: Any, **attributes: str) -> Html:
    """Return an element; content that is not `Html` is escaped.

    Args:
        tag: The element's name.
        inside: The element's content; numbers and other objects as `str` writes them.
        attributes: The element's attributes; `class_` stands for class, `aria_label` for aria-label.

    Example:
        >>> element("td", "a < b", class_="number")
        '<td class="number">a &lt; b</td>'
    """
    html_attributes = "".join(f' {name.strip("_").replace("_", "-")}="{_escaped(v)}"' for name, v in attributes.items())
    return Html(f"<{tag}{html_attributes}>{each(inside)}</{tag}>")


def each(parts: Iterable[Any]) -> Html:
    """Return several parts joined."""
    return Html("".join(part if isinstance(part, Html) else _escaped(part) for part in parts))


def _escaped(value: Any) -> str:
    lines = str(value).replace("\r\n", "\n").expandtabs(4).split("\n")
    return escape("\n".join(printable("".join(" " if c.isspace() else c for c in line)) for line in lines))


def table(caption: str, head: Iterable[Html], rows: Iterable[Html]) -> Html:
    """Return a table that scrolls by itself on a narrower page; `head` and `rows` are `tr` elements."""
    html_table = element("table", element("thead", *head), element("tbody", *rows))
    # A caption inside the table would be as wide as the table, and cut off with it.
    return each(
        [
            element("p", caption, class_="caption"),
            element("div", html_table, class_="scroll", tabindex="0", role="region", aria_label=caption),
        ]
    )


def heads(*names: str) -> list[Html]:
    """Return the header cells of columns with numbers."""
    return [element("th", name, class_="number") for name in names]


def number(figure: Any) -> Html:
    """Return a cell with a number."""
    return element("td", figure, class_="number")


def bare(share: float) -> str:
    """Return a share in per cent, without the per cent sign."""
    return f"{100 * share:.1f}"


def points(share: float) -> str:
    """Return a difference of two shares in points, with its sign."""
    return f"{100 * share:+z.1f}"  # With z, a difference that rounds to zero has no minus.


def times(n: int) -> str:
    """Return a number of times in words.

    Example:
        >>> times(1), times(3)
        ('once', '3 times')
    """
    return "once" if n == 1 else f"{n} times"


def captioned(figure: "Figure", name: str, says: str, *, least: str = "0") -> Html:
    """Return a figure as a drawing with a caption below; see `picture`."""
    return element("figure", picture(figure, name, says, least=least), element("figcaption", says))


def picture(figure: "Figure", name: str, says: str, *, least: str = "0") -> Html:
    """Return a figure as a drawing inside the page; its text takes the page's colour.

    Args:
        figure: The figure.
        name: A word that no other drawing of the page has; it prefixes the names inside the drawing.
        says: A description, for readers who cannot see the drawing.
        least: The least width, as CSS; on a narrower page the drawing scrolls by itself.
    """
    svg = io.StringIO()
    with drawn_alike(), warnings.catch_warnings():
        import matplotlib as mpl  # noqa: PLC0415 - an extra

        # Text stays text and the browser draws it, so glyphs that matplotlib's own font lacks do not matter.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        with mpl.rc_context({"svg.hashsalt": name, "svg.fonttype": "none"}):
            no_metadata = dict.fromkeys(("Date", "Creator", "Format", "Type"))
            figure.savefig(svg, format="svg", transparent=True, metadata=no_metadata)
    root = ET.fromstring(svg.getvalue())  # noqa: S314 - written above, by matplotlib
    for parent in root.iter():
        for child in [child for child in parent if child.tag == f"{_SVG}style"]:
            parent.remove(child)  # Inside a page, a style of the drawing would apply to the whole page.
        parent.tag = parent.tag.removeprefix(_SVG)
        for key, value in list(parent.attrib.items()):
            del parent.attrib[key]
            parent.set(key.removeprefix(_XLINK), _with_own_name(key, value, name).replace(INK, "currentColor"))
    del root.attrib["width"], root.attrib["height"]
    root.set("role", "img")
    root.set("aria-label", says)
    root.set("style", f"min-width: {least}")
    return Html(ET.tostring(root, encoding="unicode"))


def _with_own_name(key: str, value: str, name: str) -> str:
    """Prefix the names in a drawing and the references to them, since several drawings share a page."""
    if key == "id":
        return f"{name}-{value}"
    if key.endswith("href"):
        return value.replace("#", f"#{name}-", 1) if value.startswith("#") else value
    return value.replace("url(#", f"url(#{name}-")


def page(title: str, *body: Html) -> Html:
    """Return a self-contained page, light or dark like the reader's system."""
    head = Html(
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">"
    )
    style = element("style", Html(_CSS))
    html = element("html", element("head", head, element("title", title), style), element("body", *body), lang="en")
    return Html(f"<!DOCTYPE html>\n{html}\n")
