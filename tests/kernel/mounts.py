#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""mounts[]: every kind and every option, as the kernel lists them and as they behave."""
from box import *

private_mounts()


def folder(box, name='source', mode=0o755):
    path = os.path.join(box.folder, name)
    os.makedirs(path)
    os.chmod(path, mode)
    return path


def file(*parts, text='', mode=0o644, owner=(0, 0)):
    path = os.path.join(*parts)
    with open(path, 'w', encoding='utf-8') as f:
        f.write(text)
    os.chown(path, *owner)
    os.chmod(path, mode)
    return path


class HostMount:
    """A mount on the host's side for the length of a with."""

    def __init__(self, path, *options, type='tmpfs', source='tmpfs'):
        os.makedirs(path, exist_ok=True)
        self.path, self.command = path, ['mount', '-t', type, *options, source, path]

    def __enter__(self):
        subprocess.run(self.command, check=True)
        return self.path

    def __exit__(self, *_):
        subprocess.run(['umount', '-l', '-R', self.path], check=True)


def mounted(path, *how):
    subprocess.run(['mount', *how, path], check=True)


def seen(box, *edits, **more):
    """mountinfo inside."""
    return mountinfo(box.run(['cat', '/proc/self/mountinfo'], both(*edits), **more).ok().out)


def caps(*names):
    def edit(config):
        for kind in ('bounding', 'effective', 'permitted'):
            config['process']['capabilities'][kind] = DEFAULT_CAPS + list(names)
    return edit


# -- flags of one mount ----------------------------------------------------------------------------------

FLAGS = ('ro', 'nosuid', 'nodev', 'noexec', 'noatime', 'nodiratime', 'nosymfollow')


def each_flag_is_on_a_new_file_system(box):
    info = seen(box, *[mount('/m/' + f, 'tmpfs', 'tmpfs', [f]) for f in FLAGS])
    for f in FLAGS:
        wanted = {f, 'relatime'} if f != 'noatime' else {f}
        same(wanted | (set() if f == 'ro' else {'rw'}), info['/m/' + f].options, f)


def each_flag_is_on_a_bind_mount(box):
    path = folder(box)
    info = seen(box, *[mount('/m/' + f, 'bind', path, ['bind', f]) for f in FLAGS])
    for f in FLAGS:
        wanted = {f, 'relatime'} if f != 'noatime' else {f}
        same(wanted | (set() if f == 'ro' else {'rw'}), info['/m/' + f].options, f)


def each_flag_can_be_taken_away_from_a_bind_mount(box):
    with HostMount(os.path.join(box.folder, 'm'), '-o', ','.join(FLAGS)) as path:
        for plain, flag in zip(('rw', 'suid', 'dev', 'exec', 'atime', 'diratime', 'symfollow'), FLAGS):
            info = seen(box, mount('/m', 'bind', path, ['bind', plain]))
            has_not(info['/m'].options, flag)
            same(set(FLAGS) - {flag}, info['/m'].options & set(FLAGS), plain)


def flags_that_nobody_named_stay_on_a_bind_mount(box):
    with HostMount(os.path.join(box.folder, 'm'), '-o', ','.join(FLAGS)) as path:
        info = seen(box, mount('/m', 'bind', path, ['bind']), mount('/r', 'bind', path, ['rbind', 'private']))
        for point in ('/m', '/r'):
            same(set(FLAGS), info[point].options & set(FLAGS), point)


def the_last_of_two_options_counts(box):
    info = seen(box, mount('/a', 'tmpfs', 'tmpfs', ['ro', 'nosuid', 'suid', 'rw']),
                mount('/b', 'tmpfs', 'tmpfs', ['rw', 'suid', 'nosuid', 'ro']),
                mount('/c', 'tmpfs', 'tmpfs', ['noatime', 'strictatime']),
                mount('/d', 'tmpfs', 'tmpfs', ['strictatime', 'noatime']))
    same({'rw', 'relatime'}, info['/a'].options)
    same({'ro', 'nosuid', 'relatime'}, info['/b'].options)
    same({'rw'}, info['/c'].options)
    same({'rw', 'noatime'}, info['/d'].options)


