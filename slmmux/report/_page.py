"""A page by construction: elements that escape whatever text is put into them, and the frame around them.

The only place that makes HTML. Nothing in a page is fetched and nothing in it runs: it says so to the browser, too.
"""

import io
import warnings
from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from slmmux.plots import INK, drawn_alike

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "Html", "bare", "captioned", "each", "element", "heads", "number", "page", "picture", "points", "table",
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
.spoke { font-weight: 600 }
.spoke > :first-child { box-shadow: inset .25rem 0 var(--mark) }
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
    """Text that is HTML already; any other is escaped."""

    __slots__ = ()


def element(tag: str, *inside: Any, **attributes: str) -> Html:
    """Return an element; what is in it is escaped unless it is `Html`.

    Args:
        tag: Its name.
        inside: Its content; numbers and the like as `str` writes them.
        attributes: Its attributes; `class_` for class, `aria_label` for aria-label.

    Example:
        >>> element("td", "a < b", class_="number")
        '<td class="number">a &lt; b</td>'
    """
    written = "".join(f' {name.strip("_").replace("_", "-")}="{_escaped(v)}"' for name, v in attributes.items())
    return Html(f"<{tag}{written}>{each(inside)}</{tag}>")


def each(parts: Iterable[Any]) -> Html:
    """Return several things one after the other."""
    return Html("".join(part if isinstance(part, Html) else _escaped(part) for part in parts))


def _escaped(value: Any) -> str:
    text = str(value).replace("\r\n", "\n").expandtabs(4)
    return escape("".join(c if c.isprintable() or c == "\n" else " " if c.isspace() else "\ufffd" for c in text))


def table(caption: str, head: Iterable[Html], rows: Iterable[Html]) -> Html:
    """Return a table that scrolls by itself where the page is narrower; `head` and `rows` are `tr` elements."""
    whole = element("table", element("thead", *head), element("tbody", *rows))
    # A caption inside would be as wide as the table, and cut off with it.
    return each(
        [
            element("p", caption, class_="caption"),
            element("div", whole, class_="scroll", tabindex="0", role="region", aria_label=caption),
        ]
    )


def heads(*names: str) -> list[Html]:
    """Return the heads of columns of figures."""
    return [element("th", name, class_="number") for name in names]


def number(figure: Any) -> Html:
    """Return a cell with a figure in it."""
    return element("td", figure, class_="number")


def bare(share: float) -> str:
    """Return a share in per cent, without the sign."""
    return f"{100 * share:.1f}"


def points(share: float) -> str:
    """Return a difference of shares in points, with its plus or minus."""
    return f"{100 * share:+z.1f}"  # z: what rounds to nothing has no minus


def captioned(figure: "Figure", name: str, says: str, *, least: str = "0") -> Html:
    """Return a figure as a drawing with what it says below; see `picture`."""
    return element("figure", picture(figure, name, says, least=least), element("figcaption", says))


def picture(figure: "Figure", name: str, says: str, *, least: str = "0") -> Html:
    """Return a figure as a drawing inside the page, its text in the page's own colour.

    Args:
        figure: The figure.
        name: A word of its own, for the names inside the drawing.
        says: What it shows, for those who do not see it.
        least: The narrowest it may get, as CSS; where the page is narrower, it scrolls by itself.
    """
    drawn = io.StringIO()
    with drawn_alike(), warnings.catch_warnings():
        import matplotlib as mpl  # noqa: PLC0415 - an extra

        # Text stays text and the browser has the glyphs: which ones matplotlib's own font lacks is no matter.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        with mpl.rc_context({"svg.hashsalt": name, "svg.fonttype": "none"}):
            nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
            figure.savefig(drawn, format="svg", transparent=True, metadata=nothing)
    root = ET.fromstring(drawn.getvalue())  # noqa: S314 - written above, by matplotlib
    for parent in root.iter():
        for child in [child for child in parent if child.tag == f"{_SVG}style"]:
            parent.remove(child)  # in a page it would hold for all of it
        parent.tag = parent.tag.removeprefix(_SVG)
        for key, value in list(parent.attrib.items()):
            del parent.attrib[key]
            parent.set(key.removeprefix(_XLINK), _named(key, value, name).replace(INK, "currentColor"))
    del root.attrib["width"], root.attrib["height"]
    root.set("role", "img")
    root.set("aria-label", says)
    root.set("style", f"min-width: {least}")
    return Html(ET.tostring(root, encoding="unicode"))


def _named(key: str, value: str, name: str) -> str:
    """Give what a drawing calls by a name a name of its own: several drawings share a page."""
    if key == "id":
        return f"{name}-{value}"
    if key.endswith("href"):
        return value.replace("#", f"#{name}-", 1) if value.startswith("#") else value
    return value.replace("url(#", f"url(#{name}-")


def page(title: str, *body: Html) -> Html:
    """Return a whole page that needs nothing else, light or dark as the reader's system is."""
    head = Html(
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">"
    )
    style = element("style", Html(_CSS))
    whole = element("html", element("head", head, element("title", title), style), element("body", *body), lang="en")
    return Html(f"<!DOCTYPE html>\n{whole}\n")
