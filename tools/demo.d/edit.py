# SPDX-License-Identifier: Apache-2.0
"""Changes a config.json: edit.py CONFIG PATH=JSON..., where PATH is like process.args or root.readonly."""

import json
import sys


def main():
    with open(sys.argv[1], encoding='utf-8') as f:
        config = json.load(f)
    for change in sys.argv[2:]:
        path, value = change.split('=', 1)
        *parents, name = path.split('.')
        place = config
        for parent in parents:
            place = place.setdefault(parent, {})
        place[name] = json.loads(value)
    with open(sys.argv[1], 'w', encoding='utf-8') as f:
        json.dump(config, f, indent=2)


if __name__ == '__main__':
    main()
