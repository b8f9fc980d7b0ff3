#!/usr/bin/env python3
"""Fills the templates for Homebrew, Scoop and winget.

    fill.py VERSION URL SHA256SUMS FOLDER

URL is the address that the files of the release are below; SHA256SUMS has their checksums.
"""

import pathlib
import re
import sys

TEMPLATES = ("chatbot.rb", "scoop.json", "winget/*.yaml")


def main():
    version, url, sums, folder = sys.argv[1:]
    lines = pathlib.Path(sums).read_text("utf-8").split("\n")
    known = {name.lstrip("*"): checksum for checksum, name in (line.split() for line in lines if line)}

    def checksum(match):
        name = f"chatbot-{version}-{match[1]}"
        if name not in known:
            raise SystemExit(f"{sums} has no checksum of {name}")
        return known[name]

    here = pathlib.Path(__file__).parent
    for path in sorted(path for template in TEMPLATES for path in here.glob(template)):
        text = path.read_text("utf-8").replace("@VERSION@", version).replace("@URL@", url.rstrip("/"))
        text = re.sub(r"@SHA256:([^@]+)@", checksum, text)
        filled = pathlib.Path(folder, path.relative_to(here))
        filled.parent.mkdir(parents=True, exist_ok=True)
        filled.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
