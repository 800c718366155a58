#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The requests of tests/data/cri, in pure cgroup v2 with all controllers, with AppArmor, and with every capability.
# ext4: before 6.3 a tmpfs can't be idmapped, and one of the pods has a user namespace
export TMPDIR=/mnt/disk
exec "$(dirname "$0")/../kernel/examples.py"
