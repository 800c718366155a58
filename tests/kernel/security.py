#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Attacks on the runtime, each the way it was done to others: they must fail, and leave the host as it was."""
import ctypes
import fcntl
import hashlib
import re
import threading

from box import *

RENAME_EXCHANGE = 2
libc = ctypes.CDLL(None, use_errno=True)


def read(path):
    with open(path, encoding='utf-8', errors='replace') as f:
        return f.read()


def exchange(a, b):
    return libc.renameat2(-100, a.encode(), -100, b.encode(), RENAME_EXCHANGE) == 0


def add(*mounts_):
    def edit(config):
        config['mounts'].extend(mounts_)
    return edit


def bind(source, destination, *options):
    return {'destination': destination, 'type': 'bind', 'source': source, 'options': ['bind', *options]}


def compiled(box, rootfs, name, text):
    source = os.path.join(box.folder, name + '.c')
    with open(source, 'w', encoding='ascii') as f:
        f.write('#define _GNU_SOURCE\n' + text)
    subprocess.run(['gcc', '-static', '-o', '%s/bin/%s' % (rootfs, name), source], check=True, stderr=subprocess.DEVNULL)


def sentinel(box):
    """A folder of the host that an attack aims at, and a function that says whether it is untouched."""
    path = os.path.join(box.folder, 'host')
    os.makedirs(path + '/etc')
    with open(path + '/etc/victim', 'w', encoding='ascii') as f:
        f.write('untouched')

    def state():
        return sorted((d, tuple(sorted(n)), tuple(sorted((x, read(os.path.join(d, x)), os.stat(os.path.join(d, x)).st_mode)
                                                         for x in f))) for d, n, f in os.walk(path))
    before = state()
    return path, lambda: same(before, state(), 'the host\'s files')


def sha(path):
    with open(path, 'rb') as f:
        return hashlib.sha256(f.read()).hexdigest()


class Attacker:
    """Does something over and over in a thread, as fast as it goes."""

    def __init__(self, action):
        self.go = True
        self.n = 0
        self.thread = threading.Thread(target=self.work, args=(action,))

    def work(self, action):
        while self.go:
            action()
            self.n += 1

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.go = False
        self.thread.join()