def the_access_times_are_one_choice(box):
    with HostMount(os.path.join(box.folder, 'm'), '-o', 'noatime') as path:
        wanted = {'atime': {'relatime'}, 'relatime': {'relatime'}, 'strictatime': set(), 'norelatime': {'noatime'},
                  'nostrictatime': {'noatime'}, 'noatime': {'noatime'}}
        edits = [mount('/m/' + o, 'bind', path, ['bind', o]) for o in wanted]
        info = seen(box, *edits)
        for option in ('atime', 'relatime', 'strictatime', 'noatime'):
            same(wanted[option], info['/m/' + option].options & {'noatime', 'relatime'}, option)
        edits = [mount('/r/' + o, 'bind', path, ['rbind', 'r' + o]) for o in wanted]
        info = seen(box, *edits)
        for option in ('atime', 'relatime', 'strictatime', 'noatime'):
            same(wanted[option], info['/r/' + option].options & {'noatime', 'relatime'}, 'r' + option)


def read_only_refuses_to_be_written(box):
    path = folder(box)
    out = box.run('echo x > /m/file', mount('/m', 'bind', path, ['bind', 'ro']))
    has(out.err, 'Read-only file system')
    same([], os.listdir(path))


def noexec_nosuid_nodev_and_nosymfollow_work(box):
    path = folder(box)
    shutil.copy(PROBE, path + '/id')
    os.chmod(path + '/id', 0o4755)
    os.mknod(path + '/null', 0o20666, os.makedev(1, 3))
    os.chmod(path + '/null', 0o666)
    os.symlink('/etc/hostname', path + '/link')

    def nnp(config):
        config['process']['noNewPrivileges'] = False
        config['process']['user'] = {'uid': 1000, 'gid': 1000}
    out = box.run(
        '/plain/id ids; /nosuid/id ids; /noexec/id ids; echo x >/plain/null && echo wrote; echo x >/nodev/null;'
        'readlink /nosymfollow/link; cat /nosymfollow/link',
        both(nnp, mount('/plain', 'bind', path, ['bind']), mount('/nosuid', 'bind', path, ['bind', 'nosuid']),
             mount('/noexec', 'bind', path, ['bind', 'noexec']), mount('/nodev', 'bind', path, ['bind', 'nodev']),
             mount('/nosymfollow', 'bind', path, ['bind', 'nosymfollow'])))
    same('1000 0\n1000 1000\nwrote\n/etc/hostname\n', out.out)
    for text in ('/noexec/id: Permission denied', "can't create /nodev/null: Permission denied",
                 '/nosymfollow/link\': Too many levels|/nosymfollow/link: Too many levels'):
        if not any(part in out.err for part in text.split('|')):
            fail('no %r in %r' % (text, out.err))


def noatime_leaves_the_time_of_access(box):
    path = folder(box)
    file(path, 'f', text='x')
    os.utime(path + '/f', (1000000000, 1000000000))
    box.run('cat /m/f', mount('/m', 'bind', path, ['bind', 'noatime'])).ok()
    same(1000000000, int(os.stat(path + '/f').st_atime), 'atime')
    box.run('cat /m/f', mount('/m', 'bind', path, ['bind', 'strictatime'])).ok()
    if int(os.stat(path + '/f').st_atime) == 1000000000:
        fail('strictatime left the time alone')


# -- flags of the file system ----------------------------------------------------------------------------

def flags_of_a_file_system_are_set(box):
    info = seen(box, *[mount('/m/' + o, 'tmpfs', 'tmpfs', [o]) for o in ('sync', 'dirsync', 'lazytime', 'async')],
                mount('/m/none', 'tmpfs', 'tmpfs', ['sync', 'async', 'lazytime', 'nolazytime']))
    for option in ('sync', 'dirsync', 'lazytime'):
        has(info['/m/' + option].fs_options, option)
    for option in ('sync', 'lazytime'):
        has_not(info['/m/none'].fs_options, option)


def options_without_an_effect_are_accepted(box):
    info = seen(box, mount('/a', 'tmpfs', 'tmpfs', ['defaults', 'silent', 'loud', 'nomand', 'noiversion', 'mand']),
                mount('/b', 'bind', folder(box), ['bind', 'defaults', 'silent', 'sync', 'dirsync', 'async', 'lazytime']))
    same({'rw', 'relatime'}, info['/a'].options)
    same({'rw', 'relatime'}, info['/b'].options)


def iversion_is_refused_and_never_ignored(box):
    box.run('true', mount('/a', 'tmpfs', 'tmpfs', ['iversion'])).fails(1, 'mounts[7]', 'iversion')


