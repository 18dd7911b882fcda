"""docs/site/links.py FOLDER: every link of a built site leads to a file of it and, outside the API, to a place there."""
import html.parser
import pathlib
import sys
import urllib.parse


class Page(html.parser.HTMLParser):
    def __init__(self, path):
        super().__init__()
        self.links, self.places = [], set()
        self.feed(path.read_text(encoding="utf-8", errors="replace"))

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if name in ("id", "name") and value:
                self.places.add(value)
            if name in ("href", "src") and value and tag != "link":
                self.links.append(value)


site = pathlib.Path(sys.argv[1]).resolve()
pages = {path: Page(path) for path in site.rglob("*.html") if path.name != "404.html"}  # which a server shows anywhere
api = site / "api"  # Doxygen's own places: it leaves some of its headings out
wrong, checked = [], 0
for path, page in pages.items():
    for link in page.links:
        parts = urllib.parse.urlsplit(link)
        if parts.scheme or parts.netloc or link.startswith("javascript"):
            continue
        checked += 1
        target = (path.parent / urllib.parse.unquote(parts.path)).resolve() if parts.path else path
        if target.is_dir():
            target /= "index.html"
        if not target.exists():
            wrong.append(f"{path.relative_to(site)}: no {link}")
        elif parts.fragment and target in pages and api not in target.parents and urllib.parse.unquote(parts.fragment) not in pages[target].places:
            wrong.append(f"{path.relative_to(site)}: {link}: no such place there")
print(f"{checked} links on {len(pages)} pages, {len(wrong)} lead nowhere")
print("\n".join(wrong[:40]))
sys.exit(checked == 0 or bool(wrong))
