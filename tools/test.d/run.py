# SPDX-License-Identifier: Apache-2.0
"""Runs the suites that tools/test asks for and sums their subtests; see tools/test --help."""

import argparse
import concurrent.futures
import fnmatch
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import tap

PROGRAM_SECONDS = 300       # for one program on this machine
PROXMOX_SECONDS = 600       # for one with sanitizers
PROXMOX_AT_ONCE = 6
PROXMOX_LONG = ('crash.py', 'bundles.py', 'create.py', 'lifecycle.py')  # begun first
COVERAGE_SECONDS = 1500     # for a build, and most tests
FRESH_SECONDS = 900         # for one that installs and builds from nothing
GUEST_PROGRAM_SECONDS = 900 # for one in a VM, where all is 10 times slower
GUEST_SECONDS = 2400        # for all of a VM


def say(text):
    print(text, flush=True)


def indent(text, lines=60):
    tail = text.replace('\r', '').rstrip('\n').split('\n')[-lines:]
    return '\n'.join('    ' + line for line in tail)


def excerpt(text, lines=25):
    """Of each failed subtest, its line and the end of the diagnostics that follow it."""
    blocks, inside = [], False
    for line in text.split('\n'):
        if line.startswith('not ok'):
            blocks.append([line])
            inside = True
        elif inside and line.startswith('#'):
            blocks[-1].append(line)
        else:
            inside = False
    return '\n'.join(indent('\n'.join(block[:1] + block[1:][-lines:])) for block in blocks)


def report(program, result, seconds, text, errors, options):
    """Says what came of a program; all that it printed goes to a file in the build folder."""
    log = os.path.join(options.build, 'test-logs', program.replace('/', '_') + '.log')
    os.makedirs(os.path.dirname(log), exist_ok=True)
    with open(log, 'w', encoding='utf-8') as f:
        f.write(text + ('\n--- stderr\n' + errors if errors else ''))
    say('%-44s %s (%.1f s)' % (program, result.summary(), seconds))
    if options.verbose:
        say(indent(text + errors, 1000))
    elif result.failed:
        say(excerpt(text) or indent(text, 30))
        say(indent(errors, 30))
        say('    all of it: %s' % log)
    for name in result.failed:
        say('  FAILED   %s' % name)
    for name, reason in result.skipped:
        say('  SKIPPED  %s: %s' % (name, reason))


def programs(folder, options):
    """The test programs in a folder of the source tree, as paths relative to it."""
    path = os.path.join(options.source, folder)
    names = sorted(os.listdir(path)) if os.path.isdir(path) else []
    return [os.path.join(folder, name) for name in names
            if name.endswith(('.sh', '.py')) and os.access(os.path.join(path, name), os.X_OK)
            and fnmatch.fnmatch(name, options.only) and starts_itself(os.path.join(path, name))]


def starts_itself(path):
    """A program has a #! line; what has none is for others to include."""
    with open(path, 'rb') as f:
        return f.read(2) == b'#!'


def environment(options):
    env = {'CTRCTL': options.ctrctl, 'BUILD': options.build, 'SOURCE': options.source, 'CACHE': options.cache}
    for name in ('CI', 'CTRCTL_MUST_RUN'):
        if name in os.environ:
            env[name] = os.environ[name]
    return env


def run_here(program, options, seconds=PROGRAM_SECONDS, **more):
    """Runs one program on this machine; whatever it started and left in its session is killed. more: of its environment."""
    begin = time.monotonic()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = subprocess.Popen([os.path.join(options.source, program)], cwd=options.source,
                                 env={**os.environ, **environment(options), **more}, stdin=subprocess.DEVNULL,
                                 stdout=out, stderr=err, start_new_session=True)
        try:
            status = child.wait(seconds)
        except subprocess.TimeoutExpired:
            status = None
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        child.wait()
        out.seek(0)
        err.seek(0)
        text, errors = (f.read().decode(errors='replace') for f in (out, err))
    result = tap.parse(text, status, program, seconds)
    report(program, result, time.monotonic() - begin, text, errors, options)
    return result


def run_folder(folder, options, seconds=PROGRAM_SECONDS):
    total = tap.Result()
    for program in programs(folder, options):
        total.add(run_here(program, options, seconds))
    return total


# --- meson test -------------------------------------------------------------------------------------