def options_of_the_file_system_reach_it(box):
    info = seen(box, mount('/m', 'tmpfs', 'tmpfs', ['size=1024k', 'nr_inodes=10', 'mode=1770', 'uid=5', 'gid=6']))
    same({'size=1024k', 'nr_inodes=10', 'mode=1770', 'uid=5', 'gid=6'}, info['/m'].fs_options - {'rw', 'inode64'})
    out = box.run('stat -c "%a %u %g" /m; head -c 2000000 /dev/zero > /m/big',
                  mount('/m', 'tmpfs', 'tmpfs', ['size=1024k,mode=1770', 'uid=5', 'gid=6']))
    same('1770 5 6\n', out.out)
    has(out.err, 'rror')
    box.run('head -c 2000000 /dev/zero > /m/big', mount('/m', 'tmpfs', 'tmpfs', ['size=3m'])).ok()


def a_bad_value_is_said_in_the_words_of_the_kernel(box):
    box.run('true', mount('/m', 'tmpfs', 'tmpfs', ['size=cow'])).fails(1, 'mounts[7]', 'size')


# -- recursive ones --------------------------------------------------------------------------------------

RECURSIVE = {'rro': 'ro', 'rnosuid': 'nosuid', 'rnodev': 'nodev', 'rnoexec': 'noexec', 'rnodiratime': 'nodiratime',
             'rnoatime': 'noatime', 'rnosymfollow': 'nosymfollow'}
PLAIN = {'rrw': 'ro', 'rsuid': 'nosuid', 'rdev': 'nodev', 'rexec': 'noexec', 'rdiratime': 'nodiratime', 'ratime': 'noatime',
         'rsymfollow': 'nosymfollow'}


def a_recursive_option_reaches_the_mounts_below(box):
    path = folder(box)
    with HostMount(path + '/sub'):
        info = seen(box, *[mount('/m/' + o, 'bind', path, ['rbind', o]) for o in RECURSIVE])
        for option, flag in RECURSIVE.items():
            has(info['/m/%s' % option].options, flag)
            has(info['/m/%s/sub' % option].options, flag)


def a_plain_option_does_not(box):
    path = folder(box)
    with HostMount(path + '/sub'):
        info = seen(box, *[mount('/m/' + o, 'bind', path, ['rbind', o]) for o in FLAGS])
        for flag in FLAGS:
            has(info['/m/%s' % flag].options, flag)
            has_not(info['/m/%s/sub' % flag].options, flag)


def a_recursive_option_clears_below(box):
    with HostMount(os.path.join(box.folder, 'm'), '-o', ','.join(FLAGS).replace('ro,', '')) as path:
        with HostMount(path + '/sub', '-o', ','.join(FLAGS)):
            info = seen(box, *[mount('/m/' + o, 'bind', path, ['rbind', o]) for o in PLAIN])
            for option, flag in PLAIN.items():
                has_not(info['/m/%s/sub' % option].options, flag)
                has_not(info['/m/%s' % option].options, flag)


def recursive_read_only_holds_on_a_submount_and_plain_does_not(box):
    path = folder(box)
    with HostMount(path + '/sub'):
        out = box.run('echo > /m/sub/a', mount('/m', 'bind', path, ['rbind', 'ro'])).ok()
        out = box.run('echo > /m/sub/b', mount('/m', 'bind', path, ['rbind', 'rro']))
        has(out.err, 'Read-only file system')
        same(['a'], os.listdir(path + '/sub'))


def read_only_and_recursive_read_write_combine(box):
    path = folder(box)
    with HostMount(path + '/sub', '-o', 'ro'):
        info = seen(box, mount('/m', 'bind', path, ['rbind', 'ro', 'rrw']))
        has(info['/m/sub'].options, 'rw')
        has(info['/m'].options, 'ro')


def bind_leaves_submounts_out_and_rbind_brings_them(box):
    path = folder(box)
    with HostMount(path + '/sub'):
        info = seen(box, mount('/a', 'bind', path, ['bind']), mount('/b', 'bind', path, ['rbind']), mount('/c', 'none', path, ['rbind']))
        same(['/a', '/b', '/b/sub', '/c', '/c/sub'], sorted(p for p in info if p[:2] in ('/a', '/b', '/c')))


# -- propagation -----------------------------------------------------------------------------------------

def kinds_of(peers):
    return {word.split(':')[0] for word in peers.split()}


