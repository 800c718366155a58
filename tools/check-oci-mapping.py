#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every property of config.json has one row in the table of what becomes of it in a guest, and docs/proxmox-mapping-oci.md has that table.

usage: check-oci-mapping.py PRINT-OCI-MAPPING oci_properties.csv docs/proxmox-mapping-oci.md [--write]

The list of properties comes from the specification's JSON schema; a new version of it fails here with the names of what is new.
--write puts the table into the document.
"""
import csv
import sys

from mapping import check_document, read_rows, report


def dotted(pointer):
    """/linux/devices/[]/path -> linux.devices[].path"""
    return pointer[1:].replace("/[]", "[]").replace("/", ".")


def covers(field, name):
    """A row "a.b.**" stands for a.b and all that lies beneath."""
    if not field.endswith(".**"):
        return field == name
    stem = field[:-3]
    return name == stem or name.startswith((stem + ".", stem + "["))


def check_rows(rows, names):
    problems, used = [], set()
    for name in names:
        mine = [r[0] for r in rows if covers(r[0], name)]
        exact = [f for f in mine if not f.endswith(".**")]
        used.update(exact or mine)
        if not mine:
            problems.append(f"{name}: no row says what becomes of it in a guest")
        if len(exact) > 1 or (not exact and len(mine) > 1):
            problems.append(f"{name}: several rows: {', '.join(mine)}")
    for field, way, waiver, text in rows:
        if field not in used:
            problems.append(f"{field}: a row that the list of properties doesn't have")
        if not text or (way == "waived") != (waiver != "-"):
            problems.append(f"{field}: {way} by {waiver}: {text}")
    return problems


def table(rows):
    lines = ["| property | in a guest | |\n", "|---|---|---|\n"]
    for field, way, waiver, text in rows:
        shown = f"waiver `{waiver}`" if way == "waived" else way
        lines.append(f"| `{field}` | {shown} | {text} |\n")
    return lines


def main():
    rows = read_rows(sys.argv[1])
    with open(sys.argv[2], newline="") as f:
        names = [dotted(p["json_pointer"]) for p in csv.DictReader(f)]
    problems = check_rows(rows, names) + check_document(sys.argv[3], table(rows), "--write" in sys.argv[4:])
    if len(names) < 200:
        problems.append(f"only {len(names)} properties in the list: is it whole?")
    return report(problems, f"{len(names)} properties, {len(rows)} rows")


if __name__ == "__main__":
    sys.exit(main())
