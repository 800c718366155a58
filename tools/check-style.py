#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Forbidden functions, licence lines, layout, sizes.

usage: check-style.py [--format] [ROOT]

Errors: forbidden functions (in tests and tools: warnings), missing SPDX line, trailing blanks, a header without guard, TODO. With --format also what clang-format
would change. Warnings: files over 800 lines (headers: 200) and functions over 80.
"""
import os
import re
import subprocess
import sys

# Unbounded, or parsing without errors, or with a shell in it (security: STR-1).
FORBIDDEN = ("strcpy strcat sprintf vsprintf strncpy strncat strtok atoi atol atoll atof gets alloca fgets system popen mktemp "
             "tmpnam tempnam").split()
CALL = re.compile(r"(?<![\w.>])(" + "|".join(FORBIDDEN) + r")\s*\(")
PREFIX_COMPARE = re.compile(r"\bstrncmp\s*\([^;]*\bstrlen\s*\(")
COMMENT_OR_STRING = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
NUMBERS = re.compile(r"\b(strtoul|strtol|strtoull|strtoll|strtoumax|strtoimax)\s*\(")
SPDX = "SPDX-License-Identifier: Apache-2.0"
FOLDERS = ("src", "include", "tests", "fuzz", "tools")
FILE_MAX, HEADER_MAX, FUNCTION_MAX = 800, 200, 80


def bare(text):
    """Without comments and literals, line numbers kept."""
    return COMMENT_OR_STRING.sub(lambda m: '""' + "\n" * m.group(0).count("\n"), text)


def functions(lines):
    """(name, first line, length) of every function body that begins with a lone brace in column 0."""
    start = None
    for i, line in enumerate(lines):
        if line.rstrip() == "{":
            start = i
        elif line.rstrip() == "}" and start is not None:
            head = " ".join(lines[max(0, start - 3):start])
            name = re.findall(r"(\w+)\s*\(", head)
            yield (name[0] if name else "?", start + 1, i - start + 1)
            start = None


def check_c(path, text, errors, warnings):
    # What is shipped must obey; tests and tools only deserve a word.
    shipped = path.startswith(("src/", "include/"))
    code, sink = bare(text), errors if shipped else warnings
    for number, line in enumerate(code.split("\n"), 1):
        call = CALL.search(line)
        if call:
            sink.append(f"{path}:{number}: {call.group(1)} is forbidden")
        if PREFIX_COMPARE.search(line):
            sink.append(f"{path}:{number}: a prefix is compared by str_starts")
        if NUMBERS.search(line) and shipped:
            warnings.append(f"{path}:{number}: numbers are read by parse_u64 or parse_i64")
    if re.search(r"\b(TODO|FIXME|XXX)\b", text):
        errors.append(f"{path}: has a TODO")
    if path.endswith(".h") and not re.search(r"^#ifndef \w+_H\n#define \w+_H$", text, re.M):
        errors.append(f"{path}: has no include guard")
    lines = text.split("\n")
    limit = HEADER_MAX if path.endswith(".h") else FILE_MAX
    if len(lines) > limit:
        warnings.append(f"{path}: {len(lines)} lines are more than {limit}")
    for name, number, length in functions(lines):
        if length > FUNCTION_MAX:
            warnings.append(f"{path}:{number}: {name} has {length} lines, more than {FUNCTION_MAX}")


def check_format(root, paths, errors):
    # One run for all: starting clang-format costs more than its work. Assembly in macros is left alone.
    paths = [p for p in paths if not p.startswith("src/init/sys-")]
    run = subprocess.run(["clang-format", "--dry-run", *paths], cwd=root, capture_output=True, text=True)
    changed = {line.split(":")[0] for line in run.stderr.split("\n") if "[-Wclang-format-violations]" in line}
    for path in sorted(changed):
        errors.append(f"{path}: clang-format -i would change it")
    if run.returncode:
        errors.append(f"clang-format failed: {run.stderr[-200:]}")


def main():
    args = [a for a in sys.argv[1:] if not a.startswith("--")]
    root = args[0] if args else "."
    errors, warnings, c_files, n = [], [], [], 0
    for top in FOLDERS:
        for folder, _, names in sorted(os.walk(os.path.join(root, top))):
            for name in sorted(names):
                path = os.path.relpath(os.path.join(folder, name), root)
                is_c = name.endswith((".c", ".h"))
                if not is_c and name != "meson.build" and not name.endswith((".py", ".sh", ".S")):
                    continue
                n += 1
                with open(os.path.join(root, path), encoding="utf-8") as f:
                    text = f.read()
                if SPDX not in "\n".join(text.split("\n")[:3]):
                    errors.append(f"{path}: no SPDX line at the top")
                for number, line in enumerate(text.split("\n"), 1):
                    if line != line.rstrip():
                        errors.append(f"{path}:{number}: blanks at the end of the line")
                        break
                if is_c:
                    c_files.append(path)
                    check_c(path, text, errors, warnings)
    if "--format" in sys.argv:
        check_format(root, c_files, errors)
    if n < 20:
        errors.append(f"only {n} files found: wrong folder?")
    for warning in warnings:
        print("warning: " + warning)
    for error in errors:
        print("error: " + error, file=sys.stderr)
    print(f"{n} files, {len(errors)} errors, {len(warnings)} warnings")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
