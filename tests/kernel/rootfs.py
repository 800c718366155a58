#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The root filesystem: what is made where, links of the image, read-only and masked paths, ways to get into it."""
from box import *

private_mounts()


def root(**values):
    return lambda config: config['root'].update(values)


def caps(*names):
    def edit(config):
        for kind in ('bounding', 'effective', 'permitted'):
            config['process']['capabilities'][kind] = DEFAULT_CAPS + list(names)
    return edit


def info_of(box, *edits, **more):
    return mountinfo(box.run(['cat', '/proc/self/mountinfo'], both(*edits), **more).ok().out)


def secret_folder(box):
    path = os.path.join(box.folder, 'outside')
    os.makedirs(path, exist_ok=True)
    with open(path + '/secret', 'w', encoding='ascii') as f:
        f.write('secret\n')
    return path


# -- root.path and root.readonly -------------------------------------------------------------------------

def the_root_is_the_given_folder_and_nothing_of_the_host_is_left(box):
    out = box.run(['cat', '/proc/self/mountinfo']).ok().out
    for line in out.splitlines():
        m = Mount(line)
        has('/ /proc /dev /sys'.split(), '/' + m.point.split('/')[1])
    same(1, len([1 for line in out.splitlines() if Mount(line).point == '/']), 'mounts on /')


def a_relative_root_lies_in_the_bundle(box):
    bundle = box.bundle(None, 'cat /etc/passwd | head -n 1')
    with open(bundle + '/config.json', encoding='utf-8') as f:
        config = json.load(f)
    shutil.move(config['root']['path'], bundle + '/deep')
    for path in ('deep', './deep/', '../%s/deep' % os.path.basename(bundle)):
        config['root']['path'] = path
        with open(bundle + '/config.json', 'w', encoding='utf-8') as f:
            json.dump(config, f)
        box.call('run', '--bundle', bundle, 'c').ok()


def a_root_that_is_a_link_to_a_folder_works(box):
    rootfs = box.rootfs()
    os.symlink(rootfs, rootfs + '-link')
    box.run('true', rootfs=rootfs + '-link').ok()


def a_missing_root_is_named(box):
    r = box.run('true', rootfs=os.path.join(box.folder, 'no', 'rootfs')).fails(1, 'root.path', os.path.join(box.folder, 'no'), 'is missing')
    has_not(r.err, 'o such file')
    with open(os.path.join(box.folder, 'file'), 'w', encoding='ascii'):
        pass
    box.run('true', rootfs=os.path.join(box.folder, 'file')).fails(1, 'root.path', 'isn\'t a folder')

    def none(config):
        del config['root']
    box.run('true', none).fails(1, 'root')


def a_read_only_root_refuses_writes_but_not_in_its_mounts(box):
    rootfs = box.rootfs()
    r = box.run('touch /x; touch /dev/shm/y && touch /srv/z && ls /srv', both(root(readonly=True), mount('/srv', 'tmpfs', 'tmpfs', [])), rootfs=rootfs)
    has(r.err, 'Read-only file system')
    same('z\n', r.out)
    has(info_of(box, root(readonly=True))['/'].options, 'ro')
    # the host may still write
    with open(rootfs + '/from-outside', 'w', encoding='ascii'):
        pass


def destinations_are_made_in_a_read_only_root_all_the_same(box):
    box.run('touch /new/x', both(root(readonly=True), mount('/new', 'tmpfs', 'tmpfs', [])), cwd='/also/new').ok()


def a_read_only_root_works_in_a_user_namespace(box):
    r = box.run('touch /x', both(user_namespace, root(readonly=True)), rootfs=mapped_rootfs(box))
    has(r.err, 'Read-only file system')


def a_read_only_root_can_not_be_made_writable_from_inside(box):
    r = box.run('mount -o remount,rw,bind / && touch /x', both(root(readonly=True)))
    if r.status == 0:
        fail('the root was remounted')


def flags_that_the_root_has_on_the_host_stay(box):
    rootfs = box.rootfs()
    subprocess.run(['mount', '--bind', '-o', 'nosuid,nodev', rootfs, rootfs], check=True)
    try:
        subprocess.run(['mount', '-o', 'remount,bind,nosuid,nodev', rootfs], check=True)
        same({'nosuid', 'nodev', 'ro'}, info_of(box, root(readonly=True), rootfs=rootfs)['/'].options & {'nosuid', 'nodev', 'ro'})
    finally:
        subprocess.run(['umount', rootfs], check=True)


