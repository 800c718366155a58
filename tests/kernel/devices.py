#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""/dev: what every container has, linux.devices, and what of it can be used."""
from box import *

DEFAULTS = {'null': '1,3', 'zero': '1,5', 'full': '1,7', 'random': '1,8', 'urandom': '1,9', 'tty': '5,0'}
LINKS = {'fd': '/proc/self/fd', 'stdin': '/proc/self/fd/0', 'stdout': '/proc/self/fd/1', 'stderr': '/proc/self/fd/2', 'ptmx': 'pts/ptmx'}
LIST = 'for f in /dev/*; do if [ -L $f ]; then echo "$f -> $(readlink $f)"; else stat -c "%n %F %a %t,%T %u %g" $f; fi; done'


def listing(text):
    return {line.split(' ', 1)[0]: line.split(' ', 1)[1] for line in text.splitlines()}


def device(path, type, *numbers, **more):
    def edit(config):
        d = {'path': path, 'type': type, **more}
        if numbers:
            d.update(major=numbers[0], minor=numbers[1])
        config['linux'].setdefault('devices', []).append(d)
    return edit


def allow_all(config):
    config['linux']['resources'] = {'devices': [{'allow': True, 'access': 'rwm'}]}


def hexadecimal(numbers):
    return ','.join('%x' % int(n) for n in numbers.split(','))


# -- what every container has ----------------------------------------------------------------------------

def every_container_has_the_default_nodes_and_links(box):
    for edit, rootfs, how in ((None, None, 'plain'), (user_namespace, mapped_rootfs(box), 'user namespace')):
        dev = listing(box.run(LIST, edit, rootfs=rootfs).ok().out)
        for name, numbers in DEFAULTS.items():
            line = dev['/dev/' + name]
            same('character special file 666 %s' % hexadecimal(numbers), line.rsplit(' ', 2)[0], '%s: %s' % (how, name))
        for name, target in LINKS.items():
            same('-> ' + target, dev['/dev/' + name], name)
        has_not(dev, '/dev/console')
        has_not(dev, '/dev/mem')


def default_nodes_work(box):
    for edit, rootfs in ((None, None), (user_namespace, mapped_rootfs(box))):
        out = box.run('echo x > /dev/null; head -c 3 /dev/zero | wc -c; head -c 3 /dev/urandom | wc -c; echo y > /dev/full; echo y > /dev/tty;'
                      'ls /dev/fd/0 >/dev/null && echo fd; cat < /dev/null', edit, rootfs=rootfs)
        same('3\n3\nfd\n', out.out)
        has(out.err, 'No space left')
        has(out.err, '/dev/tty: No such device or address')


def a_pty_can_be_had_from_the_containers_own_devpts(box):
    out = box.run('exec 3<>/dev/ptmx && ls /dev/pts').ok().out
    has(out.split(), '0')


def dev_is_filled_when_the_image_has_no_dev_at_all(box):
    rootfs = box.rootfs()
    shutil.rmtree(rootfs + '/dev')

    def no_mount(config):
        config['mounts'] = [m for m in config['mounts'] if not m['destination'].startswith('/dev')]
    dev = listing(box.run(LIST, no_mount, rootfs=rootfs).ok().out)
    has(dev, '/dev/null')
    has(dev, '/dev/fd')


def dev_can_be_read_only(box):
    def ro(config):
        config['mounts'][1]['options'].append('ro')
    r = box.run('echo x > /dev/null && touch /dev/new', ro)
    has(r.err, '/dev/new: Read-only')


def a_dev_that_is_bound_is_left_alone(box):
    path = os.path.join(box.folder, 'dev')
    os.mkdir(path)
    os.mknod(path + '/mine', 0o20666, os.makedev(1, 3))

    def bound(config):
        config['mounts'] = [m for m in config['mounts'] if not m['destination'].startswith('/dev')]
        config['mounts'].append({'destination': '/dev', 'type': 'bind', 'source': path, 'options': ['rbind']})
    same('mine\n', box.run('ls /dev', bound).ok().out)
    same(['mine'], os.listdir(path))


# -- linux.devices ---------------------------------------------------------------------------------------

def each_kind_of_device_is_made_with_its_numbers_mode_and_owner(box):
    dev = listing(box.run(LIST, both(
        device('/dev/c', 'c', 10, 229, fileMode=0o640, uid=3, gid=4), device('/dev/u', 'u', 1, 3), device('/dev/b', 'b', 7, 300, fileMode=0o600),
        device('/dev/p', 'p', fileMode=0o622, uid=9, gid=9), device('/dev/big', 'c', 511, 1048575))).ok().out)
    same('character special file 640 a,e5 3 4', dev['/dev/c'])
    same('character special file 666 1,3 0 0', dev['/dev/u'])
    same('block special file 600 7,12c 0 0', dev['/dev/b'])
    same('fifo 622 0,0 9 9', dev['/dev/p'])
    same('character special file 666 1ff,fffff 0 0', dev['/dev/big'])


def the_umask_takes_nothing_from_a_mode(box):
    bundle = box.bundle(device('/dev/c', 'c', 1, 3, fileMode=0o666), 'stat -c %a /dev/c /dev/null')
    done = subprocess.run([CTRCTL, '--root', box.root, 'run', '--bundle', bundle, 'c'], capture_output=True, preexec_fn=lambda: os.umask(0o77),
                          stdin=subprocess.DEVNULL, timeout=60, check=False)
    same('666\n666\n', done.stdout.decode(), done.stderr.decode())