def run_meson(arguments, options):
    """Runs `meson test` and counts the subtests of its TAP programs; any other program is one test."""
    command = ['meson', 'test', '-C', options.build, '--no-rebuild', '--num-processes', '2',
               '--timeout-multiplier', '5', *arguments]
    log = os.path.join(options.build, 'meson-logs', 'testlog.json')
    if os.path.exists(log):
        os.unlink(log)
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                           errors='replace', check=False)
    total = tap.Result()
    if not os.path.exists(log):
        if ended.returncode:
            say(indent(ended.stdout + ended.stderr))
            total.failed.append('meson test: ended with %d' % ended.returncode)
        return total
    with open(log, encoding='utf-8') as f:
        tests = [json.loads(line) for line in f if line.strip()]
    for test in tests:
        total.add(meson_result(test, options))
    if ended.returncode and not total.failed:
        say(indent(ended.stdout + ended.stderr))
        total.failed.append('meson test: ended with %d' % ended.returncode)
    return total


def meson_result(test, options):
    name, status = test['name'].split(' / ')[-1], test['result']
    output, errors = test.get('stdout') or '', test.get('stderr') or ''
    if any(tap.PLAN.match(line) for line in output.splitlines()):
        seconds = '%.0f' % test['duration']
        result = tap.parse(output, None if status == 'TIMEOUT' else test['returncode'], name, seconds)
        if status in ('FAIL', 'ERROR') and not result.failed:
            result.failed.append('%s: meson says %s' % (name, status))
    else:
        result = tap.Result()
        if status in ('OK', 'EXPECTEDFAIL'):
            result.passed.append(name)
        elif status == 'SKIP':
            result.skipped.append((name, 'meson says so'))
        else:
            result.failed.append('%s: %s' % (name, status))
    report(name, result, test['duration'], output, errors, options)
    return result


def run_unit(options):
    return run_meson(['--no-suite', 'style'], options)


def run_style(options):
    return run_meson(['--suite', 'style'], options)


# --- programs on this machine -----------------------------------------------------------------------

def run_kernel(options):
    return run_folder('tests/kernel', options)


def run_proxmox(options):
    """With the program that has sanitizers, unless a test program says that it wants the ordinary one. Those mostly wait, each for a
    server of its own: several at once. Who wants the ordinary one counts or measures, and runs alone."""
    total = tap.Result()
    sanitized = os.path.join(options.build, 'sanitize/src/cli/ctrctl')
    alone, together = [], []
    for program in sorted(programs('tests/proxmox', options), key=lambda path: os.path.basename(path) not in PROXMOX_LONG):
        with open(os.path.join(options.source, program), encoding='utf-8') as f:
            (alone if '\n# program: ordinary\n' in f.read() else together).append(program)

    def run(program):
        usual = program in alone or options.chosen or not os.path.exists(sanitized)
        return run_here(program, options, PROXMOX_SECONDS, CTRCTL=options.ctrctl if usual else sanitized,
                        ORDINARY=options.ctrctl)

    with concurrent.futures.ThreadPoolExecutor(PROXMOX_AT_ONCE) as pool:
        for result in pool.map(run, together):
            total.add(result)
    for program in alone:
        total.add(run(program))
    if not options.chosen and not os.path.exists(sanitized):
        total.failed.append('proxmox: no program with sanitizers in %s' % os.path.dirname(sanitized))
    return total


def run_fuzz(options):
    total = tap.Result()
    if os.access(os.path.join(options.source, 'fuzz/run'), os.X_OK):
        total.add(run_here('fuzz/run', options, seconds=900))
    return total


def run_coverage(options):
    return run_here('tools/coverage', options, COVERAGE_SECONDS)


def run_fresh(options):
    return run_folder('tests/fresh', options, FRESH_SECONDS)


# --- programs in a VM -------------------------------------------------------------------------------

def run_guest(folder, vm_options, options):
    """Runs all programs of a folder in one VM. What they print comes back in files."""
    total, todo = tap.Result(), programs(folder, options)
    if not todo:
        return total
    share = tempfile.mkdtemp(dir=options.cache)
    try:
        command = [os.path.join(options.source, 'tools/vm'), '--share', share, '--cwd', options.source,
                   '--timeout', str(GUEST_SECONDS), '--keep', options.build, *vm_options]
        if os.path.exists(options.ctrctl):
            command += ['--keep', os.path.dirname(options.ctrctl)]
        for name, value in environment(options).items():
            command += ['--env', '%s=%s' % (name, value)]
        command += ['--', 'tools/test.d/guest', str(GUEST_PROGRAM_SECONDS), *todo]
        begin = time.monotonic()
        ended = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True, errors='replace', check=False)
        if ended.returncode or options.verbose:
            say(indent(ended.stdout))
        for number, program in enumerate(todo, 1):
            total.add(guest_result(program, os.path.join(share, str(number)), options))
        if ended.returncode:
            total.failed.append('%s: tools/vm ended with %d' % (folder, ended.returncode))
        say('%-44s (%.1f s)' % (folder + ': boot and all', time.monotonic() - begin))
    finally:
        shutil.rmtree(share)
    return total