def mounts_below_the_root_come_along(box):
    rootfs = box.rootfs()
    subprocess.run(['mount', '-t', 'tmpfs', 'tmpfs', rootfs + '/srv'], check=True)
    try:
        same('tmpfs', info_of(box, rootfs=rootfs)['/srv'].type)
    finally:
        subprocess.run(['umount', rootfs + '/srv'], check=True)


# -- links of the image ----------------------------------------------------------------------------------

def a_link_in_the_root_leads_where_it_would_inside(box):
    path = secret_folder(box)
    for target, place in (('/run', '/run'), ('../run', '/run'), ('../../../../../../run', '/run'), ('/../../srv', '/srv'),
                          ('/made/of/nothing', '/made/of/nothing'), ('dangling', '/var/dangling')):
        rootfs = box.rootfs()
        shutil.rmtree(rootfs + '/var/run', ignore_errors=True)
        if os.path.islink(rootfs + '/var/run'):
            os.unlink(rootfs + '/var/run')
        os.symlink(target, rootfs + '/var/run')
        out = box.run('cat /var/run/secrets/secret; cat /proc/self/mountinfo', mount('/var/run/secrets', 'bind', path, ['bind']), rootfs=rootfs).ok().out
        has(out, 'secret\n')
        has(mountinfo('\n'.join(out.splitlines()[1:])), place + '/secrets')


def a_loop_of_links_is_refused(box):
    rootfs = box.rootfs()
    os.symlink('b', rootfs + '/a')
    os.symlink('a', rootfs + '/b')
    box.run('true', mount('/a/c', 'tmpfs', 'tmpfs', []), rootfs=rootfs).fails(1, 'mounts[7]', '/a')


def no_link_leads_a_mount_or_a_file_out_of_the_root(box):
    path = secret_folder(box)
    before = sorted(os.listdir(path))
    up = '../' * 16 + path.lstrip('/')
    for target in (up, path):
        rootfs = box.rootfs()
        os.symlink(target, rootfs + '/out')
        box.run('true', both(mount('/out/dir', 'tmpfs', 'tmpfs', []), mount('/out/file', 'bind', '/etc/passwd', ['bind'])), cwd='/out/cwd',
                rootfs=rootfs).ok()
        same(before, sorted(os.listdir(path)), 'outside')


def proc_and_sys_that_are_links_are_refused(box):
    for name in ('proc', 'sys'):
        rootfs = box.rootfs()
        os.rmdir('%s/%s' % (rootfs, name))
        os.symlink('/tmp', '%s/%s' % (rootfs, name))
        r = box.run('true', rootfs=rootfs).fails(1, '/' + name, 'symlink')
        has_not(r.err, 'o such file')


def a_dev_that_is_a_link_stays_inside(box):
    path = secret_folder(box)
    rootfs = box.rootfs()
    shutil.rmtree(rootfs + '/dev')
    os.symlink('../' * 16 + path.lstrip('/'), rootfs + '/dev')
    box.run('ls -l /dev/null', rootfs=rootfs)
    same(['secret'], os.listdir(path))


def only_harmless_files_of_proc_can_be_mounted_over(box):
    one = secret_folder(box) + '/secret'
    box.run('true', mount('/proc/sys/kernel/hostname', 'bind', one, ['bind'])).fails(1, 'mounts[7]', '/proc')
    box.run('true', mount('/proc/self/attr/current', 'bind', one, ['bind'])).fails(1, 'mounts[7]', '/proc')
    box.run('true', mount('/proc', 'bind', os.path.dirname(one), ['bind'])).fails(1, '/proc')
    same('secret\n', box.run('cat /proc/meminfo', mount('/proc/meminfo', 'bind', one, ['bind', 'ro'])).ok().out)
    same('secret\n', box.run('cat /proc/uptime', mount('/proc/../proc/uptime', 'bind', one, ['bind', 'ro'])).ok().out)


# -- propagation -----------------------------------------------------------------------------------------

