# SPDX-License-Identifier: Apache-2.0
"""Prints the longest steps of a trace in Chrome's format: trace.py FILE COUNT."""

import json
import sys


def main():
    with open(sys.argv[1], encoding='utf-8') as f:
        trace = json.load(f)
    events = trace['traceEvents'] if isinstance(trace, dict) else trace
    timed = [e for e in events if e.get('ph') == 'X']
    print('%d steps; the longest:' % len(timed))
    for e in sorted(timed, key=lambda e: -e['dur'])[:int(sys.argv[2])]:
        print('%9.0f us  %s' % (e['dur'], e['name']))


if __name__ == '__main__':
    main()
