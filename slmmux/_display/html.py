"""An explanation as HTML for a notebook: all text escaped, no scripts, no files to load.

Text has the notebook's own colour on the notebook's own background, so it is readable in any theme; only chips have a
background, and a text colour that fits it. A media query for dark themes would ask the system for its theme, which need
not be the notebook's.
"""

from collections.abc import Sequence
from html import escape

from slmmux._display.members import Chip, Look, MemberRow

__all__ = ["GROUNDS", "INK", "html"]

# White text on each of these has a contrast of 4.5 : 1 or more, and each has 3 : 1 against white and dark pages.
INK = "#ffffff"
GROUNDS = ("#0072b2", "#b34a00", "#00795c", "#8e52a7", "#806700", "#bc3462", "#4f6d83", "#5a5fcf")

_LINES: dict[Look, str] = {  # the border style of a chip without a background
    "answer": "solid", "another": "double", "no answer": "dashed", "failed": "dotted", "not needed": "none",
    "awaited": "none",
}  # fmt: skip

# TABLE is more specific than a notebook's own rules for tables, which would add stripes and align text to the right.
_CSS = """
.slmmux-explained { font: .9rem/1.5 system-ui, sans-serif; color: inherit; max-width: 60rem; overflow-wrap: anywhere }
TABLE { border-collapse: collapse; border: 0; margin: 0; table-layout: auto; width: auto; font: inherit;
  color: inherit }
TABLE :is(tr, th, td) { background: transparent; border: 0; text-align: left; vertical-align: baseline;
  white-space: normal; font-weight: 400; padding: .2rem .6rem .2rem 0; max-width: none }
TABLE th { min-width: 9rem }
TABLE tbody tr { border-top: 1px solid rgba(128, 128, 128, .5) }
TABLE tr > :first-child { padding-left: .5rem; border-left: .25rem solid transparent }
TABLE .slmmux-speaks :is(th, td) { font-weight: 700 }
TABLE .slmmux-speaks th { border-left-color: currentColor }
.slmmux-explained .slmmux-share { font-variant-numeric: tabular-nums; white-space: nowrap }
.slmmux-explained p { margin: .4rem 0 0; max-width: none }
@media (max-width: 34rem) {
  TABLE thead { display: none }
  TABLE :is(tbody, tr, th, td) { display: block; min-width: 0 }
  TABLE td { padding-left: .75rem }
}
""".replace("TABLE", ".slmmux-explained .slmmux-table.slmmux-table")
_CHIP = "display:inline-block;padding:0 .5em;margin:.1em .2em .1em 0;border-radius:.6em;font-weight:400;max-width:100%;"


def html(members: Sequence[MemberRow], sentences: Sequence[str]) -> str:
    """Return the explanation as a fragment that brings its own styles.

    Example:
        >>> html([], ["a < b"]).rpartition("</table>")[2]
        '<p>a &lt; b</p></div>'
    """
    head = "".join(f'<th scope="col">{name}</th>' for name in ("member", "samples", "vote"))
    rows = "".join(_row(member) for member in members)
    below = "".join(f"<p>{escape(sentence)}</p>" for sentence in sentences)
    return (
        f'<div class="slmmux-explained"><style>{_CSS}</style><table class="slmmux-table">'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{below}</div>"
    )


def _row(member: MemberRow) -> str:
    mark, speaks = ("➜ ", ' class="slmmux-speaks"') if member.speaks else ("", "")
    chips = " ".join(_chip(chip) for chip in member.chips)
    title = f' title="{escape(member.title)}"' if member.title else ""
    vote = f'<span class="slmmux-share">{member.share}</span> <span dir="auto"{title}>{escape(member.vote)}</span>'
    return f'<tr{speaks}><th scope="row">{mark}{escape(member.model)}</th><td>{chips}</td><td>{vote}</td></tr>'


def _chip(chip: Chip) -> str:
    # After the last colour, answers only have a border: two answers never share a background.
    has_ground = chip.colour is not None and chip.colour < len(GROUNDS)
    look = (
        f"background-color:{GROUNDS[chip.colour]};color:{INK};border:1px solid transparent"
        if has_ground and chip.colour is not None
        else f"background-color:transparent;color:inherit;border:{_border(chip.look)}"
    )
    title = f' title="{escape(chip.title)}"' if chip.title else ""
    return f'<span class="slmmux-chip" style="{_CHIP}{look}" dir="auto"{title}>{escape(chip.text)}</span>'


def _border(look: Look) -> str:
    width = "3px" if look == "another" else "1px"
    return f"{width} {_LINES[look]} currentColor"
