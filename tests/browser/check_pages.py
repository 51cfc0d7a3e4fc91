"""Looks at HTML pages in Chromium: axe-core, sideways scrolling, keyboard, print; screenshots to a folder.

    python tests/browser/check_pages.py demo/record.html --screenshots shots

Needs Chromium (Debian: `apt install chromium`) and, once, `npm ci` in this folder. Ends with 0 where nothing was
found, 1 where something is wrong, 3 where it could not look; the findings are JSON on standard output.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

_HERE = Path(__file__).resolve().parent
_VIEWS = ("desktop", "phone", "zoomed", "print")
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome", "msedge")


def _missing(chromium: str | None, node: str | None) -> str | None:
    if chromium is None:
        return "no Chromium found (Debian: apt install chromium; or name it in MPFT_CHROMIUM)"
    if node is None:
        return "no Node.js found (Debian: apt install nodejs npm)"
    absent = [name for name in ("axe-core", "playwright-core") if not (_HERE / "node_modules" / name).is_dir()]
    return f"{' and '.join(absent)} not installed: run `npm ci` in tests/browser" if absent else None


def main() -> int:
    parser = argparse.ArgumentParser(description="Look at HTML pages in Chromium.")
    parser.add_argument("pages", nargs="+", type=Path)
    parser.add_argument("--screenshots", type=Path, help="folder for screenshots and a PDF")
    parser.add_argument("--views", default=",".join(_VIEWS), help="of %(default)s")
    given = parser.parse_args()
    chromium = os.environ.get("MPFT_CHROMIUM") or next(filter(None, map(shutil.which, _BROWSERS)), None)
    node = shutil.which("node")
    if reason := _missing(chromium, node):
        print(reason, file=sys.stderr)
        return 3
    if given.screenshots:
        given.screenshots.mkdir(parents=True, exist_ok=True)
    where = str(given.screenshots) if given.screenshots else "-"
    command = [str(node), str(_HERE / "look.cjs"), str(chromium), given.views, where, *map(str, given.pages)]
    looked = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=300, check=False)
    if looked.returncode:
        print(looked.stderr, file=sys.stderr)
        return 3
    print(looked.stdout)
    return 1 if any(page["wrong"] for page in json.loads(looked.stdout)) else 0


if __name__ == "__main__":
    sys.exit(main())
