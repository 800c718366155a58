# SPDX-License-Identifier: Apache-2.0
"""What the checks have in common that hold a table of what becomes of each field against the list of the fields."""
import csv
import subprocess
import sys

ROOT = "CreateContainerRequest"
# Refused as a whole, so what is in them needs no word.
NOT_FOLLOWED = {"WindowsContainerConfig", "WindowsPodSandboxConfig"}


def cri_messages(path):
    """message -> its fields as (name, type), of cri_v1_fields.csv."""
    messages = {}
    with open(path, newline="") as f:
        for row in csv.DictReader(f):
            if row["kind"] == "message":
                messages.setdefault(row["parent"], [])
                if row["name"]:
                    messages[row["parent"]].append((row["name"], row["type"]))
    return messages


def is_followed(type_, messages):
    return type_ in messages and type_ not in NOT_FOLLOWED


def read_rows(program):
    return [line.split("\t") for line in subprocess.run([program], check=True, capture_output=True, text=True).stdout.splitlines()]


def check_document(path, table, write):
    """The document has these lines between its two marks; `write`: puts them there."""
    begin_mark = f"<!-- table: tools/{sys.argv[0].rsplit('/', 1)[-1]} --write -->\n"
    end_mark = "<!-- end of the table -->\n"
    with open(path) as f:
        lines = f.readlines()
    if lines.count(begin_mark) != 1 or lines.count(end_mark) != 1:
        return [f"{path}: needs one line each: {begin_mark.strip()} {end_mark.strip()}"]
    begin, end = lines.index(begin_mark) + 1, lines.index(end_mark)
    if lines[begin:end] == table:
        return []
    if not write:
        return [f"{path}: its table isn't that of the program: run {sys.argv[0]} ... --write"]
    with open(path, "w") as f:
        f.writelines(lines[:begin] + table + lines[end:])
    return []


def report(problems, seen):
    """Says it, and returns the exit status."""
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"{seen}, {len(problems)} problems")
    return 1 if problems else 0