def each_root_propagation_is_as_the_kernel_lists_it(box):
    where = os.path.join(box.folder, 'm')
    os.mkdir(where)
    subprocess.run(['mount', '-t', 'tmpfs', 'tmpfs', where], check=True)
    try:
        subprocess.run(['mount', '--make-shared', where], check=True)
        shutil.copytree(BUSYBOX, where + '/rootfs', symlinks=True)
        for name, kinds in (('private', set()), ('rprivate', set()), ('slave', {'master'}), ('rslave', {'master'}), ('shared', {'shared', 'master'}),
                            ('rshared', {'shared', 'master'}), ('unbindable', {'unbindable'}), ('runbindable', {'unbindable'}), (None, {'master'})):
            edit = linux(rootfsPropagation=name) if name else linux()
            peers = info_of(box, edit, rootfs=where + '/rootfs')['/'].peers
            same(kinds, {word.split(':')[0] for word in peers.split()} - {'propagate_from'}, str(name))
        box.run('true', linux(rootfsPropagation='cow')).fails(1, 'rootfsPropagation', 'cow')
    finally:
        subprocess.run(['umount', '-l', where], check=True)


def host_mounts_reach_a_slave_root_and_not_a_private_one(box):
    where = os.path.join(box.folder, 'm')
    os.mkdir(where)
    subprocess.run(['mount', '-t', 'tmpfs', 'tmpfs', where], check=True)
    try:
        subprocess.run(['mount', '--make-shared', where], check=True)
        shutil.copytree(BUSYBOX, where + '/rootfs', symlinks=True)
        for name, arrives in (('slave', True), ('private', False), (None, True)):
            box.start(edit=linux(rootfsPropagation=name) if name else linux(), rootfs=where + '/rootfs')
            pid = box.state()['pid']
            subprocess.run(['mount', '-t', 'tmpfs', 'tmpfs', where + '/rootfs/srv'], check=True)
            same(arrives, '/srv' in mountinfo_of(pid), str(name))
            subprocess.run(['umount', where + '/rootfs/srv'], check=True)
            same(False, '/srv' in mountinfo_of(pid), str(name) + ' after umount')
            box.delete()
    finally:
        subprocess.run(['umount', '-l', where], check=True)


# -- masked and read-only paths --------------------------------------------------------------------------

def masked_files_read_empty_and_masked_folders_are_empty(box):
    rootfs = box.rootfs()
    path = rootfs + '/secrets'
    os.mkdir(path)
    with open(path + '/f', 'w', encoding='ascii') as f:
        f.write('secret')
    shutil.copytree(path, rootfs + '/more')
    r = box.run('cat /secrets/f | wc -c; ls -A /more; ls -A /etc; cat /proc/keys /proc/kcore | wc -c; touch /more/x; mkdir /etc/y',
                linux(maskedPaths=['/secrets/f', '/more', '/etc', '/proc/keys', '/proc/kcore', '/nowhere', '/no/where', '/etc/passwd']), rootfs=rootfs)
    same(['0', '0'], r.out.split())
    same(2, r.err.count('Read-only'), r.err)


def masked_folders_share_one_file_system(box):
    rootfs = box.rootfs()
    paths = ['/masked%d' % i for i in range(20)]
    for p in paths:
        os.mkdir(rootfs + p)
    info = info_of(box, linux(maskedPaths=paths + ['/proc/keys', '/proc/timer_list']), rootfs=rootfs)
    same(1, len({info[p].device for p in paths}), 'devices')
    same([{'ro', 'nosuid', 'nodev', 'noexec', 'relatime'}] * 20, [info[p].options for p in paths])
    has(info['/proc/keys'].options, 'ro')


def a_masked_file_gives_no_way_to_the_hosts_dev_null(box):
    before = os.stat('/dev/null')
    r = box.run('chmod 600 /proc/keys; chown 5:5 /proc/keys; touch -d 2001-01-01 /proc/keys; echo x > /proc/keys')
    after = os.stat('/dev/null')
    same((before.st_mode, before.st_uid, before.st_mtime), (after.st_mode, after.st_uid, after.st_mtime))
    has(r.err, 'Read-only')


def masks_hold_in_a_user_namespace(box):
    same('0\n', box.run('cat /proc/keys /proc/timer_list | wc -c', user_namespace, rootfs=mapped_rootfs(box)).ok().out)


def a_link_of_the_image_does_not_unmask(box):
    rootfs = box.rootfs()
    os.mkdir(rootfs + '/real')
    with open(rootfs + '/real/f', 'w', encoding='ascii') as f:
        f.write('x')
    os.symlink('real', rootfs + '/link')
    same('', box.run('ls -A /link; ls -A /real', linux(maskedPaths=['/link']), rootfs=rootfs).ok().out)


