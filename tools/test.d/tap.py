# SPDX-License-Identifier: Apache-2.0
"""Reads what a test program printed: TAP version 13, flat."""

import re

LINE = re.compile(r'^(not )?ok\b\s*(\d+)?\s*(?:-\s*)?(.*?)(?:\s*#\s*(skip)\S*\s*(.*))?$', re.I)
PLAN = re.compile(r'^1\.\.(\d+)(?:\s*#\s*(.*))?$')


class Result:
    """What came of one program: names of passed and failed subtests, (name, reason) of skipped ones."""

    def __init__(self):
        self.passed, self.failed, self.skipped = [], [], []

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def summary(self):
        parts = ['%d %s' % (len(names), what) for names, what in (
            (self.passed, 'passed'), (self.failed, 'failed'), (self.skipped, 'skipped')) if names]
        return ', '.join(parts) or 'no test'


def parse(text, status, program, seconds=None):
    """The Result of a program that printed text and ended with status (None: its time was up).

    A program that ends badly, or runs fewer or more tests than it planned, has one failed test more."""
    result, plan, whole_skip, ran = Result(), None, None, 0
    for line in text.split('\n'):
        if match := PLAN.match(line):
            plan, reason = int(match[1]), match[2]
            if plan == 0 and reason:
                whole_skip = re.sub(r'(?i)^skip\S*\s*', '', reason)
        elif line.startswith('Bail out!'):
            result.failed.append('%s: %s' % (program, line))
        elif match := LINE.match(line):
            ran += 1
            name = '%s: %s' % (program, match[3])
            if match[1]:
                result.failed.append(name)
            elif match[4]:
                result.skipped.append((name, match[5]))
            else:
                result.passed.append(name)
    if whole_skip is not None and ran == 0 and status == 0:
        result.skipped.append((program, whole_skip))
    elif status is None:
        result.failed.append('%s: no end after %s s' % (program, seconds))
    elif plan is None:
        result.failed.append('%s: printed no plan, ended with %d' % (program, status))
    elif plan != ran:
        result.failed.append('%s: planned %d tests, ran %d, ended with %d' % (program, plan, ran, status))
    elif status != 0 and not result.failed:
        result.failed.append('%s: ended with %d' % (program, status))
    return result
