"""The site is built from docs/ without a warning, and its pages fetch nothing from elsewhere."""

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest

pytestmark = pytest.mark.full  # the build takes longer than any other test; .ci/run makes it by itself

ROOT = Path(__file__).parents[2]
# Elements whose address a browser fetches by itself, unlike a link.
FETCHED = {
    "script": ("src",), "img": ("src", "srcset"), "source": ("src", "srcset"), "iframe": ("src",), "embed": ("src",),
    "object": ("data",), "video": ("src", "poster"), "audio": ("src",), "track": ("src",), "input": ("src",),
    "link": ("href",),
}  # fmt: skip
ELSEWHERE = re.compile(r"^\s*(?:[a-z][a-z0-9+.-]*:)?//", re.IGNORECASE)


class Page(HTMLParser):
    """The addresses that a page fetches, links to and names."""

    def __init__(self, text):
        super().__init__()
        self.fetched, self.links, self.ids = [], [], set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.fetched += [attributes[name] for name in FETCHED.get(tag, ()) if attributes.get(name)]
        if tag == "a" and attributes.get("href"):
            self.links.append(attributes["href"])
        self.ids |= {attributes[name] for name in ("id", "name") if attributes.get(name)}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Build the site as CI does; a warning is an error."""
    if not find_spec("mkdocs") or not find_spec("mkdocstrings") or not find_spec("material"):
        pytest.skip("the extra `docs` is not installed")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    built = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stdout + built.stderr
    assert "WARNING" not in built.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site):
    return {path: Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}


def test_every_page_has_a_search_box(site):
    """A reader can search the documentation from any page."""
    for page in site.rglob("*.html"):
        assert 'data-md-component="search-query"' in page.read_text(encoding="utf-8")


def test_every_page_is_there(site, pages):
    """Each Markdown file is a page, and nothing else of docs/ but its pictures is on the site."""
    html_files = {path.relative_to(site).with_suffix(".md") for path in pages} - {Path("404.md")}
    assert html_files == {path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.md")}
    assert not list(site.rglob("*.py"))


def test_pages_fetch_nothing_from_elsewhere(site, pages):
    """Scripts, styles, fonts, pictures and frames all come from the site itself."""
    for path, page in pages.items():
        for address in page.fetched:
            assert not ELSEWHERE.match(address), f"{path.name} fetches {address}"
            if not address.startswith("data:") and path.name != "404.html":
                assert (path.parent / unquote(urldefrag(address)[0].split("?")[0].split()[0])).is_file(), address
    assert sum(len(page.fetched) for page in pages.values()) > len(pages)


def test_styles_fetch_nothing_from_elsewhere(site):
    """No style sheet, and no style in a page, names an address on another host."""
    for path in [*site.rglob("*.css"), *site.rglob("*.html")]:
        text = path.read_text(encoding="utf-8")
        for address in re.findall(r"""(?:@import\s+|url\()\s*["']?([^"')\s]+)""", text):
            assert not ELSEWHERE.match(address), f"{path.name} fetches {address}"


def test_features_that_fetch_scripts_are_not_used(site, pages):
    """The theme fetches parts for diagrams and repositories from elsewhere; no page uses them."""
    for path in pages:
        text = path.read_text(encoding="utf-8")
        assert 'class="mermaid"' not in text
        assert 'data-md-component="source"' not in text
        assert not re.search(r"<pre[^>]*class=\"[^\"]*mermaid", text)


def test_links_lead_somewhere(site, pages):
    """Each link within the site leads to an existing page and, if it names one, to an existing anchor."""
    for path, page in pages.items():
        if path.name == "404.html":
            continue  # its links start at the server's root
        for link in page.links:
            if re.match(r"[a-z]+:", link):
                continue
            address, place = urldefrag(link)
            target = (path.parent / unquote(address)).resolve() if address else path
            target = target / "index.html" if target.is_dir() else target
            assert target.is_file(), f"{path.name} links to {link}"
            if place and target in pages:
                assert unquote(place) in pages[target].ids, f"{path.name} links to {link}"