def during(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield


# -- fds -------------------------------------------------------------------------------------------------

def with_200_fds(box, *args):
    fds = [os.open('/etc', os.O_RDONLY | os.O_DIRECTORY) for _ in range(200)]
    try:
        return box.call(*args, pass_fds=fds)
    finally:
        for fd in fds:
            os.close(fd)


def fd_2_no_fd_of_the_caller_reaches_the_program(box):
    r = with_200_fds(box, 'run', '--bundle', box.bundle(None, ['ls', '/proc/self/fd']), 'c').ok()
    same(['0', '1', '2', '3'], r.out.split())   # 3: of ls itself
    box.start()
    same(['0', '1', '2', '3'], with_200_fds(box, 'exec', 'c', 'ls', '/proc/self/fd').ok().out.split())
    same({'0', '1', '2'}, set(os.listdir('/proc/%d/fd' % box.state()['pid'])))


def fd_2_a_program_below_a_leaked_fd_is_not_found(box):
    box.start(id='e')
    for n in (3, 4, 5, 6, 7, 8, 9, 10, 11, 20, 100, 200):
        word = '/proc/self/fd/%d/../bin/sh' % n
        r = with_200_fds(box, 'run', '--bundle', box.bundle(None, [word, '-c', 'echo escaped']), 'c')
        if r.status == 0:
            fail('%s: %s' % (word, r.out))
        r = with_200_fds(box, 'exec', 'e', word, '-c', 'echo escaped')
        if r.status == 0:
            fail('%s: %s' % (word, r.out))


def exec_3_a_working_directory_of_a_leaked_fd_is_refused(box):
    box.start(id='e')
    rootfs = box.rootfs()
    os.symlink('/proc/self/fd/7', rootfs + '/link')
    for n in list(range(3, 16)) + [50, 100, 200]:
        for cwd in ('/proc/self/fd/%d' % n, '/proc/self/fd/%d/..' % n):
            r = with_200_fds(box, 'run', '--bundle', box.bundle(None, ['ls'], rootfs, cwd=cwd), 'c')
            if r.status == 0 and 'passwd' in r.out:
                fail('run in %s: %s' % (cwd, r.out))
        r = with_200_fds(box, 'exec', '--cwd', '/proc/self/fd/%d' % n, 'e', 'ls')
        if r.status == 0:
            fail('exec in fd %d: %s' % (n, r.out))
    r = with_200_fds(box, 'run', '--bundle', box.bundle(None, ['ls'], rootfs, cwd='/link'), 'c')
    if r.status == 0:
        fail('run in /link: %s' % r.out)


def exec_3_a_working_directory_outside_is_refused(box):
    box.start()
    for cwd in ('/proc/1/cwd/..', '/../../..', '/nowhere', '/etc/passwd'):
        r = box.exec('pwd', options=['--cwd', cwd])
        if r.status == 0:
            has('/', r.out.strip()[:1])
            has_not(r.out, 'unreachable')
        else:
            has_not(r.out, '/')


def fd_1_closed_standard_streams_are_filled(box):
    bundle = box.bundle(None, 'ls -l /proc/self/fd > /out')
    subprocess.run(
        ['sh', '-c', 'exec "$@" <&- >&- 2>&-', 'x', CTRCTL, '--root', box.root, 'run', '--keep', '--bundle', bundle, 'c'],
        check=True, timeout=20)
    text = read(json.loads(read(bundle + '/config.json'))['root']['path'] + '/out')
    same({'0', '2'}, set(re.findall(r' (\d+) -> /dev/null', text)) - {'1'})
    has_not(text, box.root)


def fd_7_nothing_of_the_environment_of_the_caller_arrives(box):
    env = {**os.environ, 'SECRET': 'secret', 'LD_PRELOAD': '/nowhere.so', 'LISTEN_FDS': ''}
    r = box.call('run', '--bundle', box.bundle(None, ['cat', '/proc/self/environ']), 'c', env=env).ok()
    has_not(r.out, 'secret')
    has_not(r.out, 'LD_PRELOAD')
    box.start()
    has_not(box.call('exec', 'c', 'cat', '/proc/self/environ', env=env).ok().out, 'secret')


def fd_8_signals_are_as_new(box):
    script = 'exec grep -E "Sig(Blk|Ign|Cgt)" /proc/self/status'
    out = subprocess.run(['sh', '-c', 'trap "" HUP INT QUIT PIPE CHLD USR1; exec "$@"', 'x', CTRCTL, '--root', box.root, 'run',
                          '--bundle', box.bundle(None, script), 'c'], capture_output=True, check=True, timeout=20).stdout
    same([0, 0, 0], [int(x.split()[1], 16) for x in out.decode().splitlines()])


def fd_8_the_session_keyring_is_new(box):
    mark = 'ctrctl-test-%s' % box.tag
    script = ('import ctypes,sys,subprocess; l=ctypes.CDLL(None); k=l.syscall(250,1,None); '
              'l.syscall(248,b"user",b"%s",b"x",1,ctypes.c_int(-3)); sys.exit(subprocess.call(sys.argv[1:]))' % mark)
    rootfs = box.rootfs()
    compiled(box, rootfs, 'findkey', '#include <stdio.h>\n#include <sys/syscall.h>\n#include <unistd.h>\n'
             'int main(void){long k=syscall(SYS_keyctl,10,-3,"user","%s",0);puts(k<0?"none":"found");return 0;}' % mark)
    run = [CTRCTL, '--root', box.root, 'run', '--bundle', box.bundle(None, ['/bin/findkey'], rootfs), 'c']
    same(b'none\n', subprocess.run([sys.executable, '-c', script, *run], capture_output=True, check=True, timeout=20).stdout)
    # The probe can find one: with the caller's keyring kept, it does.
    run[4:4] = ['--no-new-keyring']
    same(b'found\n', subprocess.run([sys.executable, '-c', script, *run], capture_output=True, check=True, timeout=20).stdout)


# -- the runtime's own files -----------------------------------------------------------------------------

def fd_4_a_watching_container_sees_nothing_of_the_host_during_300_execs(box):
    rootfs = box.rootfs()
    compiled(box, rootfs, 'watch', r'''
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
static char mounts[65536];
static long seen, strange;
static struct stat image[4];
/* Anything that isn't on a mount of the container is an inode of the host. */
static int is_ours(dev_t dev)
{
	char word[32];
	snprintf(word, sizeof(word), " %u:%u ", major(dev), minor(dev));
	return strstr(mounts, word) != NULL;
}
static void look(const char *path)
{
	struct stat st;
	char link[300], self[64];
	int fd = open(path, O_PATH);
	if (fd < 0)
		return;
	seen++;
	/* By our own fd: the process may be gone by now. */
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	ssize_t n = readlink(self, link, sizeof(link) - 1);
	link[n < 0 ? 0 : n] = 0;
	if (strncmp(link, "/memfd:", 7) == 0) {
		int w = open(self, O_WRONLY);
		if (w >= 0 && (write(w, "x", 1) == 1 || ftruncate(w, 0) == 0))
			printf("written %s %s\n", path, link);
		if (w >= 0)
			close(w);
	} else if (fstat(fd, &st) == 0 && (S_ISDIR(st.st_mode) || S_ISREG(st.st_mode))) {
		/* The image lies on the same file system as the host's files: there, by number. */
		int known = is_ours(st.st_dev);
		if (st.st_dev == image[0].st_dev)
			known = st.st_ino == image[0].st_ino || st.st_ino == image[1].st_ino ||
				st.st_ino == image[2].st_ino || st.st_ino == image[3].st_ino;
		if (!known && strange++ < 20)
			printf("host %s %s\n", path, link);
	}
	close(fd);
}
int main(void)
{
	static const char *const links[] = { "exe", "cwd", "root" };
	char path[300];
	int fd = open("/proc/self/mountinfo", O_RDONLY);
	ssize_t n, at = 0;
	while ((n = read(fd, mounts + at, sizeof(mounts) - 1 - at)) > 0)
		at += n;
	stat("/", &image[0]);
	stat("/bin/busybox", &image[1]);
	stat("/bin/watch", &image[2]);
	stat("/etc/passwd", &image[3]);
	setvbuf(stdout, NULL, _IONBF, 0);
	puts("watching");
	while (access("/dev/shm/stop", F_OK) < 0) {
		DIR *proc = opendir("/proc");
		for (struct dirent *d; (d = readdir(proc));) {
			int pid = atoi(d->d_name);
			if (pid < 2 || pid == getpid())
				continue;
			for (int i = 0; i < 3; i++) {
				snprintf(path, sizeof(path), "/proc/%d/%s", pid, links[i]);
				look(path);
			}
			for (int f = 0; f < 12; f++) {
				snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, f);
				look(path);
			}
			snprintf(path, sizeof(path), "/proc/%d/mem", pid);
			if ((fd = open(path, O_RDWR)) >= 0)
				close(fd);
		}
		closedir(proc);
	}
	printf("seen %ld\n", seen);
	return 0;
}
''')
    def edit(config):
        caps = DEFAULT_CAPS + ['CAP_SYS_PTRACE', 'CAP_DAC_READ_SEARCH']
        config['process']['capabilities'] = {k: caps for k in ('bounding', 'effective', 'permitted')}
    binary = sha(CTRCTL)
    box.start('/bin/watch & wait; sleep 1', edit, rootfs=rootfs)
    eventually(lambda: 'watching' in box.output())
    for _ in range(300):
        box.exec('true').ok()
    box.exec('touch', '/dev/shm/stop').ok()
    eventually(lambda: 'seen' in box.output())
    text = box.output()
    for word in ('host ', 'written '):
        if word in text:
            fail(text[:1000])
    if int(text.split('seen ')[1].split()[0]) < 100:
        fail('it saw too little: ' + text)
    same(binary, sha(CTRCTL), 'the binary')


def fd_5_the_binary_cannot_be_overwritten_through_proc_self_exe(box):
    binary = sha(CTRCTL)
    rootfs = box.rootfs()
    for word in ('/proc/self/exe', '/proc/1/exe'):
        with open(rootfs + '/bin/script', 'w', encoding='ascii') as f:
            f.write('#!%s\n' % word)
        os.chmod(rootfs + '/bin/script', 0o755)
        for args in ([word], ['/bin/script']):
            r = box.run(args, rootfs=rootfs)
            has_not(r.out, 'escaped')
        box.start(id='e', rootfs=rootfs)
        box.call('exec', 'e', word, timeout=20)
        box.call('exec', 'e', '/bin/script', timeout=20)
        box.delete('e')
    same(binary, sha(CTRCTL), 'the binary')


def fd_5_what_waits_at_the_gate_is_sealed(box):
    box.create().ok()
    pid = box.state()['pid']
    has(os.readlink('/proc/%d/exe' % pid), '/memfd:')
    fd = os.open('/proc/%d/exe' % pid, os.O_RDONLY)
    seals = fcntl.fcntl(fd, 1034)   # F_GET_SEALS
    os.close(fd)
    same(0xf, seals & 0xf, 'seals')
    for line in read('/proc/%d/maps' % pid).splitlines():
        name = line.split(None, 5)[5] if len(line.split(None, 5)) > 5 else ''
        if name.startswith('/') and not name.startswith('/memfd:'):
            fail('a file of the host is mapped: ' + line)


def fd_6_nothing_of_the_image_is_loaded_into_the_runtime(box):
    rootfs = box.rootfs()
    compiled(box, rootfs, 'none', 'int main(void){return 0;}')
    source = os.path.join(box.folder, 'evil.c')
    with open(source, 'w', encoding='ascii') as f:
        f.write('#include <fcntl.h>\n__attribute__((constructor)) void f(void){open("/evil-was-here",O_CREAT|O_RDWR,0666);}')
    os.makedirs(rootfs + '/lib/x86_64-linux-gnu', exist_ok=True)
    for name in ('libnss_evil.so.2', 'libc.so.6', 'preload.so'):
        subprocess.run(['gcc', '-shared', '-fPIC', '-o', rootfs + '/lib/x86_64-linux-gnu/' + name, source], check=True)
    for name, text in (('nsswitch.conf', 'passwd: evil\ngroup: evil\n'), ('ld.so.preload', '/lib/x86_64-linux-gnu/preload.so\n')):
        with open(rootfs + '/etc/' + name, 'w', encoding='ascii') as f:
            f.write(text)
    box.start(rootfs=rootfs)
    box.exec('true', options=['--user', '1000:1000']).ok()
    if os.path.exists(rootfs + '/evil-was-here'):
        fail('code of the image ran in the runtime')


# -- the root filesystem ---------------------------------------------------------------------------------

def proc_6_links_for_proc_and_sys_are_refused(box):
    host, untouched = sentinel(box)
    for name in ('proc', 'sys'):
        for target in (host, '../' * 12 + host[1:], '/etc', 'etc', '.', '/'):
            rootfs = box.rootfs()
            shutil.rmtree(rootfs + '/' + name, ignore_errors=True)
            os.symlink(target, rootfs + '/' + name)
            box.run('true', rootfs=rootfs).fails(1, '/' + name)
    untouched()


def proc_6_other_spellings_of_proc_do_not_help(box):
    for destination in ('/a/../proc', '//proc', '/proc/.', '/./proc/self/attr', '/proc/../proc/sys', '/proc/self', '/sys/../proc'):
        r = box.run('cat /proc/1/comm', add({'destination': destination, 'type': 'tmpfs', 'source': 'tmpfs'}))
        r.fails(1, 'mounts[7]')
    rootfs = box.rootfs()
    os.symlink('proc', rootfs + '/x')
    os.symlink('/proc/self/attr', rootfs + '/y')
    for destination in ('/x', '/x/self/attr', '/y', '/x/sys'):
        r = box.run('grep -c "/proc/[a-z]" /proc/self/mountinfo; mount', add(
            {'destination': destination, 'type': 'tmpfs', 'source': 'tmpfs'}), rootfs=rootfs)
        if r.status == 0:
            fail('%s: %s' % (destination, r.out))


def mnt_3_links_in_the_image_lead_nowhere_on_the_host(box):
    host, untouched = sentinel(box)
    places = ['dev', 'dev/pts', 'dev/shm', 'etc', 'etc/resolv.conf', 'work', 'data']
    targets = [host, '../' * 12 + host[1:], host + '/etc', host + '/etc/new', '/nowhere/at/all', '../' * 12 + 'nowhere']
    config_file = os.path.join(box.folder, 'file')
    with open(config_file, 'w', encoding='ascii') as f:
        f.write('x')
    source = box.rootfs()
    for place in places:
        for target in targets:
            rootfs = box.rootfs(source)
            if os.path.isdir(rootfs + '/' + place) and not os.path.islink(rootfs + '/' + place):
                shutil.rmtree(rootfs + '/' + place)
            elif os.path.lexists(rootfs + '/' + place):
                os.unlink(rootfs + '/' + place)
            os.makedirs(os.path.dirname(rootfs + '/' + place), exist_ok=True)
            os.symlink(target, rootfs + '/' + place)
            edit = add(bind(config_file, '/etc/resolv.conf'), {'destination': '/data', 'type': 'tmpfs', 'source': 'tmpfs'},
                       {'destination': '/work/deep/er', 'type': 'tmpfs', 'source': 'tmpfs'})
            r = box.run('true', edit, rootfs=rootfs, cwd='/work/dir')
            if r.status not in (0, 1):
                fail('%s -> %s: status %d %s' % (place, target, r.status, r.err))
            untouched()
            if os.path.exists('/nowhere'):
                fail('%s -> %s: /nowhere was made' % (place, target))
            shutil.rmtree(rootfs)


def dev_3_a_link_for_dev_without_a_mount_on_it_stays_inside(box):
    host, untouched = sentinel(box)
    for target in (host, '../' * 12 + host[1:]):
        rootfs = box.rootfs()
        shutil.rmtree(rootfs + '/dev', ignore_errors=True)
        os.symlink(target, rootfs + '/dev')

        def edit(config):
            config['mounts'] = [m for m in config['mounts'] if not m['destination'].startswith('/dev')]
        box.run('true', edit, rootfs=rootfs)
        untouched()


def mnt_3_targets_that_hang_are_not_opened(box):
    rootfs = box.rootfs()
    os.makedirs(rootfs + '/data')
    os.mkfifo(rootfs + '/data/fifo')
    os.mkfifo(rootfs + '/work')
    box.run('true', add(bind('/etc/hostname', '/data/fifo')), rootfs=rootfs)
    box.run('true', add({'destination': '/data/fifo', 'type': 'tmpfs', 'source': 'tmpfs'}), rootfs=rootfs).fails(1, 'mounts[7]')
    box.run('true', rootfs=rootfs, cwd='/work').fails(1, 'process.cwd')
    shutil.rmtree(rootfs + '/etc')
    os.mkdir(rootfs + '/etc')
    os.mkfifo(rootfs + '/etc/passwd')
    os.mkfifo(rootfs + '/etc/group')
    box.call('run', '--bundle', box.bundle(None, 'true', rootfs), 'c', timeout=10)
    box.start(rootfs=rootfs)
    box.call('exec', '--user', '1000', 'c', 'true', timeout=10).ok()


def mnt_2_a_bind_source_is_not_taken_from_below_another_mount(box):
    """CVE-2021-30465 without the race: the source of a later mount lies in a volume that the container filled."""
    volume = os.path.join(box.folder, 'volume')
    os.mkdir(volume)
    rootfs = box.rootfs()
    os.symlink('/', volume + '/link')
    r = box.run('ls /mnt/link/ 2>/dev/null; cat /mnt/link/bundle-mark; true', add(bind(volume, '/mnt')), rootfs=rootfs).ok()
    has_not(r.out, 'bundle')
    r = box.run('ls /', add(bind(volume, '/mnt'), {'destination': '/mnt/link/x1', 'type': 'tmpfs', 'source': 'tmpfs'}),
                rootfs=rootfs)
    if os.path.exists('/x1'):
        os.rmdir('/x1')
        fail('a folder was made in the root of the host')


def mnt_1_a_rename_attacker_on_a_shared_volume_gains_nothing(box):
    """Two containers share a volume; one swaps a folder for a link to the host while the other is started."""
    host, untouched = sentinel(box)
    volume = os.path.join(box.folder, 'volume')
    os.makedirs(volume + '/a/b')
    os.symlink('../' * 12 + host[1:], volume + '/link')
    os.mkdir(volume + '/link.d')
    rootfs = box.rootfs()
    edit = add(bind(volume, '/mnt'), {'destination': '/mnt/a/etc', 'type': 'tmpfs', 'source': 'tmpfs'},
               bind('/etc/hostname', '/mnt/a/new/file'))
    script = 'if [ -e /mnt/a/etc/victim ]; then echo escaped; fi; grep -q " /mnt" /proc/self/mountinfo'
    bundle = box.bundle(edit, script, rootfs)
    hosts = mounts()
    good = bad = 0
    with Attacker(lambda: exchange(volume + '/a', volume + '/link')) as attacker:
        for _ in during(9):
            r = box.call('run', '--bundle', bundle, 'c')
            has_not(r.out, 'escaped')
            good, bad = good + (r.status == 0), bad + (r.status != 0)
            if mounts() != hosts:
                fail('the mounts of the host changed')
            if set(os.listdir(host)) != {'etc'} or set(os.listdir(host + '/etc')) != {'victim'}:
                fail('the host was written to')
    untouched()
    print('# %d starts, %d refused, %d renames' % (good + bad, bad, attacker.n))
    if good + bad < 50 or attacker.n < 1000:
        fail('too little of both')


def mask_1_dev_null_exchanged_meanwhile_unmasks_nothing(box):
    """CVE-2025-31133: the container's /dev/null is swapped for a link while paths are masked with it."""
    volume = os.path.join(box.folder, 'dev')
    os.mkdir(volume)
    os.mknod(volume + '/null', 0o20666, os.makedev(1, 3))
    os.symlink('/proc/sys/kernel/core_pattern', volume + '/link')
    pattern = read('/proc/sys/kernel/core_pattern')
    rootfs = box.rootfs()

    def edit(config):
        config['mounts'] = [m for m in config['mounts'] if not m['destination'].startswith('/dev')] + [bind(volume, '/dev')]
        config['linux']['maskedPaths'] = ['/proc/kcore', '/proc/keys', '/proc/timer_list', '/etc/passwd']
    bundle = box.bundle(edit, 'cat /etc/passwd /proc/keys 2>/dev/null | head -c 64', rootfs)
    with Attacker(lambda: exchange(volume + '/null', volume + '/link')) as attacker:
        good = 0
        for _ in during(5):
            r = box.call('run', '--bundle', bundle, 'c')
            if r.status == 0:
                good += 1
                same('', r.out, 'masked files')
    same(pattern, read('/proc/sys/kernel/core_pattern'))
    if not good or attacker.n < 500:
        fail('%d starts, %d renames' % (good, attacker.n))


def mask_2_a_masked_path_that_comes_and_goes_is_masked_or_refused(box):
    rootfs = box.rootfs()
    secret = rootfs + '/etc/secret'
    with open(secret + '.1', 'w', encoding='ascii') as f:
        f.write('secret')

    def edit(config):
        config['linux']['maskedPaths'].append('/etc/secret')
    bundle = box.bundle(edit, 'cat /etc/secret.1 2>/dev/null; cat /etc/secret 2>/dev/null; true', rootfs)

    def swap():
        os.rename(secret + '.1', secret)
        os.rename(secret, secret + '.1')
    with Attacker(swap):
        for _ in during(2):
            box.call('run', '--bundle', bundle, 'c')
    os.rename(secret + '.1', secret)
    same('', box.call('run', '--bundle', bundle, 'c').ok().out)
    # A link in its place: what it points to within the image is masked, nothing else is.
    os.rename(secret, rootfs + '/etc/behind')
    os.symlink('behind', secret)
    same('', box.call('run', '--bundle', bundle, 'c').out)


def mask_3_a_masked_folder_is_empty_and_read_only(box):
    def edit(config):
        config['linux']['maskedPaths'].append('/etc')
    same('', box.run('ls -A /etc; touch /etc/x 2>/dev/null; mkdir /etc/x 2>/dev/null; ls -A /etc', edit).ok().out)


def mnt_5_nothing_of_the_host_is_in_the_mount_table(box):
    mark = '/' + box.tag + '-not-there'
    out = box.run('cat /proc/self/mountinfo').ok().out
    places = [line.split(' - ')[0].split()[4] for line in out.splitlines()]
    expected = {'/', '/proc', '/dev', '/dev/pts', '/dev/shm', '/dev/mqueue', '/sys', '/sys/fs/cgroup'}
    extra = [p for p in places if p not in expected and not p.startswith(('/proc/', '/sys/'))]
    same([], extra)
    has_not(out, mark)


def mnt_7_there_is_no_way_up_from_the_root(box):
    rootfs = box.rootfs()
    compiled(box, rootfs, 'up', '#include <sys/stat.h>\n#include <stdio.h>\n#include <unistd.h>\nint main(void){mkdir("/up-x",0755);'
             'if(chroot("/up-x"))puts("no chroot");for(int i=0;i<99;i++)if(chdir(".."))break;chroot(".");'
             'struct stat s;puts(stat("/bundle-mark",&s)&&stat("/root/.bashrc",&s)?"inside":"escaped");return 0;}')
    with open(box.folder + '/bundle-mark', 'w', encoding='ascii'):
        pass
    same('inside\n', box.run(['/bin/up'], rootfs=rootfs).ok().out)


def mnt_6_the_cgroup_mount_is_read_only_without_a_cgroup_namespace(box):
    def edit(config):
        config['linux']['namespaces'] = [n for n in config['linux']['namespaces'] if n['type'] != 'cgroup']
    r = box.run('d=/sys/fs/cgroup; mkdir $d/x 2>&1; echo 1 > $d/cgroup.procs; for f in $(find $d -name cgroup.freeze); do '
                'echo 1 > $f; done; true', edit).ok()
    for line in (r.out + r.err).splitlines():
        has(line, 'ead-only')


# -- devices, capabilities, ids --------------------------------------------------------------------------

def dev_1_devices_that_were_not_given_cannot_be_opened(box):
    script = ('for d in "c 1 1 mem" "c 1 11 kmsg" "b 8 0 sda" "c 10 229 fuse" "b 7 0 loop" "b 254 0 vda" "c 10 200 tun"; do set -- $d; '
              'mknod /dev/shm/../$4 $1 $2 $3 2>/dev/null || mknod /$4 $1 $2 $3 || continue; '
              'for p in /dev/$4 /$4; do [ -e $p ] && head -c 1 $p 2>&1 && echo opened; done; done; true')
    out = box.run(script).ok().out
    has_not(out, 'opened')
    if out.count('Operation not permitted') < 5:
        fail(out)

    def no_devices(config):
        config['linux']['devices'] = []
        config['linux']['resources'] = {'devices': []}
    has_not(box.run(script, no_devices).ok().out, 'opened')
    has_not(box.run(script, lambda c: c['linux'].update({'resources': {'devices': [
        {'allow': True, 'type': 'c', 'major': 1, 'minor': 3, 'access': 'rwm'}]}})).ok().out, 'opened')


def cap_1_inheritable_is_empty(box):
    def capabilities(*options):
        box.start()
        text = box.exec('grep', 'Cap', '/proc/self/status', options=options).ok().out
        box.delete()
        return dict((x.split(':')[0], int(x.split()[1], 16)) for x in text.splitlines())
    for options in ([], ['--user', '1000:1000'], ['--cap', 'CAP_NET_ADMIN'], ['--user', '1000', '--cap', 'CAP_NET_ADMIN']):
        sets = capabilities(*options)
        same(0, sets['CapInh'], 'CapInh with %s' % options)
        same(0, sets['CapAmb'], 'CapAmb with %s' % options)
    for user in ({'uid': 0, 'gid': 0}, {'uid': 1000, 'gid': 1000}):
        out = box.run('grep -E "Cap(Inh|Amb)" /proc/self/status', user=user).ok().out
        same([0, 0], [int(x.split()[1], 16) for x in out.splitlines()])


def exec_4_exec_is_confined_as_init_is(box):
    def edit(config):
        config['linux']['seccomp'] = {'defaultAction': 'SCMP_ACT_ALLOW',
                                      'syscalls': [{'names': ['acct'], 'action': 'SCMP_ACT_ERRNO'}]}
        config['process']['rlimits'] = [{'type': 'RLIMIT_NOFILE', 'soft': 100, 'hard': 200}]
        config['process']['user']['umask'] = 0o27
    box.start(['sleep', '100'], edit=edit)
    pid = box.state()['pid']
    keep = ('Umask', 'Uid', 'Gid', 'Groups', 'CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb', 'NoNewPrivs', 'Seccomp',
            'Seccomp_filters', 'SigIgn', 'SigBlk')

    def facts(text):
        return {k: ' '.join(v.split()) for k, v in (x.split(':', 1) for x in text.splitlines() if ':' in x) if k in keep}
    same(facts(read('/proc/%d/status' % pid)), facts(box.exec('cat', '/proc/self/status').ok().out))
    same(read('/proc/%d/limits' % pid), box.exec('cat', '/proc/self/limits').ok().out)
    same('/', box.exec('cat', '/proc/self/cgroup').ok().out.split('0::')[1].strip())


def id_1_the_user_of_exec_is_a_number_whatever_passwd_says(box):
    rootfs = box.rootfs()
    with open(rootfs + '/etc/passwd', 'a', encoding='ascii') as f:
        for name in ('1000', '+1', '-1', '2147483648', '4294967295', '4294967296', '18446744073709551616', '1:'):
            f.write('%s:x:0:0::/:/bin/sh\n' % name)
    box.start(rootfs=rootfs)
    for word, uid in (('1000', '1000'), ('0', '0'), ('00', '0'), ('2147483648', '2147483648'), ('4294967294', '4294967294')):
        r = box.exec('id', '-u', options=['--user', word])
        if r.status == 0:
            same(uid, r.out.strip(), word)
    for word in ('+1', '-1', ' 1', '1 ', '1:', ':1', '4294967295', '4294967296', '18446744073709551616', 'root', '', '0x1', '1:2:3'):
        box.exec('id', '-u', options=['--user', word]).fails(255, 'user')


def id_3_groups_are_only_those_that_were_given(box):
    script = 'grep Groups /proc/self/status'
    done = subprocess.run(['setpriv', '--groups', '7,8,9', CTRCTL, '--root', box.root, 'run', '--bundle', box.bundle(None, script),
                           'c'], capture_output=True, check=True, timeout=20)
    for gid in ('7', '8', '9'):
        if gid in done.stdout.decode().split():
            fail(done.stdout.decode())


# -- state -----------------------------------------------------------------------------------------------

def state_1_folders_are_private_whatever_the_umask(box):
    old = os.umask(0)
    try:
        box.start()
    finally:
        os.umask(old)
    for d, names, files in os.walk(box.root):
        same(0o700, os.stat(d).st_mode & 0o7777, d)
        for f in files:
            same(0, os.lstat(os.path.join(d, f)).st_mode & 0o077, f)
    out = subprocess.run(['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups', 'ls', box.root],
                         capture_output=True, check=False)
    same(b'', out.stdout)


def state_1_the_umask_of_the_caller_does_not_leak(box):
    for mask in (0, 0o777, 0o77):
        old = os.umask(mask)
        try:
            bundle = box.bundle(None, 'umask; mkdir /a; touch /b; stat -c %a /a /b /dev/null /dev/shm')
            os.chmod(bundle, 0o755)
            os.chmod(bundle + '/config.json', 0o644)
            out = box.call('run', '--bundle', bundle, 'c').ok().out
        finally:
            os.umask(old)
        same(['0022', '755', '644', '666', '1777'], out.split())


def state_1_a_root_folder_that_is_not_safe_is_refused(box):
    bundle = box.bundle()
    real = os.path.join(box.folder, 'real')
    os.mkdir(real, 0o700)
    link, wide, other, file = (os.path.join(box.folder, n) for n in ('link', 'wide', 'other', 'file'))
    os.symlink(real, link)
    os.mkdir(wide)
    os.chmod(wide, 0o777)
    os.mkdir(other, 0o700)
    os.chown(other, 65534, 65534)
    with open(file, 'w', encoding='ascii'):
        pass
    for path in (link, wide, other, file, '/', '', 'relative'):
        r = subprocess.run([CTRCTL, '--root', path, 'run', '--bundle', bundle, 'c'], capture_output=True, check=False, timeout=20,
                           cwd=box.folder, stdin=subprocess.DEVNULL)
        if r.returncode != 1 and path != 'relative':
            fail('--root %r: status %d' % (path, r.returncode))
        if os.path.isdir(path) and path in (link, wide, other):
            same([], os.listdir(path))


def state_2_a_record_folder_that_is_a_link_is_not_followed(box):
    host, untouched = sentinel(box)
    box.start(id='a')
    os.symlink(host, box.root + '/c')
    for verb in (['state', 'c'], ['delete', '--force', 'c'], ['start', 'c'], ['kill', 'c'], ['run', '--bundle', box.bundle(), 'c']):
        box.call(*verb)
        untouched()
    if os.path.lexists(box.root + '/c'):
        os.unlink(box.root + '/c')
    same('running', box.status('a'))


def a_bundle_that_is_replaced_meanwhile_changes_nothing(box):
    bundle = box.bundle(lambda c: c.update({'hooks': {'poststop': [{'path': '/bin/true'}]}}), ['sleep', '100'])
    with open(os.devnull, 'r+b') as null:
        subprocess.run([CTRCTL, '--root', box.root, 'create', '--bundle', bundle, 'c'], stdin=null, stdout=null, stderr=null,
                       check=True, timeout=20)
    config = json.loads(read(bundle + '/config.json'))
    evil = {**config, 'hooks': {k: [{'path': '/bin/touch', 'args': ['touch', box.folder + '/evil']}]
                                for k in ('poststart', 'poststop', 'startContainer')}}
    evil['process'] = {**config['process'], 'args': ['touch', '/evil'], 'capabilities': {'bounding': ['CAP_SYS_ADMIN']}}
    with open(bundle + '/config.json', 'w', encoding='utf-8') as f:
        json.dump(evil, f)
    box.call('start', 'c').ok()
    same(b'sleep\x00100\x00', open('/proc/%d/cmdline' % box.state()['pid'], 'rb').read())
    has_not(box.exec('grep', 'CapBnd', '/proc/self/status').ok().out, '0000000000200000')
    shutil.rmtree(bundle)
    box.exec('true').ok()
    box.call('kill', 'c', 'KILL').ok()
    eventually(lambda: box.status() == 'stopped')
    box.call('delete', 'c').ok()
    if os.path.exists(box.folder + '/evil'):
        fail('a hook of the new config ran')


def lsm_1_a_label_that_cannot_be_applied_fails_the_start(box):
    for field, value in (('apparmorProfile', 'unconfined_foo'), ('apparmorProfile', 'nosuch'), ('selinuxLabel', 'a:b:c:s0')):
        def edit(config, field=field, value=value):
            config['process'][field] = value
        r = box.run('true', edit)
        if r.status == 0:
            fail('%s=%s was let through' % (field, value))


def sysctl_2_keys_of_the_host_are_refused(box):
    before = read('/proc/sys/kernel/core_pattern') + read('/proc/sys/kernel/msgmax')

    def without(kind, key, value):
        def edit(config):
            config['linux']['namespaces'] = [n for n in config['linux']['namespaces'] if n['type'] != kind]
            config['linux']['sysctl'] = {key: value}
            if kind == 'network':
                config['mounts'] = [m for m in config['mounts'] if m['type'] != 'sysfs']
            if kind == 'ipc':
                config['mounts'] = [m for m in config['mounts'] if m['type'] != 'mqueue']
            if kind == 'uts':
                del config['hostname']
        return edit
    for kind, key, value in (('none', 'kernel.core_pattern', '|/x'), ('none', 'vm.overcommit_memory', '1'),
                             ('ipc', 'kernel.msgmax', '65535'), ('ipc', 'fs.mqueue.msg_max', '11'),
                             ('network', 'net.ipv4.ip_forward', '1'), ('uts', 'kernel.domainname', 'x'),
                             ('none', 'kernel.shm_rmid_forced', '0+kernel.core_pattern=|/x'),
                             ('none', 'kernel/core_pattern', '|/x'), ('none', 'net/../kernel/core_pattern', '|/x')):
        r = box.run('true', without(kind, key, value))
        if r.status == 0:
            fail('%s=%s without %s was let through' % (key, value, kind))
    same(before, read('/proc/sys/kernel/core_pattern') + read('/proc/sys/kernel/msgmax'))


main(globals())
