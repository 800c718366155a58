# SPDX-License-Identifier: Apache-2.0
"""Rules by which something goes wrong, at a chosen call.

A rule's `match` is searched for in "METHOD /path" (below /api2/json, decoded), in "TASK kind id", or in "CONNECT"; it hits from
the nth match on, `count` times (0: always), with the probability given. pve.py has the list of what it may do."""

import random
import re


class Rules:
    def __init__(self):
        self.rules = []

    def add(self, **rule):
        rule.setdefault('nth', 1)
        rule.setdefault('count', 1)
        rule['pattern'] = re.compile(rule['match'])
        rule['seen'] = rule['hits'] = 0
        rule['random'] = random.Random(rule.get('seed', 1))
        self.rules.append(rule)

    def clear(self, changed=None):
        self.rules = []
        if changed:
            changed.notify_all()

    def of(self, text):
        """The first rule that hits, or None. All that match are counted."""
        hit = None
        for rule in self.rules:
            if not rule['pattern'].search(text):
                continue
            rule['seen'] += 1
            if hit or rule['seen'] < rule['nth'] or rule['count'] and rule['hits'] >= rule['count']:
                continue
            if rule['random'].random() < rule.get('probability', 1):
                rule['hits'] += 1
                hit = rule
        return hit