def each_propagation_is_as_the_kernel_lists_it(box):
    wanted = {'private': set(), 'rprivate': set(), 'shared': {'shared'}, 'rshared': {'shared'}, 'slave': {'master'},
              'rslave': {'master'}, 'unbindable': {'unbindable'}, 'runbindable': {'unbindable'}}
    with HostMount(os.path.join(box.folder, 'm')) as path:
        mounted(path, '--make-shared')
        with HostMount(path + '/sub'):
            mounted(path + '/sub', '--make-shared')
            info = seen(box, *[mount('/m/' + p, 'bind', path, ['rbind', p]) for p in wanted])
            for option, kinds in wanted.items():
                same(kinds, kinds_of(info['/m/' + option].peers), option)
                if option.startswith('r'):
                    same(kinds, kinds_of(info['/m/%s/sub' % option].peers), option + ' below')


def without_a_propagation_a_bind_mount_is_private(box):
    with HostMount(os.path.join(box.folder, 'm')) as path:
        mounted(path, '--make-shared')
        same('', seen(box, mount('/m', 'bind', path, ['rbind']))['/m'].peers)


def a_later_mount_of_the_host_appears_below_slaves_and_peers_only(box):
    with HostMount(os.path.join(box.folder, 'm')) as path:
        mounted(path, '--make-shared')
        os.mkdir(path + '/late')
        kinds = ('rslave', 'slave', 'rshared', 'rprivate', 'private', 'unbindable')
        box.start(edit=both(*[mount('/m/' + k, 'bind', path, ['rbind', k]) for k in kinds]))
        pid = box.state()['pid']
        with HostMount(path + '/late'):
            info = mountinfo_of(pid)
            same(['rshared', 'rslave', 'slave'], sorted(k for k in kinds if '/m/%s/late' % k in info))
        same([], [k for k in kinds if '/m/%s/late' % k in mountinfo_of(pid)], 'after umount')


def a_mount_of_the_container_reaches_the_host_from_a_shared_one_only(box):
    with HostMount(os.path.join(box.folder, 'm')) as path:
        mounted(path, '--make-shared')
        kinds = ('rshared', 'rslave', 'rprivate')
        for k in kinds:
            os.mkdir(path + '/' + k)
        box.start(edit=both(*[mount('/m/' + k, 'bind', path, ['rbind', k]) for k in kinds]))
        pid = str(box.state()['pid'])
        for k in kinds:
            subprocess.run(['nsenter', '-t', pid, '-m', '--', '/bin/mount', '-t', 'tmpfs', 'x', '/m/%s/%s' % (k, k)], check=True)
        same(['rshared'], [k for k in kinds if path + '/' + k in mountinfo_of('self')])


def nothing_mounted_below_the_root_reaches_the_host(box):
    rootfs = box.rootfs()
    with HostMount(os.path.join(box.folder, 'm')) as path:
        mounted(path, '--make-shared')
        os.rmdir(rootfs + '/mnt')
        shutil.move(rootfs, path + '/rootfs')
        before = mounts()
        box.start(edit=linux(rootfsPropagation='rshared'), rootfs=path + '/rootfs')
        same(before, mounts(), 'host mounts')
        pid = str(box.state()['pid'])
        subprocess.run(['nsenter', '-t', pid, '-m', '--', '/bin/mount', '-t', 'tmpfs', 'x', '/srv'], check=True)
        same(before, mounts(), 'host mounts')
        box.delete()


# -- id maps ---------------------------------------------------------------------------------------------

def owners(text):
    return dict(line.split(' ', 1) for line in text.splitlines())


def an_idmapped_mount_follows_the_user_namespace(box):
    path = folder(box)
    file(path, 'mine', owner=(0, 0))
    file(path, 'other', owner=(1000, 1001))
    out = box.run('stat -c "%n %u %g" /m/* /p/*; echo > /m/new',
                  both(user_namespace, mount('/m', 'bind', path, ['bind', 'idmap']), mount('/p', 'bind', path, ['bind'])),
                  rootfs=mapped_rootfs(box)).ok().out
    same({'/m/mine': '0 0', '/m/other': '1000 1001', '/p/mine': '65534 65534', '/p/other': '65534 65534'}, owners(out))
    st = os.stat(path + '/new')
    same((0, 0), (st.st_uid, st.st_gid), 'owner on the host')


def a_mount_has_maps_of_its_own(box):
    path = folder(box)
    file(path, 'a', owner=(1000, 2000))
    maps = {'uidMappings': [{'containerID': 1000, 'hostID': 5000, 'size': 10}],
            'gidMappings': [{'containerID': 2000, 'hostID': 6000, 'size': 10}]}
    for options in (['bind', 'idmap'], ['bind'], ['rbind', 'ridmap']):
        same({'/m/a': '5000 6000'}, owners(box.run('stat -c "%n %u %g" /m/a', mount('/m', 'bind', path, options, **maps)).ok().out))


