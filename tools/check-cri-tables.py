#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every field of the CRI messages that CreateContainerRequest is made of has a row in a field table: of its name, number and type.

usage: check-cri-tables.py PRINT-CRI-TABLES cri_v1_fields.csv

The list of fields comes from CRI's protobuf file; a new version of it fails here with the names of what is new.
"""
import csv
import subprocess
import sys

ROOT = "CreateContainerRequest"
# Types that are read as another by intent: message, field -> the table's type.
READ_AS = {
    ("KeyValue", "value"): ("bytes", "string"),  # plain text, as crictl's files have it
    ("PodSandboxConfig", "windows"): ("WindowsPodSandboxConfig", "present"),  # refused: that it is there is all there is to know
    ("ContainerConfig", "windows"): ("WindowsContainerConfig", "present"),
}


def read_fields(path):
    messages, enums = {}, {}
    with open(path, newline="") as f:
        for row in csv.DictReader(f):
            if row["kind"] == "message":
                fields = messages.setdefault(row["parent"], [])
                if row["name"]:
                    fields.append(row)
            elif row["kind"] == "enum" and row["name"]:
                enums.setdefault(row["parent"].split(".")[-1], set()).add(f"{row['name']}={row['number']}")
    return messages, enums


def read_rows(program):
    rows = {}
    for line in subprocess.run([program], check=True, capture_output=True, text=True).stdout.splitlines():
        _, path, number, type_, label, names = line.split(" ", 5)
        if path in rows:
            rows[path] = (number, "given twice", label, names)
        else:
            rows[path] = (number, type_, label, names)
    return rows


def wanted(message, field, messages, enums):
    """The row that a field must have, and the message to go on with."""
    type_, name = field["type"], field["name"]
    label = "repeated" if field["label"].startswith("repeated") else "single"
    if (message, name) in READ_AS:
        theirs, ours = READ_AS[(message, name)]
        return (field["number"], ours if type_ == theirs else f"the type that replaced {theirs}", label, set()), None
    if type_ in enums:
        return (field["number"], "enum", label, enums[type_]), None
    if type_ in messages:
        return (field["number"], "message", label, set()), type_
    return (field["number"], type_, label, set()), None


def check(message, prefix, messages, enums, rows, seen, problems):
    for field in messages[message]:
        path = prefix + field["name"]
        seen.add(path)
        (number, type_, label, names), inner = wanted(message, field, messages, enums)
        if path not in rows:
            problems.append(f"{path} ({message}.{field['name']} = {field['number']}): no row in a field table")
            continue
        row = rows[path]
        for what, theirs, ours in (("number", number, row[0]), ("type", type_, row[1]), ("label", label, row[2]),
                                   ("values", names, set(filter(None, row[3].split("|"))))):
            if theirs != ours:
                problems.append(f"{path}: {what} {ours} in the table, {theirs} in {message}")
        if inner:
            check(inner, path + ".", messages, enums, rows, seen, problems)


def main():
    messages, enums = read_fields(sys.argv[2])
    rows = read_rows(sys.argv[1])
    problems, seen = [], set()
    if len(messages) < 150:
        problems.append(f"only {len(messages)} messages in the list: is it whole?")
    check(ROOT, "", messages, enums, rows, seen, problems)
    for path in sorted(set(rows) - seen):
        problems.append(f"{path}: a row that the list of fields doesn't have")
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"{len(seen)} fields, {len(rows)} rows, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
