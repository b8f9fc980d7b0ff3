#!/usr/bin/env python3
"""Packs a folder into a `.tar.gz` or `.zip` whose bytes depend on its files alone.

    archive.py FOLDER ARCHIVE SECONDS

Names are sorted, users and groups are left out, and everything is dated SECONDS after 1970-01-01, which
is the time of the commit. Everything but the program gets mode 644.
"""

import gzip
import io
import pathlib
import sys
import tarfile
import time
import zipfile

PROGRAMS = ("chatbot", "chatbot.exe")


def entries(folder):
    """Each file: its name in the archive, its content and its mode."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder.parent).as_posix()
        yield name, path.read_bytes(), 0o755 if path.name in PROGRAMS else 0o644


def write_tar(folder, target, seconds):
    with (
        open(target, "wb") as file,
        gzip.GzipFile("", "wb", 9, file, seconds) as packed,
        tarfile.open(mode="w", fileobj=packed, format=tarfile.GNU_FORMAT) as archive,
    ):
        for name, content, mode in entries(folder):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode, entry.mtime = len(content), mode, seconds
            archive.addfile(entry, io.BytesIO(content))


def write_zip(folder, target, seconds):
    date = time.gmtime(seconds)[:6]
    with zipfile.ZipFile(target, "w") as archive:
        for name, content, mode in entries(folder):
            # Without the folder: Scoop and winget look for the program at the top.
            entry = zipfile.ZipInfo(name.split("/", 1)[1], date)
            entry.create_system, entry.external_attr = 3, mode << 16
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED, 9)


def main():
    folder, target, seconds = sys.argv[1:]
    write = write_zip if target.endswith(".zip") else write_tar
    write(pathlib.Path(folder), target, int(seconds))


if __name__ == "__main__":
    main()