def idmap_is_for_the_mount_and_ridmap_for_those_below_too(box):
    path = folder(box)
    with HostMount(path + '/sub', '-o', 'bind', type='none', source=folder(box, 'below')) as sub:  # tmpfs only from 6.3
        file(path, 'a')
        file(sub, 'b')
        maps = {'uidMappings': [{'containerID': 0, 'hostID': 5000, 'size': 10}],
                'gidMappings': [{'containerID': 0, 'hostID': 6000, 'size': 10}]}
        out = box.run('stat -c "%n %u %g" /i/a /i/sub/b /r/a /r/sub/b',
                      both(mount('/i', 'bind', path, ['rbind', 'idmap'], **maps),
                           mount('/r', 'bind', path, ['rbind', 'ridmap'], **maps))).ok().out
        same({'/i/a': '5000 6000', '/i/sub/b': '0 0', '/r/a': '5000 6000', '/r/sub/b': '5000 6000'}, owners(out))


def id_maps_that_make_no_sense_are_refused(box):
    path = folder(box)
    one = [{'containerID': 0, 'hostID': 5000, 'size': 10}]
    box.run('true', mount('/m', 'bind', path, ['bind', 'idmap'])).fails(1, 'mounts[7]', 'map')
    box.run('true', mount('/m', 'bind', path, ['bind'], uidMappings=one)).fails(1, 'mounts[7]', 'both')
    box.run('true', mount('/m', 'tmpfs', 'tmpfs', ['idmap'], uidMappings=one, gidMappings=one)).fails(1, 'mounts[7]', 'bind')


def root_of_an_idmapped_mount_writes_with_the_ids_of_the_map(box):
    path = folder(box)
    maps = {'uidMappings': [{'containerID': 3000, 'hostID': 0, 'size': 10}], 'gidMappings': [{'containerID': 4000, 'hostID': 0, 'size': 10}]}
    os.chown(path, 3000, 4000)
    box.run('touch /m/new', mount('/m', 'bind', path, ['bind', 'idmap'], **maps)).ok()
    st = os.stat(path + '/new')
    same((3000, 4000), (st.st_uid, st.st_gid))


def an_idmapped_mount_can_be_read_only_and_below_a_mapped_root(box):
    path = folder(box)
    file(path, 'f', owner=(1000, 1000))
    r = box.run('stat -c "%n %u %g" /m/f; touch /m/g', both(user_namespace, mount('/m', 'bind', path, ['rbind', 'rro', 'ridmap'])),
                rootfs=mapped_rootfs(box))
    same({'/m/f': '1000 1000'}, owners(r.out))
    has(r.err, 'Read-only')


# -- tmpcopyup -------------------------------------------------------------------------------------------

def tmpcopyup_keeps_contents_modes_owners_links_and_attributes(box):
    rootfs = box.rootfs()
    os.makedirs(rootfs + '/data/deep/er')
    file(rootfs, 'data/deep/er/f', text='hello', mode=0o4751, owner=(7, 8))
    os.symlink('/nowhere/at/all', rootfs + '/data/link')
    os.lchown(rootfs + '/data/link', 9, 10)
    os.chmod(rootfs + '/data/deep', 0o2750)
    os.chown(rootfs + '/data', 3, 4)
    os.chmod(rootfs + '/data', 0o1731)
    os.setxattr(rootfs + '/data/deep/er/f', 'user.note', b'kept')
    out = box.run('stat -c "%n %a %u %g" /data /data/deep /data/deep/er/f; cat /data/deep/er/f; echo;'
                  'stat -c "%n %u %g %N" /data/link; rm -r /data/deep; touch /data/new; ls /data',
                  mount('/data', 'tmpfs', 'tmpfs', ['tmpcopyup']), rootfs=rootfs).ok().out
    same(['/data 1731 3 4', '/data/deep 2750 0 0', '/data/deep/er/f 4751 7 8', 'hello',
          "/data/link 9 10 '/data/link' -> '/nowhere/at/all'", 'link', 'new'], out.splitlines())
    same(['deep', 'link'], sorted(os.listdir(rootfs + '/data')), 'the image')


