#!/usr/bin/env python3
"""Collects the licences of everything that is linked into the program.

    cargo metadata --locked --format-version 1 --filter-platform TARGET | notices.py > NOTICES

Equal texts are printed once. A crate without a licence file gets the text of MIT with its authors, if
that is among its licences; otherwise this ends with an error, and nothing may be distributed.
"""

import json
import pathlib
import sys

NAMES = ("license", "licence", "copying", "unlicense", "notice", "copyright")


def linked(metadata):
    """The packages that are reached by normal dependencies; the first one is the program."""
    packages = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    found, waiting = {}, [metadata["resolve"]["root"]]
    while waiting:
        package_id = waiting.pop()
        if package_id in found:
            continue
        found[package_id] = packages[package_id]
        for dependency in nodes[package_id]["deps"]:
            if any(kind["kind"] is None for kind in dependency["dep_kinds"]):
                waiting.append(dependency["pkg"])
    del found[metadata["resolve"]["root"]]
    return sorted(found.values(), key=lambda package: (package["name"], package["version"]))


def texts(package, mit):
    """The licence texts of a package."""
    folder = pathlib.Path(package["manifest_path"]).parent
    files = sorted(path for path in folder.iterdir() if path.name.lower().startswith(NAMES))
    found = [path.read_text("utf-8", "replace").strip() for path in files if path.is_file()]
    if found:
        return found
    if "MIT" in (package["license"] or ""):
        authors = ", ".join(package["authors"]) or f"the authors of {package['name']}"
        return [mit.replace("The chatbot contributors", authors)]
    raise SystemExit(f"{package['name']} {package['version']} has no text of its licence")


def main():
    metadata = json.load(sys.stdin)
    mit = pathlib.Path(__file__).parents[2].joinpath("LICENSE-MIT").read_text("utf-8").strip()
    users = {}
    packages = linked(metadata)
    for package in packages:
        for text in texts(package, mit):
            users.setdefault(text, []).append(f"{package['name']} {package['version']}")
    print("chatbot contains these crates, under these licences:\n")
    for package in packages:
        print(f"  {package['name']} {package['version']}: {package['license']}")
    for text, names in users.items():
        print(f"\n{'=' * 78}\n{', '.join(names)}\n{'=' * 78}\n\n{text}")


if __name__ == "__main__":
    main()
