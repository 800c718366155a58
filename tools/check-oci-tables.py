#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every property of the runtime specification has a row in a field table, of the right type, or is documented as ignored.

usage: check-oci-tables.py PRINT-OCI-TABLES oci_properties.csv

The list of properties comes from the specification's JSON schema; a new version of it fails here with the names of what is new.
"""
import csv
import subprocess
import sys

# Differences that are meant: pointer -> reason.
STRICTER = {}
# Values that are accepted beyond the schema's.
MORE_VALUES = {
    "/linux/rootfsPropagation": "engines write the r forms, as mount(8) knows them",
}


def pointer(dotted):
    """linux.devices[].path -> /linux/devices/[]/path"""
    return "/" + dotted.replace("[]", ".[]").replace(".", "/")


def read_tables(program):
    rows, ignored, documented, refused = {}, set(), set(), set()
    for line in subprocess.run([program], check=True, capture_output=True, text=True).stdout.splitlines():
        kind, rest = line.split(" ", 1)
        if kind == "row":
            path, type_, flag, names = rest.split(" ", 3)
            rows[path] = (type_, flag, set(filter(None, names.split("|"))))
        elif kind == "ignored":
            ignored.add(rest)
        elif kind == "documented":
            documented.add(pointer(rest))
        elif kind == "refused":
            refused.add(pointer(rest))
    return rows, ignored, documented, refused


def main():
    rows, ignored, documented, refused = read_tables(sys.argv[1])
    problems, seen = [], set()
    with open(sys.argv[2], newline="") as f:
        properties = list(csv.DictReader(f))
    for p in properties:
        path = p["json_pointer"]
        seen.add(path)
        if path in ignored:
            if path not in documented:
                problems.append(f"{path}: ignored, but not documented in oci-refused.c")
            continue
        if path not in rows:
            problems.append(f"{path}: no row in a field table")
            continue
        type_, flag, names = rows[path]
        if type_ != p["type"]:
            problems.append(f"{path}: the table says {type_}, the schema {p['type']}")
        if flag == "required" and p["required"] != "required" and path not in STRICTER:
            problems.append(f"{path}: required by the table, optional in the schema")
        if flag != "required" and p["required"] == "required":
            problems.append(f"{path}: optional in the table, required by the schema")
        wanted = set(filter(None, p["enum"].split("|")))
        # Architectures are texts that the seccomp compiler resolves; its own test covers their names.
        if wanted and names and not wanted <= names:
            problems.append(f"{path}: values missing in the table: {sorted(wanted - names)}")
        if wanted and names - wanted and path not in MORE_VALUES:
            problems.append(f"{path}: values beyond the schema: {sorted(names - wanted)}")
    for path in sorted(set(rows) - seen):
        problems.append(f"{path}: a row that the list of properties doesn't have")
    for path in sorted((documented | refused) - set(rows) - ignored):
        problems.append(f"{path}: documented in oci-refused.c, but no such property")
    if len(properties) < 200:
        problems.append(f"only {len(properties)} properties in the list: is it whole?")
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"{len(properties)} properties, {len(rows)} rows, {len(ignored)} ignored, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