def tmpcopyup_can_be_read_only_and_limited(box):
    rootfs = box.rootfs()
    os.mkdir(rootfs + '/data')
    file(rootfs, 'data/f', text='x' * 100000)
    out = box.run('cat /data/f | wc -c; touch /data/g', mount('/data', 'tmpfs', 'tmpfs', ['tmpcopyup', 'ro', 'size=1m']), rootfs=rootfs)
    same('100000\n', out.out)
    has(out.err, 'Read-only')
    box.run('true', mount('/data', 'tmpfs', 'tmpfs', ['tmpcopyup', 'size=8k']), rootfs=rootfs).fails(1, 'mounts[7]', 'No space left')


def tmpcopyup_works_in_a_user_namespace(box):
    rootfs = mapped_rootfs(box)
    os.mkdir(rootfs + '/data')
    os.chown(rootfs + '/data', 100000, 100000)
    file(rootfs, 'data/f', text='x', owner=(101000, 101001))
    out = box.run('stat -c "%u %g" /data/f; echo y > /data/g; stat -c "%u %g" /data/g',
                  both(user_namespace, mount('/data', 'tmpfs', 'tmpfs', ['tmpcopyup'])), rootfs=rootfs).ok().out
    same('1000 1001\n0 0\n', out)


def tmpcopyup_follows_no_link_out_of_the_root(box):
    rootfs = box.rootfs()
    outside = folder(box, 'outside')
    file(outside, 'secret', text='secret')
    os.symlink('../' * 12 + outside.lstrip('/'), rootfs + '/data')
    out = box.run('ls -A /data/', mount('/data', 'tmpfs', 'tmpfs', ['tmpcopyup']), rootfs=rootfs)
    has_not(out.out, 'secret')
    same(['secret'], os.listdir(outside))


def tmpcopyup_is_for_a_tmpfs(box):
    box.run('true', mount('/m', 'bind', '/etc', ['bind', 'tmpcopyup'])).fails(1, 'mounts[7]', 'tmpcopyup')


def a_tmpfs_without_a_mode_keeps_that_of_the_folder(box):
    rootfs = box.rootfs()
    os.mkdir(rootfs + '/data')
    os.chmod(rootfs + '/data', 0o2710)
    out = box.run('stat -c %a /tmp /data /new /given', both(
        mount('/tmp', 'tmpfs', 'tmpfs', []), mount('/data', 'tmpfs', 'tmpfs', ['size=1m']), mount('/new', 'tmpfs', 'tmpfs', []),
        mount('/given', 'tmpfs', 'tmpfs', ['mode=700'])), rootfs=rootfs).ok().out
    same(['1777', '2710', '1777', '700'], out.split())


# -- remount ---------------------------------------------------------------------------------------------

def remount_changes_the_file_system(box):
    info = seen(box, mount('/m', 'tmpfs', 'tmpfs', ['size=1024k']), mount('/m', 'tmpfs', 'tmpfs', ['remount', 'ro', 'size=2048k', 'nosuid']))
    same({'ro', 'nosuid', 'relatime'}, info['/m'].options)
    has(info['/m'].fs_options, 'size=2048k')
    has(info['/m'].fs_options, 'ro')


def remount_of_a_bind_leaves_its_source_alone(box):
    path = folder(box)
    info = seen(box, mount('/m', 'bind', path, ['bind']), mount('/m', 'bind', path, ['bind', 'remount', 'ro', 'nodev']))
    same({'ro', 'nodev', 'relatime'}, info['/m'].options)
    file(path, 'still-writable')


def the_type_none_changes_what_is_there(box):
    with HostMount(os.path.join(box.folder, 'm')) as path:
        mounted(path, '--make-shared')
        info = seen(box, mount('/m', 'bind', path, ['rbind', 'rshared']), mount('/m', 'none', 'none', ['rslave']))
        same({'master'}, kinds_of(info['/m'].peers))
    box.run('true', mount('/m', 'none', 'none', [])).fails(1, 'mounts[7]', 'type')


# -- destinations ----------------------------------------------------------------------------------------

def a_relative_destination_warns_and_lies_below_the_root(box):
    r = box.run('cat /proc/self/mountinfo', mount('mnt/here', 'tmpfs', 'tmpfs', [])).ok()
    has(mountinfo(r.out), '/mnt/here')
    has(r.err, 'level=warning')
    has(r.err, 'mnt/here')


def dots_are_taken_out_of_a_destination(box):
    info = seen(box, mount('/mnt/../../../srv/./x//y/', 'tmpfs', 'tmpfs', []), mount('/../../up', 'tmpfs', 'tmpfs', []))
    has(info, '/srv/x/y')
    has(info, '/up')


