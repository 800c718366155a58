# SPDX-License-Identifier: Apache-2.0
"""tools/test.d/tap.py: no program that fails, hangs, dies or runs too little may pass."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../../tools/test.d'))
import tap  # noqa: E402

# what it says, text, exit status (None: time was up), passed, failed, skipped
CASES = [
    ('counts what passes', '1..2\nok 1 - a\nok 2 - b\n', 0, 2, 0, 0),
    ('takes a plan at the end', 'ok 1 - a\n1..1\n', 0, 1, 0, 0),
    ('reads numberless lines and diagnostics', '# note\n1..1\nok - suite::name  (0.01s)\n', 0, 1, 0, 0),
    ('counts what fails', '1..2\nok 1 - a\nnot ok 2 - b\n', 1, 1, 1, 0),
    ('counts what is skipped with its reason', '1..1\nok 1 - a # SKIP no root\n', 0, 0, 0, 1),
    ('takes a whole program as skipped', '1..0 # SKIP no VM\n', 0, 0, 0, 1),
    ('fails a skipped program that ends badly', '1..0 # SKIP no VM\n', 1, 0, 1, 0),
    ('fails a program that prints nothing', '', 0, 0, 1, 0),
    ('fails a program without a plan', 'ok 1 - a\n', 0, 1, 1, 0),
    ('fails a program that runs too little', '1..3\nok 1 - a\n', 0, 1, 1, 0),
    ('fails a program that runs too much', '1..1\nok 1 - a\nok 2 - b\n', 0, 2, 1, 0),
    ('fails a program that ends badly', '1..1\nok 1 - a\n', 3, 1, 1, 0),
    ('fails a program that was killed', '1..1\nok 1 - a\n', -9, 1, 1, 0),
    ('fails a program whose time was up', '1..1\nok 1 - a\n', None, 1, 1, 0),
    ('fails a program that bails out', '1..1\nok 1 - a\nBail out! no disk\n', 1, 1, 1, 0),
    ('takes no other text for a result', '1..1\nok 1 - a\nokay\n ok 2\nnotok\n', 0, 1, 0, 0),
]


def main():
    print('1..%d' % len(CASES))
    status = 0
    for number, (name, text, ended, *wanted) in enumerate(CASES, 1):
        result = tap.parse(text, ended, 'program')
        got = [len(result.passed), len(result.failed), len(result.skipped)]
        print('%sok %d - %s' % ('' if got == wanted else 'not ', number, name))
        if got != wanted:
            print('# wanted %s, got %s' % (wanted, got))
            status = 1
    return status


if __name__ == '__main__':
    sys.exit(main())