def read_only_paths_refuse_writes_with_all_that_is_below(box):
    rootfs = box.rootfs()
    os.makedirs(rootfs + '/data/sub')
    r = box.run('touch /data/x; touch /data/sub/x; echo 1 > /proc/sys/kernel/msgmax; touch /tmp/ok',
                both(mount('/data/sub', 'tmpfs', 'tmpfs', []),
                     linux(readonlyPaths=['/data', '/proc/sys', '/nowhere', '/no/where'])), rootfs=rootfs).ok()
    same(3, r.err.count('Read-only'), r.err)
    info = info_of(box, mount('/data/sub', 'tmpfs', 'tmpfs', []), linux(readonlyPaths=['/data']), rootfs=rootfs)
    same(('tmpfs', True), (info['/data/sub'].type, 'ro' in info['/data/sub'].options))


def a_read_only_path_keeps_the_other_flags_of_its_mount(box):
    info = info_of(box)
    same({'ro', 'nosuid', 'nodev', 'noexec', 'relatime'}, info['/proc/sys'].options)


def the_default_proc_can_not_be_written(box):
    r = box.run('for f in /proc/sys/kernel/hostname /proc/sysrq-trigger /proc/sys/kernel/core_pattern /proc/irq/default_smp_affinity; do'
                '  [ ! -e $f ] || { echo x > $f && echo wrote $f; }; done; true').ok()
    has_not(r.out, 'wrote')


# -- ways into the root ----------------------------------------------------------------------------------

def no_pivot_ends_in_the_same_place(box):
    bundle = box.bundle(root(readonly=True), 'pwd; ls /; readlink /proc/self/root; ls -A /sys/firmware; touch /x')
    r = box.call('run', '--no-pivot', '--bundle', bundle, 'c')
    has(r.out, '/\n')
    has(r.out, 'proc')
    has_not(r.out, 'lost+found')
    has(r.err, 'Read-only')


def no_pivot_gives_no_way_out_by_dots(box):
    bundle = box.bundle(None, 'cd ..; cd ../../..; pwd; ls -d /work 2>/dev/null; ls')
    r = box.call('run', '--no-pivot', '--bundle', bundle, 'c').ok()
    same('/', r.out.splitlines()[0])
    same(sorted(os.listdir(BUSYBOX)), sorted(set(r.out.split()[1:]) & set(os.listdir(BUSYBOX))))


def without_a_mount_namespace_it_is_chrooted(box):
    def edit(config):
        config['linux'].update(namespaces=[{'type': 'pid'}], maskedPaths=[], readonlyPaths=[])
        config['mounts'] = []
        del config['hostname']
    rootfs = box.rootfs()
    before = mounts()
    out = box.run('ls /; ls -l /dev/null; echo x > /dev/null; cd ../..; pwd', edit, rootfs=rootfs).ok().out
    has(out, 'crw-rw-rw-')
    same('/', out.splitlines()[-1])
    same(before, mounts())

    def with_mounts(config):
        m = config['mounts']
        edit(config)
        config['mounts'] = m
    box.run('true', with_mounts).fails(1, 'mounts', 'MNT namespace')
    box.run('true', both(edit, root(readonly=True))).fails(1, 'root.readonly')
    box.run('true', both(edit, linux(maskedPaths=['/etc']))).fails(1, 'maskedPaths')
    box.run('true', both(edit, linux(readonlyPaths=['/etc']))).fails(1, 'readonlyPaths')


def a_mount_namespace_can_be_joined(box):
    box.start(id='a')
    pid = box.state('a')['pid']

    def edit(config):
        for ns in config['linux']['namespaces']:
            if ns['type'] in ('mount', 'pid'):
                ns['path'] = '/proc/%d/ns/%s' % (pid, ns['type'].replace('mount', 'mnt'))
        config['root']['path'] = '/'
        config['mounts'] = []
        config['linux'].update(maskedPaths=[], readonlyPaths=[])
    out = box.run('readlink /proc/self/ns/mnt; ls /', edit, id='b').ok().out
    same(os.readlink('/proc/%d/ns/mnt' % pid), out.splitlines()[0])
    box.run('true', both(edit, root(readonly=True)), id='b').fails(1, 'root.readonly')
    box.run('true', both(edit, linux(rootfsPropagation='private')), id='b').fails(1, 'rootfsPropagation')


main(globals())
