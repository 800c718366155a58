#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every field that a CreateContainerRequest can hold has a row in the decision table of docs/cri-integration.md.

usage: check-cri-docs.py docs/cri-integration.md cri_v1_fields.csv

The list of fields comes from CRI's protobuf file; a new version of it fails here with the names of what is new.
"""
import re
import sys

from mapping import ROOT, cri_messages, is_followed, report


def wanted_fields(path):
    messages = cri_messages(path)
    fields, todo, seen = set(), [ROOT], {ROOT}
    while todo:
        message = todo.pop()
        for name, type_ in messages[message]:
            fields.add(f"{message}.{name}")
            if is_followed(type_, messages) and type_ not in seen:
                seen.add(type_)
                todo.append(type_)
    return fields


def written_fields(path):
    """Rows "| `name` | text |" beneath a heading "### Message", in the part "## Every field"."""
    rows, problems, part, message = set(), [], None, None
    with open(path) as f:
        for number, line in enumerate(f, 1):
            heading = re.match(r"(#+) (.*)$", line)
            if heading and heading.group(1) == "##":
                part, message = heading.group(2).strip(), None
            elif heading and heading.group(1) == "###":
                message = heading.group(2).strip() if part == "Every field" else None
            row = re.match(r"\| `(\w+)` \| *(.*?) *\|$", line)
            if not row or not message:
                continue
            field = f"{message}.{row.group(1)}"
            if field in rows:
                problems.append(f"{path}:{number}: {field} has two rows")
            if not row.group(2):
                problems.append(f"{path}:{number}: {field} says nothing")
            rows.add(field)
    return rows, problems


def main():
    wanted = wanted_fields(sys.argv[2])
    rows, problems = written_fields(sys.argv[1])
    problems += [f"{field}: no row in {sys.argv[1]}" for field in sorted(wanted - rows)]
    problems += [f"{field}: a row, but no such field can be reached" for field in sorted(rows - wanted)]
    if len(wanted) < 130:
        problems.append(f"only {len(wanted)} fields in the list: is it whole?")
    return report(problems, f"{len(wanted)} fields, {len(rows)} rows")


if __name__ == "__main__":
    sys.exit(main())
