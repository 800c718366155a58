#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A Debian 12 root file system: bash, dpkg and perl in it, as root and as a user, in a terminal, read-only."""
import atexit
import pty
import select

from box import *

USER = {'uid': 1000, 'gid': 1000, 'additionalGids': [1000]}


def overlay():
    """The root in the cache is shared: what is written goes to a folder of this program's."""
    folder = tempfile.mkdtemp(prefix='ctrctl-debian-')
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    names = {name: os.path.join(folder, name) for name in ('upper', 'work', 'merged')}
    for path in names.values():
        os.mkdir(path)
    subprocess.run(['mount', '-t', 'overlay', 'overlay', names['merged'], '-o',
                    'lowerdir=%s,upperdir=%s,workdir=%s' % (DEBIAN, names['upper'], names['work'])], check=True)
    atexit.register(subprocess.run, ['umount', names['merged']], check=False)
    return names['merged']


def readonly(config):
    config['root']['readonly'] = True


def bash_dpkg_and_perl_run_as_root(box):
    out = box.run(['bash', '-c', 'echo $UID; dpkg -s bash | grep ^Status; perl -e "print 6 * 7"'], rootfs=ROOT).ok().out
    same('0\nStatus: install ok installed\n42', out)


def they_run_as_a_user_who_can_not_write(box):
    script = 'id -u; id -g; dpkg -l dpkg >/dev/null && echo listed; perl -MPOSIX -e "print getuid"; touch /etc/x'
    r = box.run(['bash', '-c', script], rootfs=ROOT, user=USER)
    same('1000\n1000\nlisted\n1000', r.out)
    has(r.err, 'Permission denied')
    same(1, r.status)


def a_package_is_removed_and_its_files_with_it(box):
    r = box.run(['bash', '-c', 'dpkg --purge --force-all hostname >/dev/null 2>&1; dpkg -s hostname 2>&1; ls /bin/hostname'],
                rootfs=ROOT)
    has(r.err + r.out, 'not installed')
    has(r.err, 'No such file')


def a_read_only_root_stays_as_it_is(box):
    r = box.run(['bash', '-c', 'perl -e "print 1"; touch /x || echo refused'], readonly, rootfs=ROOT)
    same('1refused\n', r.out)
    has(r.err, 'Read-only file system')


def exec_as_another_user(box):
    box.start(['sleep', '100'], rootfs=ROOT)
    same('1000 1000\n', box.exec('bash', '-c', 'echo $UID $(id -g)', options=('--user', '1000:1000')).ok().out)
    same('0\n', box.exec('bash', '-c', 'echo $UID').ok().out)
    has(box.exec('perl', '-v').ok().out, 'This is perl')


def talk(box, lines, edit=None, **process):
    """bash in a terminal of ctrctl run's: sends lines, returns all that was shown, and the status."""
    def terminal(config):
        config['process']['terminal'] = True
        if edit:
            edit(config)
    bundle = box.bundle(terminal, ['bash', '--norc'], ROOT, **process)
    pid, master = pty.fork()
    if pid == 0:
        os.execv(CTRCTL, [CTRCTL, '--root', box.root, 'run', '--bundle', bundle, 'c'])
    os.write(master, ('\n'.join(lines) + '\n').encode())
    shown = b''
    while select.select([master], [], [], 30)[0]:
        try:
            more = os.read(master, 4096)
        except OSError:
            break
        if not more:
            break
        shown += more
    os.close(master)
    return shown.decode(errors='replace'), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def bash_is_interactive_in_a_terminal(box):
    shown, status = talk(box, ['test -t 0 && tty', 'case $- in *i*) echo inter"active";; esac', 'exit 5'])
    has(shown, '/dev/pts/0')
    has(shown, 'interactive\r\n')
    same(5, status)


def a_user_has_job_control_in_a_terminal(box):
    shown, status = talk(box, ['id -un', 'sleep 100 &', 'jobs', 'kill %1', 'exit 0'], readonly, user=USER)
    has(shown, 'Running')
    has_not(shown, 'no job control')
    same(0, status)


private_mounts()
ROOT = overlay()
main(globals())
