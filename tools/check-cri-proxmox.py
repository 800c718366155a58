#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every field that a CreateContainerRequest can hold has one row in the table of what becomes of it in a guest, and
docs/proxmox-mapping.md has that table.

usage: check-cri-proxmox.py PRINT-CRI-MAPPING cri_v1_fields.csv docs/proxmox-mapping.md [--write]

The list of fields comes from CRI's protobuf file; a new version of it fails here with the names of what is new.
--write puts the table into the document.
"""
import sys

from mapping import ROOT, check_document, cri_messages, is_followed, read_rows, report

WAYS = {"mapped", "met", "waived", "refused"}


def read_fields(path):
    """Dotted paths from the request on."""
    messages, found = cri_messages(path), []

    def walk(message, prefix):
        for name, type_ in messages[message]:
            found.append(prefix + name)
            if is_followed(type_, messages):
                walk(type_, prefix + name + ".")

    walk(ROOT, "")
    return found


def row_of(names, field):
    """The field's own row, or the nearest "x.**" above it."""
    if field in names:
        return field
    while "." in field:
        field = field.rsplit(".", 1)[0]
        if field + ".**" in names:
            return field + ".**"
    return None


def check_rows(rows, fields):
    problems, used = [], set()
    names = {row[0] for row in rows}
    if len(names) < len(rows):
        problems += [f"{name}: two rows" for name in sorted({r[0] for r in rows if [x[0] for x in rows].count(r[0]) > 1})]
    for field in fields:
        row = row_of(names, field)
        used.add(row)
        if not row:
            problems.append(f"{field}: no row says what becomes of it in a guest")
    for field, way, waiver, text in rows:
        if field not in used:
            problems.append(f"{field}: a row, but no such field can be reached")
        if way not in WAYS or not text:
            problems.append(f"{field}: {way}: \"{text}\"")
        if (way == "waived") > (waiver != "-") or (way in ("met", "refused") and waiver != "-"):
            problems.append(f"{field}: {way}, with the waiver {waiver}")
    return problems


def table(rows):
    lines = ["| field | in a guest | |\n", "|---|---|---|\n"]
    for field, way, waiver, text in rows:
        shown = way if waiver == "-" else f"waiver `{waiver}`" if way == "waived" else f"{way}, or waiver `{waiver}`"
        lines.append(f"| `{field}` | {shown} | {text} |\n")
    return lines


def main():
    rows, fields = read_rows(sys.argv[1]), read_fields(sys.argv[2])
    problems = check_rows(rows, fields) + check_document(sys.argv[3], table(rows), "--write" in sys.argv[4:])
    if len(fields) < 190:
        problems.append(f"only {len(fields)} fields in the list: is it whole?")
    return report(problems, f"{len(fields)} fields, {len(rows)} rows")


if __name__ == "__main__":
    sys.exit(main())