def a_file_and_a_folder_can_be_bound_and_destinations_are_made(box):
    path = folder(box)
    one = file(path, 'one', text='1\n')
    rootfs = box.rootfs()
    out = box.run('cat /a/b/file /a/b/dir/one; stat -c "%n %F %a" /a/b/file /a/b/dir', both(
        mount('/a/b/file', 'bind', one, ['bind']), mount('/a/b/dir', 'bind', path, ['bind'])), rootfs=rootfs).ok().out
    same(['1', '1', '/a/b/file regular file 644', '/a/b/dir directory 755'], out.splitlines())
    same((0, 0o755), (os.stat(rootfs + '/a/b/file').st_size, os.stat(rootfs + '/a/b').st_mode & 0o777))


def a_bind_source_may_be_relative_to_the_bundle(box):
    bundle = box.bundle(mount('/m', 'bind', 'data', ['bind']), 'cat /m/f')
    os.mkdir(bundle + '/data')
    file(bundle, 'data/f', text='in the bundle')
    same('in the bundle', box.call('run', '--bundle', bundle, 'c').ok().out)


def bind_is_asked_for_by_type_or_by_option(box):
    path = folder(box)
    file(path, 'f')
    for kind, options in (('bind', []), ('bind', ['rw']), ('none', ['bind']), (None, ['rbind']), ('ext4', ['bind'])):
        same('f\n', box.run('ls /m', mount('/m', kind, path, options)).ok().out)


def a_file_does_not_cover_a_folder_nor_a_folder_a_file(box):
    path = folder(box)
    one = file(path, 'one')
    box.run('true', mount('/srv', 'bind', one, ['bind'])).fails(1, 'mounts[7]', '/srv')
    box.run('true', mount('/etc/passwd', 'bind', path, ['bind'])).fails(1, 'mounts[7]', '/etc/passwd')
    r = box.run('true', mount('/etc/passwd/below', 'bind', path, ['bind'])).fails(1, 'mounts[7]', '/etc/passwd')
    has_not(r.err, 'o such file')


def a_missing_source_is_named_by_its_first_missing_part(box):
    path = folder(box)
    r = box.run('true', mount('/m', 'bind', path + '/a/b/c', ['bind'])).fails(1, 'mounts[7]', path + '/a is missing')
    has_not(r.err, 'o such file')
    one = file(path, 'one')
    box.run('true', mount('/m', 'bind', one + '/b', ['bind'])).fails(1, 'mounts[7]', one + ' is not a directory')


def an_unknown_file_system_is_named(box):
    r = box.run('true', mount('/m', 'cowfs', 'cow', [])).fails(1, 'mounts[7]', 'cowfs')
    has(r.err, '/proc/filesystems')


def an_unknown_option_is_refused(box):
    box.run('true', mount('/m', 'bind', '/etc', ['bind', 'cow=1'])).fails(1, 'mounts[7]', 'cow')
    box.run('true', mount('/m', 'bind', '/etc', ['bind', 'size=1m'])).fails(1, 'mounts[7]', 'size')
    box.run('true', mount('/m', 'tmpfs', 'tmpfs', ['cow=1'])).fails(1, 'mounts[7]', 'cow')


def a_root_is_never_covered(box):
    box.run('true', mount('/', 'tmpfs', 'tmpfs', [])).fails(1, 'mounts[7]', 'root')


def two_mounts_on_one_place_stack(box):
    path = folder(box)
    file(path, 'f')
    same('f\n', box.run('ls /m', both(mount('/m', 'tmpfs', 'tmpfs', []), mount('/m', 'bind', path, ['bind']))).ok().out)


def a_mount_below_a_read_only_tmpfs_is_made(box):
    info = seen(box, mount('/m', 'tmpfs', 'tmpfs', ['ro']), mount('/m/a/b', 'tmpfs', 'tmpfs', []))
    has(info['/m'].options, 'ro')
    has(info['/m/a/b'].options, 'rw')


def a_mount_below_a_read_only_bind_is_refused_when_nothing_is_there(box):
    path = folder(box)
    box.run('true', both(mount('/m', 'bind', path, ['bind', 'ro']), mount('/m/a', 'tmpfs', 'tmpfs', []))).fails(1, 'mounts[8]', 'Read-only')
    same([], os.listdir(path))