def guest_result(program, prefix, options):
    def read(suffix):
        try:
            with open(prefix + suffix, encoding='utf-8', errors='replace') as f:
                return f.read()
        except FileNotFoundError:
            return ''
    status, seconds = (read('.status') or '125 0').split()
    text = read('.out')
    ended = None if status == '124' else int(status)
    result = tap.parse(text, ended, program, GUEST_PROGRAM_SECONDS)
    report(program, result, float(seconds), text, read('.err'), options)
    return result


def run_vm(options):
    return run_guest('tests/vm', ['--disk', '1G'], options)


def run_engines(options):
    if not programs('tests/engines', options):
        return tap.Result()
    engines = subprocess.run([os.path.join(options.source, 'tools/fetch-engines')], stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, text=True, check=False)
    if engines.returncode:
        total = tap.Result()
        total.failed.append('engines: tools/fetch-engines ended with %d' % engines.returncode)
        return total
    return run_guest('tests/engines', ['--root', engines.stdout.strip(), '--tmpfs', '/var/lib/containerd',
                                       '--tmpfs', '/var/lib/containers'], options)


# --- what is left behind ----------------------------------------------------------------------------

def traces():
    """Mounts, cgroups and containers' records of this machine: what a test could leave."""
    with open('/proc/self/mountinfo', encoding='utf-8') as f:
        found = {'mount ' + line.split()[4] for line in f}
    for top in ('/sys/fs/cgroup/unified', '/sys/fs/cgroup'):
        if os.path.exists(top + '/cgroup.procs'):
            found |= {'cgroup ' + path for path, _, _ in os.walk(top)}
            break
    if os.path.isdir('/run/ctrctl'):
        found |= {'record /run/ctrctl/' + name for name in os.listdir('/run/ctrctl') if name[0] != '.'}
    return found


SUITES = {'style': run_style, 'unit': run_unit, 'kernel': run_kernel, 'proxmox': run_proxmox, 'vm': run_vm,
          'engines': run_engines, 'fuzz': run_fuzz, 'coverage': run_coverage, 'fresh': run_fresh}


def parse_arguments():
    parser = argparse.ArgumentParser()
    for name in ('--source', '--build', '--cache', '--ctrctl'):
        parser.add_argument(name, type=os.path.realpath)
    parser.add_argument('--chosen', action='store_true', help='--ctrctl is the one to be tested everywhere')
    parser.add_argument('--only', default='*')
    parser.add_argument('--verbose', action='store_true')
    parser.add_argument('suites', nargs='+', choices=list(SUITES))
    options = parser.parse_args()
    options.must_run = os.environ.get('CI') == 'true' or os.environ.get('CTRCTL_MUST_RUN') == '1'
    return options


def main():
    options = parse_arguments()
    os.makedirs(options.cache, exist_ok=True)
    total, times = tap.Result(), []
    for suite in options.suites:
        say('== %s' % suite)
        begin, before = time.monotonic(), traces() if options.must_run else None
        result = SUITES[suite](options)
        if options.must_run:
            left = sorted(traces() - before)
            if left:
                result.failed.append('%s: left behind: %s' % (suite, ', '.join(left[:10])))
            result.failed += ['%s: skipped: %s' % skip for skip in result.skipped]
            result.skipped = []
            if not result.passed and not result.failed and options.only == '*':
                result.failed.append('%s: ran no test' % suite)
        total.add(result)
        times.append((suite, time.monotonic() - begin, result.summary()))
    say('\n== summary')
    for suite, seconds, summary in times:
        say('%-8s %6.1f s  %s' % (suite, seconds, summary))
    for name in total.failed:
        say('FAILED  %s' % name)
    for name, reason in total.skipped:
        say('SKIPPED %s: %s' % (name, reason))
    say('%d passed, %d failed, %d skipped' % (len(total.passed), len(total.failed), len(total.skipped)))
    return 1 if total.failed or not total.passed else 0


if __name__ == '__main__':
    sys.exit(main())
