#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""docs/proxmox.md has every key of the section "proxmox", every waiver, and every text that the backend knows by heart.

usage: check-proxmox-docs.py [ROOT]
"""
import os
import re
import sys

SECTIONS = {"section_fields": "", "net_fields": "network.", "timeout_fields": "timeouts."}


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as f:
        return f.read()


def rows(text, table):
    """Names of the rows of a table of fields; ROW_SECTION's are tables of their own."""
    body = re.search(r"json_field %s\[\] = \{(.*?)\n\};" % table, text, re.S).group(1)
    return [name for kind, name in re.findall(r"(\w*ROW_\w+)\([^\"]*?\"(\w+)\"", body) if kind != "ROW_SECTION"]


def keys_of_docs(text):
    """First column of the table beneath "## Configuration"."""
    part = text.split("\n## Configuration\n", 1)[1].split("\n## ", 1)[0]
    return [key for line in part.split("\n") if line.startswith("| `") for key in re.findall(r"`([\w.]+)`", line.split("|")[1])]


def check_keys(root, docs, problems):
    text = read(root, "src/model/settings-proxmox.c")
    wanted = [prefix + name for table, prefix in SECTIONS.items() for name in rows(text, table)]
    written = keys_of_docs(docs)
    if len(wanted) < 30:
        problems.append("only %d keys found: has the form of the tables changed?" % len(wanted))
    for key in sorted(set(wanted) - set(written)):
        problems.append("the key %s isn't in the table of keys" % key)
    for key in sorted(set(written) - set(wanted)):
        problems.append("the key %s is in the table of keys, but there is none" % key)
    for key in rows(text, "image_fields"):
        if "`%s`" % key not in docs:
            problems.append("the key %s of an image isn't there" % key)
    waivers = re.findall(r"\[WAIVE_\w+\] = \"([\w-]+)\"", text)
    said = re.search(r"\nWaivers: (.*?)\. All are off", docs, re.S).group(1)
    if sorted(waivers) != sorted(re.findall(r"`([\w-]+)`", said)):
        problems.append("the waivers are %s" % ", ".join(waivers))
    return len(wanted) + len(waivers)


def check_texts(root, docs, problems):
    text = read(root, "src/backend/proxmox/text.c")
    known = re.findall(r"\{ PVE_\w+,\s*\"([^\"]+)\" \}", text)
    part = docs.split("\n## Errors\n", 1)[1].split("\n## ", 1)[0]
    written = set(re.findall(r"`([^`]+)`", part))
    if len(known) < 40:
        problems.append("only %d texts found: has the form of the table changed?" % len(known))
    for words in known:
        if words not in written:
            problems.append("the text \"%s\" isn't in the table of errors" % words)
    return len(known)


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else "."
    docs, problems = read(root, "docs/proxmox.md"), []
    checked = check_keys(root, docs, problems) + check_texts(root, docs, problems)
    for problem in problems:
        print("docs/proxmox.md: " + problem, file=sys.stderr)
    print("%d names, %d problems" % (checked, len(problems)))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