def each_kind_of_file_system_can_be_mounted(box):
    info = seen(box)
    same(['proc', 'tmpfs', 'devpts', 'tmpfs', 'mqueue', 'sysfs', 'cgroup2'],
         [info[p].type for p in ('/proc', '/dev', '/dev/pts', '/dev/shm', '/dev/mqueue', '/sys', '/sys/fs/cgroup')])
    path = folder(box)
    for name in ('lower', 'upper', 'work'):
        os.mkdir(os.path.join(path, name))
    file(path, 'lower/f', text='from below')
    overlay = ['lowerdir=%s/lower' % path, 'upperdir=%s/upper' % path, 'workdir=%s/work' % path]
    try:
        same('from below', box.run('cat /m/f; touch /m/g', mount('/m', 'overlay', 'overlay', overlay)).ok().out)
        same(['g'], os.listdir(path + '/upper'))
    finally:
        shutil.rmtree(path + '/work')


def a_long_list_of_lower_folders_can_be_mounted(box):
    path = folder(box)
    names = [os.path.join(path, 'a-layer-with-a-long-name-%02d' % i) for i in range(12)]
    for n in names:
        os.mkdir(n)
    file(names[-1], 'f', text='lowest')
    same('lowest', box.run('cat /m/f', mount('/m', 'overlay', 'overlay', ['ro', 'lowerdir=' + ':'.join(names)])).ok().out)


def an_image_on_a_block_device_can_be_mounted(box):
    image = os.path.join(box.folder, 'image')
    subprocess.run(['truncate', '-s', '8M', image], check=True)
    if shutil.which('mkfs.ext4') is None:
        skip('no mkfs.ext4')
    subprocess.run(['mkfs.ext4', '-q', image], check=True)
    made = subprocess.run(['losetup', '-f', '--show', image], capture_output=True, check=False)
    if made.returncode:
        skip('no loop device')
    device = made.stdout.decode().strip()
    try:
        info = seen(box, mount('/m', 'ext4', device, ['noatime']), mount('/r', 'tmpfs', 'tmpfs', []))
        same(('ext4', device), (info['/m'].type, info['/m'].source))
        info = seen(box, mount('/m', 'ext4', device, ['ro']))
        has(info['/m'].options, 'ro')
        has(info['/m'].fs_options, 'ro')
    finally:
        subprocess.run(['losetup', '-d', device], check=True)


# -- cgroup and sysfs ------------------------------------------------------------------------------------

def the_cgroup_mount_shows_only_the_containers_own(box):
    out = box.run('cat /proc/self/cgroup; cat /sys/fs/cgroup/cgroup.procs | wc -l; mkdir /sys/fs/cgroup/x; ls -d /sys/fs/cgroup/*/')
    has(out.out, '0::/\n')
    has(out.err, 'Read-only')


def a_cgroup_mount_can_be_written_when_it_is_asked_for(box):
    def rw(config):
        config['mounts'][-1]['options'] = ['nosuid', 'noexec', 'nodev']
    box.run('mkdir /sys/fs/cgroup/x && rmdir /sys/fs/cgroup/x', rw).ok()


def without_a_cgroup_namespace_the_hosts_tree_is_read_only(box):
    info = seen(box, without('cgroup'))
    same({'ro', 'nosuid', 'nodev', 'noexec'}, info['/sys/fs/cgroup'].options - {'relatime'})
    same('cgroup2', info['/sys/fs/cgroup'].type)
    out = box.run('cd /sys/fs/cgroup%s && ls cgroup.procs; mkdir x' % '', without('cgroup'))
    has(out.err, 'Read-only')


def without_a_cgroup_namespace_only_the_own_group_can_be_written(box):
    def rw(config):
        config['mounts'][-1]['options'] = ['nosuid', 'noexec', 'nodev', 'rw']
    out = box.run('own=/sys/fs/cgroup$(grep ^0:: /proc/self/cgroup | cut -c4-); mkdir $own/x && rmdir $own/x && echo own; mkdir /sys/fs/cgroup/x',
                  both(without('cgroup'), rw))
    same('own\n', out.out)
    has(out.err, 'Read-only')


def sysfs_of_the_host_is_shown_read_only_in_a_user_namespace_without_network(box):
    r = box.run('cat /proc/self/mountinfo; ls /sys/class/net >/dev/null && echo there; echo > /sys/kernel/uevent_seqnum',
                both(user_namespace, without('network')), rootfs=mapped_rootfs(box))
    has(r.out, 'there')
    info = mountinfo('\n'.join(line for line in r.out.splitlines() if ' - ' in line))
    for point, m in info.items():
        if point == '/sys' or point.startswith('/sys/'):
            if point.startswith('/sys/fs/cgroup'):
                continue
            has(m.options, 'ro')
    has(info, '/sys')


main(globals())
