#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The default seccomp profile says what the facts about containerd's say: for each machine, without and with each capability.

usage: check-seccomp-default.py PRINT-SECCOMP-DEFAULT seccomp_default_facts.json

A call that one side has alone is named.
"""
import collections
import json
import subprocess
import sys

# Machine -> its names in the facts: of the architectures, of the calls that only it has.
MACHINES = {"amd64": ("amd64", "amd64"), "arm64": ("arm64", "arm|arm64")}
# Machines of the facts that this program isn't built for.
NOT_BUILT = {"ppc64le", "386", "s390|s390x", "riscv64"}
EPERM, ENOSYS = 1, 38
ADMIN = "CAP_SYS_ADMIN"


def read_profiles(program):
    archs, defaults, rules = collections.defaultdict(set), {}, collections.defaultdict(set)
    for line in subprocess.run([program], check=True, capture_output=True, text=True).stdout.splitlines():
        kind, machine, *rest = line.split()
        if kind == "arch":
            archs[machine].add(rest[0])
        elif kind == "default":
            defaults[machine, rest[0]] = (rest[1], int(rest[2]))
        else:
            cap, name, action, errno, *args = rest
            rules[machine, cap].add((name, action, int(errno), tuple(args)))
    return archs, defaults, rules


def allow(names):
    return {(name, "SCMP_ACT_ALLOW", 0, ()) for name in names}


def condition(name, index, op, value, two=0):
    return (name, "SCMP_ACT_ALLOW", 0, (str(index), "SCMP_CMP_" + op, str(value), str(two)))


def wanted(facts, machine, cap):
    rules = allow(facts["base_allow"]) | allow(facts["arch_rules"][MACHINES[machine][1]])
    for rule in facts["kernel_version_rules"]:
        rules |= allow(rule["allow"])  # 4.8 is older than any kernel that can run this program
    for rule in facts["arg_rules"]:
        rules |= {condition(name, rule["arg_index"], rule["op"], rule["value"]) for name in rule["names"]}
    if cap in facts["capability_rules"]:
        rules |= allow(facts["capability_rules"][cap])
    if cap == ADMIN:
        return rules
    for rule in facts["without_CAP_SYS_ADMIN"]:
        for name in rule["names"]:
            if rule["action"] == "ALLOW":
                rules.add(condition(name, rule["arg_index"], rule["op"], rule["mask"], rule["value"]))
            else:
                rules.add((name, "SCMP_ACT_ERRNO", ENOSYS, ()))
    return rules


def compare(archs, defaults, rules, facts):
    problems = []
    unknown = set(facts["arch_rules"]) - NOT_BUILT - {names[1] for names in MACHINES.values()}
    problems += [f"arch_rules: nobody decided about {name}" for name in sorted(unknown)]
    problems += [f"capability_rules: {cap} is no capability" for cap in sorted(facts["capability_rules"]) if ("amd64", cap) not in rules]
    for machine, (name, _) in MACHINES.items():
        want = {"SCMP_ARCH_" + a for a in facts["architectures"][name]}
        if archs[machine] != want:
            problems.append(f"{machine}: architectures {sorted(archs[machine])}, not {sorted(want)}")
    for (machine, cap), have in sorted(rules.items()):
        if defaults[machine, cap] != ("SCMP_ACT_" + facts["default_action"], EPERM):
            problems.append(f"{machine} {cap}: the default is {defaults[machine, cap]}")
        want = wanted(facts, machine, cap)
        problems += [f"{machine} {cap}: the table lacks {rule}" for rule in sorted(want - have)]
        problems += [f"{machine} {cap}: the facts lack {rule}" for rule in sorted(have - want)]
    return problems


def main():
    with open(sys.argv[2], encoding="utf-8") as f:
        doc = json.load(f)
    archs, defaults, rules = read_profiles(sys.argv[1])
    problems = compare(archs, defaults, rules, doc["containerd"])
    never = set(doc["never_allowed_without_cap_in_containerd"])
    for machine in MACHINES:
        names = {rule[0] for rule in rules[machine, "-"]} & never
        problems += [f"{machine}: {name} is never to be allowed" for name in sorted(names)]
    for problem in problems:
        print(problem)
    print(f"{len(rules)} profiles, {len(problems)} problems")
    return 1 if problems or len(rules) < 80 else 0


if __name__ == "__main__":
    sys.exit(main())
