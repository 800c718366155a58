#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Images as Debian's umoci, buildah and skopeo make them: what is loaded is what they meant."""
import hashlib
import stat

from pods import *

SOURCE = os.environ['SOURCE']
made = []


def images():
    """The folder of tools/test-images."""
    if not made:
        done = subprocess.run([os.path.join(SOURCE, 'tools/test-images')], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, env={**os.environ, 'CTRCTL_CACHE': CACHE}, check=False)
        if done.returncode:
            fail(done.stderr)
        made.append(done.stdout.strip())
    return made[0]


def load_of(box, path, *options):
    """What `image load` says, as [(id, name)]."""
    out = box.call('image', 'load', *options, os.path.join(images(), path)).ok().out
    return [tuple(line.split()) for line in out.splitlines()]


def inspect_of(box, name):
    return json.loads(box.call('image', 'inspect', name).ok().out)


class Mounted:
    """An image's layers under one overlay, as the kernel shows them."""

    def __init__(self, box, image):
        self.point = os.path.join(box.folder, 'mounted')
        layers = [os.path.join(box.data, 'layers', digest.split(':')[1], 'fs') for digest in image['layers']]
        os.makedirs(self.point, exist_ok=True)
        if len(layers) == 1:
            layers.append(os.path.join(box.folder, 'empty'))
            os.makedirs(layers[-1], exist_ok=True)
        else:
            layers.reverse()
        subprocess.run(['mount', '-t', 'overlay', 'overlay', '-o', 'ro,lowerdir=' + ':'.join(layers), self.point], check=True)

    def __enter__(self):
        return self.point

    def __exit__(self, *_):
        subprocess.run(['umount', self.point], check=True)


def listing(top):
    """As tools/test-images lists a root file system, but for names of one file (see together)."""
    lines = []
    for folder, dirs, files in os.walk(top):
        for name in dirs + files:
            path = os.path.join(folder, name)
            s = os.lstat(path)
            kind = stat.filemode(s.st_mode)[0]
            what = ''
            if kind == 'l':
                what = os.readlink(path)
            elif kind == '-':
                with open(path, 'rb') as f:
                    what = hashlib.sha256(f.read()).hexdigest()
            mode = '-' if kind == 'l' else '%04o' % stat.S_IMODE(s.st_mode)
            lines.append('%s %s %s %d:%d %s' % (os.path.relpath(path, top), kind, mode, s.st_uid, s.st_gid, what))
    return sorted(lines)


def wanted_layers():
    """The listing of umoci's root file system, and the groups of names that are one file."""
    with open(os.path.join(images(), 'layers.list'), encoding='utf-8') as f:
        lines = f.read().splitlines()
    return ([line for line in lines if not line.startswith('same ')],
            [line.split()[1:] for line in lines if line.startswith('same ')])


def same_tree(top):
    wanted, groups = wanted_layers()
    got = listing(top)
    missing, more = sorted(set(wanted) - set(got)), sorted(set(got) - set(wanted))
    if missing or more:
        fail('missing: %s; too much: %s' % (missing[:5], more[:5]))
    for group in groups:
        inodes = {os.lstat(os.path.join(top, name)).st_ino for name in group}
        if len(inodes) != 1:
            fail('no longer one file: %s' % group)


def umocis_layers_become_what_umoci_meant(box):
    """Three layers with whiteouts, hard links, and things that change their kind."""
    (got,) = load_of(box, 'layers', '--ref', 'final', '--name', 'test/layers')
    same('docker.io/test/layers:latest', got[1])
    image = inspect_of(box, 'test/layers')
    same(3, len(image['layers']))
    with Mounted(box, image) as top:
        same_tree(top)
        same(b'hello', os.getxattr(top + '/data/one', 'user.comment'))
        same('0100000200200000000000000000000000000000', os.getxattr(top + '/data/capable', 'security.capability').hex())


def every_form_of_an_image_is_the_same_image(box):
    """Folder and archive, OCI and Docker, gzip, zstd and none: the same layers."""
    forms = {'layers': ('layers', '--ref', 'final', '--name', 'a'), 'oci-archive': ('layers.tar', '--name', 'b'),
             'docker-archive': ('layers-docker.tar', '--name', 'c'), 'zstd': ('layers-zstd', '--name', 'd')}
    layers = {}
    for form, (path, *options) in forms.items():
        got = load_of(box, path, *options)[0]
        layers[form] = tuple(inspect_of(box, got[0])['layers'])
    if len(set(layers.values())) != 1:
        fail('%r' % layers)
    same(3, len(os.listdir(os.path.join(box.data, 'layers'))), 'folders of layers')


def a_layout_of_several_images_shares_their_layers(box):
    for ref in ('base', 'changed', 'final'):
        load_of(box, 'layers', '--ref', ref, '--name', ref)
    same([1, 2, 3], [len(inspect_of(box, ref)['layers']) for ref in ('base', 'changed', 'final')])
    box.call('image', 'remove', 'final').ok()
    with Mounted(box, inspect_of(box, 'changed')) as top:
        same(True, os.path.isfile(top + '/data/to-file'))
        same(False, os.path.exists(top + '/data/setuid'))
    with Mounted(box, inspect_of(box, 'base')) as top:
        same(True, os.path.isdir(top + '/data/to-file'))


def what_umocis_config_says(box):
    load_of(box, 'layers.tar')
    config = inspect_of(box, 'localhost/test/layers:final')['config']
    same((['/bin/echo', 'entry'], ['cmd'], '/data/kept', ['/data/volume']),
         (config['entrypoint'], config['cmd'], config['workingDir'], config['volumes']))
    same({'GREETING=hello', 'TWO=a b'}, set(config['env']))
    same('layers', config['labels']['org.example.test'])


def what_buildahs_config_says(box):
    for path, name in (('user.tar', 'localhost/test/user:1'), ('user-docker.tar', 'localhost/test/user:docker')):
        same(name, load_of(box, path)[0][1])
        config = inspect_of(box, name)['config']
        same(('1000:100', ['/bin/sh', '-c'], ['id -u; id -g; pwd; echo $GREETING'], '/home/user', 'SIGUSR1'),
             (config['user'], config['entrypoint'], config['cmd'], config['workingDir'], config['stopSignal']))


def a_whole_debian(box):
    """But for its device nodes, which come from the container's own /dev."""
    load_of(box, 'debian.tar')
    with Mounted(box, inspect_of(box, 'localhost/test/debian:latest')) as top:
        wanted = {line for line in listing(DEBIAN) if line.split()[1] not in 'cb' and not line.startswith('var/cache/apt/')}
        got = {line for line in listing(top) if not line.startswith('var/cache/apt/')}
        if wanted != got:
            fail('missing: %s; too much: %s' % (sorted(wanted - got)[:5], sorted(got - wanted)[:5]))


private_mounts()
main(globals())