def a_device_may_lie_in_any_folder(box):
    out = box.run('stat -c "%F" /dev/net/tun /made/for/it', both(device('/dev/net/tun', 'c', 10, 200), device('/made/for/it', 'c', 1, 3))).ok().out
    same('character special file\n' * 2, out)


def a_listed_default_device_has_what_the_list_says(box):
    dev = listing(box.run(LIST, device('/dev/full', 'c', 1, 7, fileMode=0o600, uid=5, gid=6)).ok().out)
    same('character special file 600 1,7 5 6', dev['/dev/full'])


def an_existing_node_of_the_same_kind_is_kept(box):
    def no_mount(config):
        config['mounts'] = [m for m in config['mounts'] if not m['destination'].startswith('/dev')]
    rootfs = box.rootfs()
    os.mknod(rootfs + '/dev/mine', 0o20600, os.makedev(1, 3))
    box.run('true', both(no_mount, device('/dev/mine', 'c', 1, 3)), rootfs=rootfs).ok()


def an_existing_node_of_another_kind_is_refused(box):
    def no_mount(config):
        config['mounts'] = [m for m in config['mounts'] if not m['destination'].startswith('/dev')]
    for make in (lambda p: os.mknod(p, 0o20600, os.makedev(1, 5)), lambda p: os.mknod(p, 0o60600, os.makedev(1, 3)),
                 os.mkfifo, lambda p: open(p, 'w', encoding='ascii').close(), os.mkdir, lambda p: os.symlink('null', p),
                 lambda p: os.symlink('/etc/passwd', p)):
        rootfs = box.rootfs()
        make(rootfs + '/dev/mine')
        r = box.run('true', both(no_mount, device('/dev/mine', 'c', 1, 3)), rootfs=rootfs).fails(1, 'linux.devices[0]')
        has_not(r.err, 'o such file')


def a_device_that_makes_no_sense_is_refused(box):
    box.run('true', device('/dev/x', 'x', 1, 3)).fails(1, 'linux.devices[0]')
    box.run('true', device('/dev/x', 'c')).fails(1, 'linux.devices[0]', 'major')
    box.run('true', device('dev/x', 'c', 1, 3)).fails(1, 'linux.devices[0]')
    box.run('true', device('/dev/x', 'c', -1, 3)).fails(1, 'linux.devices[0]')
    box.run('true', device('/', 'c', 1, 3)).fails(1, 'linux.devices[0]')


def no_link_of_the_image_leads_a_device_out(box):
    outside = os.path.join(box.folder, 'victim')
    os.mkdir(outside)

    def no_mount(config):
        config['mounts'] = [m for m in config['mounts'] if not m['destination'].startswith('/dev')]
    for target in ('../' * 16 + outside.lstrip('/'), outside, '/etc'):
        rootfs = box.rootfs()
        shutil.rmtree(rootfs + '/dev')
        os.symlink(target, rootfs + '/dev')
        box.run('true', no_mount, rootfs=rootfs)
        same([], os.listdir(outside))


def devices_of_the_host_are_bound_in_a_user_namespace(box):
    rootfs = mapped_rootfs(box)
    out = box.run('stat -c "%F %t,%T" /dev/mine /dev/p; echo x > /dev/mine', both(
        user_namespace, device('/dev/zero', 'c', 1, 5), device('/dev/p', 'p'), device('/dev/mine', 'c', 1, 3)), rootfs=rootfs)
    if out.status:
        # /dev/mine isn't on the host: said, and nothing else put in its place
        has(out.err, '/dev/mine')
        out = box.run('stat -c "%F %t,%T" /dev/zero /dev/p', both(user_namespace, device('/dev/zero', 'c', 1, 5), device('/dev/p', 'p')), rootfs=rootfs).ok()
    same(['character special file 1,5', 'fifo 0,0'], out.out.splitlines())


def a_device_of_other_numbers_on_the_host_is_refused_in_a_user_namespace(box):
    box.run('true', both(user_namespace, device('/dev/zero', 'c', 1, 8)), rootfs=mapped_rootfs(box)).fails(1, 'linux.devices[0]', '/dev/zero')


# -- what may be used ------------------------------------------------------------------------------------

def nodes_are_there_but_not_open_to_use(box):
    r = box.run('mknod /tmp/k c 1 11; mknod /tmp/b b 254 0; head -c1 /tmp/k; head -c1 /tmp/b; echo x > /dev/null && echo null')
    has(r.out, 'null')
    same(2, r.err.count('not permitted'), r.err)


def what_is_allowed_can_be_used(box):
    if not os.path.exists('/dev/fuse'):
        skip('no /dev/fuse here')

    def rules(access):
        def edit(config):
            config['linux']['resources'] = {'devices': [
                {'allow': False, 'access': 'rwm'}, {'allow': True, 'type': 'c', 'major': 10, 'minor': 229, 'access': access}]}
        return edit
    same('read\nwrote\n', box.run('exec 3</dev/fuse && echo read; exec 3<>/dev/fuse && echo wrote', both(device('/dev/fuse', 'c', 10, 229), rules('rw'))).out)
    r = box.run('exec 3</dev/fuse && echo read; exec 3<>/dev/fuse && echo wrote', both(device('/dev/fuse', 'c', 10, 229), rules('r')))
    same('read\n', r.out)
    has(r.err, 'not permitted')


def what_stdout_is_can_be_opened_again(box):
    same('one\ntwo\n', box.run('echo one > /dev/stdout; echo two >> /proc/self/fd/1', user={'uid': 1000, 'gid': 1000}).ok().out)


main(globals())
