#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Images: what archives are taken, what of them arrives in a root filesystem, and what is refused without a trace."""
import pty
import random
import re
import select
import stat
import threading

from pods import *

TOOLS = os.path.dirname(PROBE)
ROOTFS = os.path.join(TOOLS, 'rootfs-one')
STRACE = shutil.which('strace')
SECONDS = int(os.environ.get('SWEEP_SECONDS', '10'))

OCI = 'application/vnd.oci.image.'
REF = 'org.opencontainers.image.ref.name'
FULL = 'io.containerd.image.name'
ARCH = {'x86_64': 'amd64', 'aarch64': 'arm64'}[os.uname().machine]
OTHER = {'amd64': 'arm64', 'arm64': 'amd64'}[ARCH]
HOST = {'os': 'linux', 'architecture': ARCH}


# -- archives ------------------------------------------------------------------------------------------------

class Archive:
    """Files by name, to be written as a folder or a tar."""

    def __init__(self):
        self.files = {}

    def blob(self, data, media, **more):
        data = data if isinstance(data, bytes) else json.dumps(data).encode()
        digest = sha256(data)
        self.files['blobs/sha256/' + digest[7:]] = data
        return {'mediaType': media, 'digest': digest, 'size': len(data), **more}

    def image(self, layers, config=None, edit_config=None, edit_manifest=None, pack=gzip.compress, media='tar+gzip', **more):
        """A manifest's descriptor."""
        conf = {**HOST, 'config': config or {}, 'rootfs': {'type': 'layers', 'diff_ids': [sha256(t) for t in layers]}}
        if edit_config:
            edit_config(conf)
        manifest = {'schemaVersion': 2, 'mediaType': OCI + 'manifest.v1+json',
                    'config': self.blob(conf, OCI + 'config.v1+json'),
                    'layers': [self.blob(pack(t), OCI + 'layer.v1.' + media) for t in layers]}
        if edit_manifest:
            edit_manifest(manifest)
        self.config = manifest['config']['digest']
        return self.blob(manifest, OCI + 'manifest.v1+json', **more)

    def index(self, *manifests, nested=False, **more):
        doc = {'schemaVersion': 2, 'manifests': list(manifests)}
        if nested:
            return self.blob({**doc, 'mediaType': OCI + 'index.v1+json'}, OCI + 'index.v1+json', **more)
        self.files['index.json'] = json.dumps({**doc, **more}).encode()
        self.files['oci-layout'] = b'{"imageLayoutVersion": "1.0.0"}'
        return self

    def folder(self, box, name='layout'):
        path = os.path.join(box.folder, name)
        for file, data in self.files.items():
            os.makedirs(os.path.dirname(os.path.join(path, file)), exist_ok=True)
            with open(os.path.join(path, file), 'wb') as f:
                f.write(data)
        return path

    def tar(self, box, name='layout.tar', format=tarfile.PAX_FORMAT, links=()):
        path = os.path.join(box.folder, name)
        with tarfile.open(path, 'w', format=format) as t:
            for file, data in self.files.items():
                info = tarfile.TarInfo(file)
                info.size = len(data)
                t.addfile(info, io.BytesIO(data))
            for file, target in links:
                info = tarfile.TarInfo(file)
                info.type, info.linkname = tarfile.SYMTYPE, target
                t.addfile(info)
        return path


def named(name, full=None):
    return {'annotations': {REF: name, **({FULL: full} if full else {})}}


def simple(text='hello', name='example.com/simple:1', **more):
    a = Archive()
    return a.index(a.image([tar_with(('file', text))], **named(name), **more))


def docker(*images):
    """(RepoTags, layers, config) each; layers are named as docker before 25 names them."""
    a = Archive()
    entries = []
    for tags, layers, config in images:
        conf = json.dumps({**HOST, 'config': config, 'rootfs': {'type': 'layers', 'diff_ids': [sha256(t) for t in layers]}})
        a.config = sha256(conf.encode())
        a.files[a.config[7:] + '.json'] = conf.encode()
        for t in layers:
            a.files[sha256(t)[7:] + '/layer.tar'] = t
        entries.append({'Config': a.config[7:] + '.json', 'RepoTags': tags, 'Layers': [sha256(t)[7:] + '/layer.tar' for t in layers]})
    a.files['manifest.json'] = json.dumps(entries).encode()
    return a


# -- the store -----------------------------------------------------------------------------------------------

def load(box, path, *options):
    return box.call('image', 'load', *options, path).ok().out.split('\n')[0].split(' ')[0]


def images(of):
    return json.loads(of.call('image', 'list', '--format', 'json').ok().out)


def inspect_(box, ref):
    return json.loads(box.call('image', 'inspect', ref).ok().out)


def names(of):
    return {n: i['id'] for i in images(of) for n in i['names']}


def files(of):
    """All of the store but its locks, with what tells whether they changed."""
    found = {}
    for part in ('images', 'layers'):
        for d, dirs, names_ in os.walk(os.path.join(of.data, part)):
            for n in dirs + names_:
                st = os.lstat(os.path.join(d, n))
                if n not in ('lock', 'names.lock', 'empty'):
                    found[os.path.join(d, n)] = (st.st_ino, st.st_mode)
    return found


def no_temporaries(of):
    for part in ('images', 'layers'):
        left = [n for n in os.listdir(os.path.join(of.data, part)) if n.startswith('tmp-')]
        same([], left, 'temporary folders in ' + part)


def refused(box, path, *parts, options=()):
    """Not loaded, with all the parts in the one line, and nothing of it is left."""
    before = files(box)
    box.call('image', 'load', *options, path).fails(1, *parts)
    same(before, files(box), 'the store')


# -- root filesystems ----------------------------------------------------------------------------------------

class Root:
    """The image's root filesystem at .path, until the end of the with."""

    def __init__(self, box, ref, changes=True, host=None, old=False):
        box.count += 1
        self.path, self.dir = (os.path.join(box.folder, '%s%d' % (n, box.count)) for n in ('root', 'changes'))
        os.mkdir(self.path)
        os.mkdir(self.dir)
        self.argv = [ROOTFS + ('-old' if old else ''), box.data, ref, self.dir if changes else '-', self.path]
        if host is not None:
            self.argv.append(str(host))

    def __enter__(self):
        done = subprocess.run(self.argv, capture_output=True, text=True, check=False)
        same(0, done.returncode, done.stderr)
        return self

    def __exit__(self, *_):
        subprocess.run([ROOTFS, '-u', self.path], check=True)

    def names(self, folder='.'):
        return sorted(os.listdir(os.path.join(self.path, folder)))

    def read(self, name):
        with open(os.path.join(self.path, name), encoding='utf-8') as f:
            return f.read()

    def stat(self, name='.'):
        return os.lstat(os.path.join(self.path, name))


def entry(name, type, **more):
    info = tarfile.TarInfo(name)
    info.type = type
    for k, v in more.items():
        setattr(info, k, v)
    return info


LOWER = tar_with(('bin', None), ('bin/a', 'A'), ('bin/b', 'B'), ('etc', None), ('etc/old', 'old'), ('etc/keep', 'keep'),
                 ('data', None), ('data/1', '1'), ('data/2', '2'), ('gone', None), ('gone/x', 'x'))
UPPER = tar_with(('bin', None), ('bin/.wh.b', ''), ('bin/c', 'C'), entry('bin/d', tarfile.LNKTYPE, linkname='bin/c'),
                 ('etc', None), ('etc/.wh.old', ''), ('data', None), ('data/3', '3'), ('data/.wh..wh..opq', ''), ('.wh.gone', ''),
                 entry('bin/sh', tarfile.SYMTYPE, linkname='a'), ('bin/su', 'su', 0o4755))
SEEN = {'.': ['bin', 'data', 'etc'], 'bin': ['a', 'c', 'd', 'sh', 'su'], 'data': ['3'], 'etc': ['keep']}


# -- what is loaded ------------------------------------------------------------------------------------------

def every_form_of_an_archive_is_the_same_image(box):
    a = simple()
    path = a.tar(box)
    with gzip.open(path + '.gz', 'wb') as f:
        f.write(open(path, 'rb').read())
    subprocess.run(['zstd', '-q', path], check=True)
    others = [a.tar(box, name, form) for name, form in (('u.tar', tarfile.USTAR_FORMAT), ('g.tar', tarfile.GNU_FORMAT))]
    for file in (a.folder(box), path, path + '.gz', path + '.zst', *others):
        same(a.config, load(box, file))
        before = files(box)
        same(a.config, load(box, file))
        same(before, files(box), 'the store after the same image again')
        same(['example.com/simple:1'], inspect_(box, a.config)['names'])
        with Root(box, a.config) as r:
            same('hello', r.read('file'))
        box.call('image', 'remove', a.config).ok()
    for file in (path, path + '.gz', path + '.zst'):
        with open(file, 'rb') as f:
            same(a.config, box.call('image', 'load', '-', stdin=f).ok().out.split(' ')[0])
        with subprocess.Popen(['cat', file], stdout=subprocess.PIPE) as cat:
            same(a.config, box.call('image', 'load', '-q', '-', stdin=cat.stdout).ok().out.strip())
        box.call('image', 'remove', a.config).ok()


def standard_input_is_read_from_where_it_is(box):
    path = simple().tar(box)
    with open(path + '.2', 'wb') as f:
        f.write(b'x' * 100 + open(path, 'rb').read())
    with open(path + '.2', 'rb') as f:
        os.lseek(f.fileno(), 100, os.SEEK_SET)
        box.call('image', 'load', '-', stdin=f).ok()


def the_store_is_roots_alone(box):
    load(box, simple().folder(box))
    for d, dirs, names_ in os.walk(box.data):
        if d.endswith('/fs'):
            dirs.clear()
            continue
        for path in [d] + [os.path.join(d, n) for n in names_]:
            st = os.lstat(path)
            if st.st_mode & 0o077:
                fail('%s has mode %o' % (path, st.st_mode))


def inspect_tells_what_the_config_says(box):
    config = {'User': '1000:1000', 'Entrypoint': ['/entry', 'a b'], 'Cmd': ['c'], 'Env': ['A=b'], 'WorkingDir': '/work',
              'Volumes': {'/data': {}, '/cache': {}}, 'StopSignal': 'SIGQUIT', 'Labels': {'k': 'v'}, 'ExposedPorts': {'80/tcp': {}}}
    a = Archive()
    a.index(a.image([tar_with(('f', '12345'))], config, **named('example.com/x/y:2'),
                    edit_config=lambda c: c.update(created='2026-01-02T03:04:05Z', variant='v8', history=[{'created_by': 'x'}])))
    i = inspect_(box, load(box, a.folder(box)))
    same({'user': '1000:1000', 'workingDir': '/work', 'stopSignal': 'SIGQUIT', 'entrypoint': ['/entry', 'a b'], 'cmd': ['c'],
          'env': ['A=b'], 'volumes': ['/data', '/cache'], 'labels': {'k': 'v'}}, i['config'])
    manifest = json.loads(a.files['index.json'])['manifests'][0]['digest']
    same((a.config, ['example.com/x/y:2'], ['example.com/x/y@' + manifest], manifest, 'linux', ARCH, 'v8', '2026-01-02T03:04:05Z', 5),
         tuple(i[k] for k in ('id', 'names', 'digests', 'manifest', 'os', 'architecture', 'variant', 'created', 'size')))
    for ref in ('example.com/x/y:2', 'example.com/x/y@' + manifest, 'example.com/x/y:other@' + manifest, a.config, a.config[7:],
                a.config[7:15], a.config[:15]):
        same(a.config, inspect_(box, ref)['id'], ref)
    for ref in ('example.com/x/y', 'x/y:2', 'example.com/x/y@sha256:' + 64 * '0', 64 * '0', 'abcd'[:3]):
        box.call('image', 'inspect', ref).fails(1, "isn't in the store")
    box.call('image', 'inspect', 'X/y').fails(1, 'lower-case')


def what_a_docker_archive_holds_is_loaded(box):
    a = docker((['busybox:1.0', 'example.com/b:2'], [LOWER, UPPER], {'Cmd': ['sh']}), (None, [LOWER], {'Cmd': ['other']}))
    out = box.call('image', 'load', a.tar(box)).ok().out.split('\n')
    same(3, len(out) - 1, 'lines')
    same(a.config, out[2], 'the image without a name')
    i = inspect_(box, 'busybox:1.0')
    same((['docker.io/library/busybox:1.0', 'example.com/b:2'], [], ['sh']), (i['names'], i['digests'], i['config']['cmd']))
    same(False, 'manifest' in i)
    box.call('image', 'load', a.folder(box)).ok()
    with Root(box, 'busybox:1.0') as r:
        same(SEEN, {d: r.names(d) for d in SEEN})
    has(box.call('image', 'list').ok().out, '<none>')


def links_of_old_docker_archives_stay_in_the_archive(box):
    a = docker((['example.com/l:1'], [LOWER], {}))
    first = sha256(LOWER)[7:] + '/layer.tar'
    entries = json.loads(a.files['manifest.json'])
    entries[0]['Layers'] = ['other/layer.tar']
    a.files['manifest.json'] = json.dumps(entries).encode()
    load(box, a.tar(box, links=[('other/layer.tar', '../' + first)]))
    refused(box, a.tar(box, links=[('other/layer.tar', '../../../../../../etc/passwd')]), "other/layer.tar isn't in the archive")
    refused(box, a.tar(box, links=[('other/layer.tar', 'layer.tar')]), "isn't in the archive")


def an_archive_that_is_both_is_read_by_its_digests(box):
    a = simple()
    a.files['manifest.json'] = b'broken'
    same(a.config, load(box, a.tar(box)))


def layers_may_be_plain_gzip_or_zstd(box):
    def zstd(data):
        return subprocess.run(['zstd', '-qc'], input=data, stdout=subprocess.PIPE, check=True).stdout
    for n, (pack, media) in enumerate(((bytes, 'tar'), (gzip.compress, 'tar+gzip'), (zstd, 'tar+zstd'))):
        a = Archive()
        a.index(a.image([tar_with(('file', str(n)))], pack=pack, media=media, **named('example.com/p:%d' % n)))
        load(box, a.tar(box))
        with Root(box, 'example.com/p:%d' % n) as r:
            same(str(n), r.read('file'))


def dockers_media_types_are_taken(box):
    a = Archive()

    def edit(manifest):
        manifest['mediaType'] = 'application/vnd.docker.distribution.manifest.v2+json'
        manifest['config']['mediaType'] = 'application/vnd.docker.container.image.v1+json'
        manifest['layers'][0]['mediaType'] = 'application/vnd.docker.image.rootfs.diff.tar.gzip'
    d = a.image([LOWER], edit_manifest=edit)
    d['mediaType'] = 'application/vnd.docker.distribution.manifest.v2+json'
    load(box, a.index(d).folder(box))


# -- names ---------------------------------------------------------------------------------------------------

def names_are_normalised(box):
    for given, wanted in (('busybox', 'docker.io/library/busybox:latest'), ('a/b', 'docker.io/a/b:latest'),
                          ('localhost:5000/x:1', 'localhost:5000/x:1')):
        load(box, simple().folder(box, 'l'), '--name', given)
        if wanted not in names(box):
            fail('%s: no %s in %s' % (given, wanted, names(box)))
    refused(box, simple().folder(box), '--name: Upper: the name', options=('--name', 'Upper'))
    refused(box, simple().folder(box), 'a digest', options=('--name', 'a@sha256:' + 64 * '0'))


def a_bare_tag_gets_the_name_of_the_file(box):
    for file, wanted in (('My App.tar', 'docker.io/library/my-app:v1'), ('web.oci.tar', 'docker.io/library/web:v1'),
                         ('dir', 'docker.io/library/dir:v1')):
        a = simple(name='v1')
        load(box, a.tar(box, file) if file.endswith('.tar') else a.folder(box, file) + '/')
        if wanted not in names(box):
            fail('no %s in %s' % (wanted, names(box)))
    with open(simple(name='v1').tar(box), 'rb') as f:
        box.call('image', 'load', '-', stdin=f).fails(1, 'a tag without a name', 'hint: say --name')
    with open(simple(name='v1').tar(box), 'rb') as f:
        box.call('image', 'load', '--name', 'n', '-', stdin=f).ok()


def containerds_name_goes_before_a_tag(box):
    a = Archive()
    a.index(a.image([LOWER], **named('1', 'docker.io/library/web:1')))
    load(box, a.tar(box, 'x.tar'))
    same(['docker.io/library/web:1'], list(names(box)))


def of_several_images_ref_takes_one(box):
    a = Archive()
    a.index(a.image([tar_with(('f', '1'))], **named('example.com/a:1')), a.image([tar_with(('f', '2'))], **named('b')),
            a.image([tar_with(('f', '3'))]))
    path = a.tar(box)
    refused(box, path, '--name: the archive has 3 images', 'hint: say with --ref', options=('--name', 'x'))
    refused(box, path, 'no image that is called "c"', options=('--ref', 'c'))
    load(box, path, '--ref', 'b', '--name', 'x')
    same(['docker.io/library/x:latest'], list(names(box)))
    load(box, path, '--ref', 'example.com/a:1')
    same(2, len(images(box)))
    same(3, len(box.call('image', 'load', '-q', path).ok().out.split()))
    same(3, len(images(box)))
    d = docker((['a:1'], [LOWER], {}), (['b:1', 'c:1'], [UPPER], {}))
    load(box, d.tar(box), '--ref', 'c:1')
    same(False, 'docker.io/library/a:1' in names(box))
    box.call('image', 'load', '--name', 'x', path, path).fails(1, 'for one archive')


def a_name_moves_to_the_image_that_was_loaded_last(box):
    first = load(box, simple('1').folder(box, 'a'))
    second = load(box, simple('2').folder(box, 'b'))
    same({'example.com/simple:1': second}, names(box))
    old = inspect_(box, first)
    same([], old['names'])
    same(1, len(old['digests']))
    has(box.call('image', 'list').ok().out, '<none>')
    box.call('image', 'remove', first).ok()
    same([second], box.call('image', 'list', '-q').ok().out.split())


# -- platforms -----------------------------------------------------------------------------------------------

def other(c):
    c['architecture'] = OTHER


def the_image_for_this_host_is_taken(box):
    a = Archive()
    theirs = a.image([tar_with(('f', 'theirs'))], edit_config=other, platform={'os': 'linux', 'architecture': OTHER})
    unknown = a.blob({'schemaVersion': 2}, OCI + 'manifest.v1+json', platform={'os': 'unknown', 'architecture': 'unknown'})
    ours = a.image([tar_with(('f', 'ours'))], platform=HOST)
    wanted = a.config
    second = a.image([tar_with(('f', 'second'))], platform=HOST)
    nested = a.index(theirs, unknown, ours, second, nested=True, **named('example.com/n:1'))
    same(wanted, load(box, a.index(nested).folder(box, 'nested')))
    i = inspect_(box, 'example.com/n:1')
    same(sorted('example.com/n@' + d['digest'] for d in (nested, ours)), i['digests'])
    same(wanted, inspect_(box, 'example.com/n@' + nested['digest'])['id'])
    # the same without the index between, named and not
    for more in ({}, named('example.com/n:2')):
        same(wanted, load(box, a.index(*({**d, **more} for d in (theirs, ours, second))).folder(box, 'flat')))
    refused(box, a.index(theirs).folder(box, 'l1'), 'no image for linux/%s, only for linux/%s' % (ARCH, OTHER))
    refused(box, a.index(a.index(theirs, unknown, nested=True)).folder(box, 'l2'), 'only for linux/%s, unknown/unknown' % OTHER)
    refused(box, a.index(a.image([LOWER], edit_config=other)).folder(box, 'l3'), 'for linux/%s, this host is linux/%s' % (OTHER, ARCH))


def what_was_chosen_is_what_runs(box):
    a = Archive()
    d = a.image([LOWER], edit_config=lambda c: c.update(os='linux'), platform={'os': 'linux', 'architecture': ARCH})
    load(box, a.index(d).folder(box, 'good'))
    # an index that calls another platform's image this host's
    d = a.image([LOWER], edit_config=other, platform=HOST)
    refused(box, a.index(d).folder(box, 'bad'), 'this host is linux/')


# -- what is refused -----------------------------------------------------------------------------------------

def changed(edit):
    """An archive of which edit(archive, descriptor of the manifest, manifest) changes something after the digests were made."""
    a = Archive()
    d = a.image([tar_with(('file', 'text'))])
    manifest = json.loads(a.files['blobs/sha256/' + d['digest'][7:]])
    edit(a, d, manifest)
    return a if 'index.json' in a.files else a.index(d)


def path_of(d):
    return 'blobs/sha256/' + d['digest'][7:]


def again(edit):
    """An archive whose manifest edit(manifest) changes; its digest is right."""
    a = Archive()
    return a.index(a.image([tar_with(('file', 'text'))], edit_manifest=edit))


def conf(edit):
    a = Archive()
    return a.index(a.image([tar_with(('file', 'text'))], edit_config=edit))


def put(where, data):
    def edit(a, d, m):
        a.files[{'manifest': path_of(d), 'config': path_of(m['config']), 'layer': path_of(m['layers'][0])}[where]] = data
    return edit


def other_bytes(where):
    def edit(a, d, m):
        path = {'manifest': path_of(d), 'config': path_of(m['config']), 'layer': path_of(m['layers'][0])}[where]
        a.files[path] = a.files[path][:-1] + b' '
    return edit


def missing(where):
    def edit(a, d, m):
        del a.files[{'manifest': path_of(d), 'config': path_of(m['config']), 'layer': path_of(m['layers'][0])}[where]]
    return edit


def both_kinds(manifest):
    manifest['manifests'] = []


BAD = {
    'manifest with another digest': (changed(other_bytes('manifest')), 'another digest'),
    'config with another digest': (changed(other_bytes('config')), 'another digest'),
    'layer with another digest': (changed(other_bytes('layer')), 'layer 1'),
    'manifest that is missing': (changed(missing('manifest')), "isn't in the archive"),
    'config that is missing': (changed(missing('config')), "isn't in the archive"),
    'layer that is missing': (changed(missing('layer')), 'layers[0]', "isn't in the archive"),
    'manifest of another size': (changed(lambda a, d, m: d.update(size=d['size'] + 1)), 'its descriptor says'),
    'manifest of a huge size': (changed(lambda a, d, m: d.update(size=1 << 40)), 'at most 4194304'),
    'layer of another size': (again(lambda m: m['layers'][0].update(size=1)), 'its descriptor says 1'),
    'digest that climbs': (changed(lambda a, d, m: d.update(digest='sha256:../../../etc/passwd')), "isn't a digest"),
    'digest in upper case': (changed(lambda a, d, m: d.update(digest='sha256:' + 64 * 'A')), "isn't a digest"),
    'algorithm that is unknown': (changed(lambda a, d, m: d.update(digest='md5:' + 32 * '0')), "isn't a digest"),
    'manifest that is an index too': (again(both_kinds), 'as an index and as a manifest'),
    'index that is a manifest too': (changed(lambda a, d, m: a.index(d, layers=[])), 'as an index and as a manifest'),
    'index that calls itself a manifest': (changed(lambda a, d, m: a.index(d, mediaType=OCI + 'manifest.v1+json')), 'calls itself'),
    'manifest that calls itself an index': (again(lambda m: m.update(mediaType=OCI + 'index.v1+json')), 'calls itself'),
    'manifest that is referred to as an index': (changed(lambda a, d, m: d.update(mediaType=OCI + 'index.v1+json')), 'but should be an index'),
    'other schema': (again(lambda m: m.update(schemaVersion=1)), 'schemaVersion is 1'),
    'schema of long ago': (again(lambda m: m.update(fsLayers=[])), 'schema 1'),
    'layer from elsewhere': (again(lambda m: m['layers'][0].update(urls=['https://example.com/l'])), 'kept elsewhere'),
    'foreign layer': (again(lambda m: m['layers'][0].update(mediaType=OCI + 'layer.nondistributable.v1.tar+gzip')), 'kept elsewhere'),
    'unknown layer': (again(lambda m: m['layers'][0].update(mediaType='text/plain')), "isn't one of a layer"),
    'artifact': (again(lambda m: m['config'].update(mediaType='application/vnd.oci.empty.v1+json')), 'another artifact'),
    'too few diff ids': (conf(lambda c: c['rootfs'].update(diff_ids=[])), '0 of them for 1 layers'),
    'wrong diff id': (conf(lambda c: c['rootfs'].update(diff_ids=['sha256:' + 64 * '0'])), 'layer 1'),
    'bad diff id': (conf(lambda c: c['rootfs'].update(diff_ids=['../../x'])), "isn't a digest"),
    'other root filesystem': (conf(lambda c: c['rootfs'].update(type='base')), 'known is "layers"'),
    'variant with an escape': (conf(lambda c: c.update(variant='\x1b[2J')), 'variant'),
    'too many annotations': (again(lambda m: m.update(annotations={str(i): '' for i in range(300)})), 'at most 256'),
    'annotations too long': (again(lambda m: m.update(annotations={'k': 'x' * 70000})), '65536 bytes'),
    'too many layers': (again(lambda m: m.update(layers=m['layers'] * 129)), 'at most 128'),
    'no layers': (Archive(), ),
    'no images': (Archive().index(), 'no image in it'),
    'index that is no JSON': (changed(lambda a, d, m: a.files.update({'index.json': b'{', 'oci-layout': b'{"imageLayoutVersion":"1.0.0"}'})), 'index.json'),
    'layout of another version': (changed(lambda a, d, m: a.index(d).files.update({'oci-layout': b'{"imageLayoutVersion":"2.0"}'})), 'oci-layout'),
    'layout without a version': (changed(lambda a, d, m: a.index(d).files.update({'oci-layout': b'{}'})), 'oci-layout'),
    'name with upper case': (simple(name='example.com/Upper'), 'lower-case'),
    'layer that is no tar': (changed(lambda a, d, m: None), ),
}


def _finish_table():
    a = Archive()
    BAD['no layers'] = (a.index(a.image([])), 'no layers')
    a = Archive()

    def edit(manifest):
        manifest['layers'][0].update(a.blob(gzip.compress(b'not a tar'), OCI + 'layer.v1.tar+gzip'))
    BAD['layer that is no tar'] = (a.index(a.image([tar_with(('f', ''))], edit_manifest=edit)), 'layer 1')
    a = Archive()
    d = a.image([LOWER])
    for _ in range(6):
        d = a.index(d, nested=True)
    BAD['deep index'] = (a.index(d), 'nested too deeply')


_finish_table()


def bad_archives_are_refused_and_leave_nothing(box):
    load(box, simple(name='example.com/good:1').folder(box))
    for n, (what, (a, *parts)) in enumerate(BAD.items()):
        for path in (a.folder(box, 'bad%d' % n), a.tar(box, 'bad%d.tar' % n)):
            try:
                refused(box, path, *parts)
            except Failed as f:
                fail('%s: %s' % (what, f))
    no_temporaries(box)


def bad_docker_archives_are_refused(box):
    good = docker((['a:1'], [LOWER], {}))

    def edited(**files):
        a = Archive()
        a.files = {k: v for k, v in good.files.items()}
        a.files.update(files)
        return a
    entry_ = json.loads(good.files['manifest.json'])[0]
    name = entry_['Config']
    for a, part in ((edited(**{'manifest.json': b'{}'}), 'expected an array'),
                    (edited(**{'manifest.json': json.dumps([{**entry_, 'Layers': ['../../etc/passwd']}]).encode()}), "isn't in the archive"),
                    (edited(**{'manifest.json': json.dumps([{**entry_, 'RepoTags': ['A']}]).encode()}), 'RepoTags[0]'),
                    (edited(**{name: good.files[name] + b' '}), 'another digest'),
                    (edited(**{entry_['Layers'][0]: UPPER}), 'layer 1'),
                    (edited(**{'manifest.json': b'[]'}), 'no image in it')):
        refused(box, a.tar(box, 'bad.tar'), part)


def what_is_no_archive_is_refused(box):
    def file(name, data):
        path = os.path.join(box.folder, name)
        with open(path, 'wb') as f:
            f.write(data)
        return path
    good = open(simple().tar(box), 'rb').read()
    refused(box, file('empty', b''), "isn't an archive")
    refused(box, file('text', b'hello' * 1000), "isn't an archive", 'hint: an OCI layout')
    refused(box, file('rootfs.tar', LOWER), 'neither index.json nor manifest.json', 'hint: it must be')
    refused(box, file('cut.tar', good[:1300]), 'cut off')
    refused(box, file('cut.gz', gzip.compress(good)[:200]), 'gzip')
    at = good.index(b'oci-layout')
    refused(box, file('sum.tar', good[:at] + b'x' + good[at + 1:]), 'the checksum of a header is wrong')
    refused(box, file('first.tar', b'x' + good[1:]), "isn't an archive")
    refused(box, file('xz.tar', b'\xfd7zXZ\x00' + 1000 * b'x'), "isn't an archive")
    refused(box, os.path.join(box.folder, 'nothing'), 'nothing')
    refused(box, '/dev/zero', "isn't an archive")
    double = io.BytesIO()
    with tarfile.open(fileobj=double, mode='w') as t:
        for data in (b'{}', b'{"a": 1}'):
            info = tarfile.TarInfo('index.json')
            info.size = len(data)
            t.addfile(info, io.BytesIO(data))
    refused(box, file('double.tar', double.getvalue()), 'two files called /index.json')


def a_layout_that_leads_out_of_itself_is_not_followed(box):
    a = simple()
    path = a.folder(box)
    layer = next(p for p in a.files if p.startswith('blobs') and a.files[p][:2] == b'\x1f\x8b')
    shutil.move(os.path.join(path, layer), os.path.join(box.folder, 'moved'))
    os.symlink(os.path.join(box.folder, 'moved'), os.path.join(path, layer))
    refused(box, path, "isn't in the archive")
    os.unlink(os.path.join(path, layer))
    os.mkfifo(os.path.join(path, layer))
    refused(box, path, "isn't")


# -- root filesystems ----------------------------------------------------------------------------------------

def layered(box, name='example.com/layered:1', layers=(LOWER, UPPER)):
    a = Archive()
    return load(box, a.index(a.image(list(layers), **named(name))).folder(box, 'l%d' % box.count))


def layers_whiteouts_and_links_are_seen_as_one_tree(box):
    layered(box)
    for old in (False, True):
        for changes in (True, False):
            with Root(box, 'example.com/layered:1', changes, old=old) as r:
                same(SEEN, {d: r.names(d) for d in SEEN}, 'old %s, changes %s' % (old, changes))
                same(r.stat('bin/c').st_ino, r.stat('bin/d').st_ino, 'hard links')
                same('A', r.read('bin/sh'))
                same(0o4755, stat.S_IMODE(r.stat('bin/su').st_mode))
                m = mountinfo_of('self')[r.path]
                same(('overlay', True, not changes), (m.type, 'nodev' in m.options, 'ro' in m.options))


def changes_go_to_the_containers_own_folder(box):
    layered(box)
    before = files(box)
    for old in (False, True):
        with Root(box, 'example.com/layered:1', old=old) as r:
            with open(os.path.join(r.path, 'new'), 'w', encoding='utf-8') as f:
                f.write('new')
            os.unlink(os.path.join(r.path, 'bin/a'))
            same(['bin', 'new'], sorted(os.listdir(r.dir + '/upper')))
        with r:
            same('new', r.read('new'))
            same(['c', 'd', 'sh', 'su'], r.names('bin'))
    same(before, files(box), 'the store')


def the_top_folder_looks_as_the_image_has_it(box):
    layered(box, layers=[tar_with(entry('.', tarfile.DIRTYPE, mode=0o1711, uid=7, gid=8), ('f', ''))])
    with Root(box, 'example.com/layered:1') as r:
        same((0o1711, 7, 8), (stat.S_IMODE(r.stat().st_mode), r.stat().st_uid, r.stat().st_gid))


def a_layer_alone_hides_what_it_says(box):
    layered(box, layers=[UPPER])
    for changes in (True, False):
        with Root(box, 'example.com/layered:1', changes) as r:
            same(['bin', 'data', 'etc'], r.names())
            same(False, os.path.lexists(r.path + '/etc/old'))


def an_opaque_root_hides_all_that_is_lower(box):
    top = tar_with(('.wh..wh..opq', ''), ('bin', None), ('bin/new', ''))
    layered(box, layers=[LOWER, UPPER, top])
    for changes in (True, False):
        with Root(box, 'example.com/layered:1', changes) as r:
            same((['bin'], ['new']), (r.names(), r.names('bin')))
    layered(box, 'example.com/layered:2', layers=[LOWER, top, UPPER])
    with Root(box, 'example.com/layered:2') as r:
        same((['bin', 'data', 'etc'], ['c', 'd', 'new', 'sh', 'su']), (r.names(), r.names('bin')))


def a_layer_may_come_twice(box):
    layered(box, layers=[LOWER, UPPER, LOWER])
    for old in (False, True):
        with Root(box, 'example.com/layered:1', old=old) as r:
            same(['a', 'b', 'c', 'd', 'sh', 'su'], r.names('bin'))
            same(['1', '2', '3'], r.names('data'))


def an_image_may_have_128_layers(box):
    layers = [tar_with(('f%d' % i, str(i)), ('last', str(i))) for i in range(128)]
    layered(box, layers=layers)
    for old in (False, True):
        with Root(box, 'example.com/layered:1', old=old) as r:
            same(129, len(r.names()))
            same('127', r.read('last'))


def ids_are_mapped_for_a_user_namespace(box):
    layered(box, layers=[tar_with(entry('d', tarfile.DIRTYPE, uid=5, gid=6, mode=0o755), ('f', '')), tar_with(('g', 'g'))])
    for old in (False, True):
        with Root(box, 'example.com/layered:1', host=100000, old=old) as r:
            same((100000, 100005, 100006, 100000), (r.stat().st_uid, r.stat('d').st_uid, r.stat('d').st_gid, r.stat('f').st_uid))
            def as_root_in_it():
                os.setgid(100000)
                os.setuid(100000)
            os.chmod(box.folder, 0o755)
            subprocess.run(['touch', r.path + '/mine'], preexec_fn=as_root_in_it, check=True)
            same(100000, r.stat('mine').st_uid)
        same(100000, os.lstat(r.dir + '/upper').st_uid)


def an_owner_without_an_id_in_the_namespace_is_said(box):
    layered(box, layers=[tar_with(entry('.', tarfile.DIRTYPE, mode=0o755, uid=70000))])
    done = subprocess.run(Root(box, 'example.com/layered:1', host=100000).argv, capture_output=True, text=True, check=False)
    same(1, done.returncode)
    has(done.stderr, 'which the user namespace has no ids for')


def a_store_on_an_overlay_is_refused_with_a_hint(box):
    layered(box)
    parts = [os.path.join(box.folder, n) for n in ('lo', 'up', 'wo', 'all')]
    for p in parts:
        os.mkdir(p)
    subprocess.run(['mount', '-t', 'overlay', 'overlay', '-o', 'lowerdir=%s,upperdir=%s,workdir=%s' % tuple(parts[:3]), parts[3]], check=True)
    try:
        os.mkdir(parts[3] + '/c')
        r = Root(box, 'example.com/layered:1')
        r.argv[3] = parts[3] + '/c'
        done = subprocess.run(r.argv, capture_output=True, text=True, check=False)
        same(1, done.returncode)
        has(done.stderr, 'lies on an overlayfs')
        has(done.stderr, '--data DIR')
    finally:
        subprocess.run(['umount', parts[3]], check=True)


def a_layer_that_is_gone_is_said_and_comes_back(box):
    a = simple()
    path = a.folder(box)
    load(box, path)
    layer = os.path.join(box.data, 'layers', os.listdir(box.data + '/layers')[0])
    shutil.rmtree(layer)
    done = subprocess.run(Root(box, 'example.com/simple:1').argv, capture_output=True, text=True, check=False)
    has(done.stderr, 'loading the image again brings it back')
    load(box, path)
    with Root(box, 'example.com/simple:1') as r:
        same('hello', r.read('file'))
    os.unlink(layer + '/layer.json')
    load(box, path)
    same(True, os.path.exists(layer + '/layer.json'))


def the_debian_root_is_an_image(box):
    begin = time.monotonic()
    data = subprocess.run(['tar', '-C', DEBIAN, '-c', '--xattrs', '.'], stdout=subprocess.PIPE, check=True).stdout
    a = Archive()
    a.index(a.image([data], pack=lambda d: gzip.compress(d, 1), **named('debian:12')))
    path = a.tar(box)
    built, begin = time.monotonic() - begin, time.monotonic()
    load(box, path)
    took = time.monotonic() - begin
    print('# %.0f MB of Debian: loaded in %.2f s (made in %.1f s)' % (len(data) / 1e6, took, built))
    with Root(box, 'debian:12') as r:
        wanted = subprocess.run(['find', '.', '-printf', '%p %y %m %U %G %l\n'], cwd=DEBIAN, stdout=subprocess.PIPE, check=True).stdout
        got = subprocess.run(['find', '.', '-printf', '%p %y %m %U %G %l\n'], cwd=r.path, stdout=subprocess.PIPE, check=True).stdout
        lines = [set(t.decode().splitlines()) for t in (wanted, got)]
        diff = {line for line in lines[0] ^ lines[1] if not line.startswith('./dev/')}
        same(set(), diff, 'what differs')
        same('', subprocess.run(['chroot', r.path, '/usr/bin/dpkg', '--audit'], stdout=subprocess.PIPE, check=True).stdout.decode())
    print('# ' + subprocess.run([ROOTFS, '-t', box.data, 'debian:12', '100'], stdout=subprocess.PIPE, check=True).stdout.decode().strip())


# -- removing ------------------------------------------------------------------------------------------------

def layers_go_with_the_last_image_that_needs_them(box):
    layered(box, 'example.com/one:1', [LOWER])
    layered(box, 'example.com/two:1', [LOWER, UPPER])
    layers = box.data + '/layers'
    same(2, len(os.listdir(layers)))
    box.call('image', 'remove', 'example.com/two:1').ok()
    same([sha256(LOWER)[7:]], os.listdir(layers))
    box.call('image', 'remove', 'example.com/one:1').ok()
    same([], os.listdir(layers))
    same([], images(box))
    box.call('image', 'remove', 'example.com/one:1').fails(1, "image example.com/one:1 isn't in the store")


def all_names_go_with_the_image(box):
    path = simple().folder(box)
    load(box, path)
    load(box, path, '--name', 'other')
    box.call('image', 'remove', 'other').ok()
    same({}, names(box))
    same({}, json.load(open(box.data + '/images/names.json', encoding='utf-8')).get('names', {}))


def an_image_that_a_container_uses_stays(box):
    id = load(box, simple().folder(box))
    folder = os.path.join(box.data, 'containers', 64 * 'a')
    os.makedirs(folder, 0o700)
    record = os.path.join(folder, 'container.json')
    for text, part in ((json.dumps({'version': 1, 'id': 64 * 'a', 'imageId': id}), 'uses it'), ('{', 'container aaaaaaaaaaaa')):
        with open(record, 'w', encoding='utf-8') as f:
            f.write(text)
        os.chmod(record, 0o600)
        before = files(box)
        box.call('image', 'remove', 'example.com/simple:1').fails(1, part)
        same(before, files(box))
    with open(record, 'w', encoding='utf-8') as f:
        json.dump({'version': 1, 'id': 64 * 'a', 'imageId': 'sha256:' + 64 * '0'}, f)
    box.call('image', 'remove', 'example.com/simple:1').ok()
    shutil.rmtree(os.path.join(box.data, 'containers'))


# -- what goes wrong -----------------------------------------------------------------------------------------

def a_broken_record_is_passed_over_and_repaired(box):
    path = simple().folder(box)
    id = load(box, path)
    good = load(box, simple(name='example.com/good:1', text='x').folder(box, 'good'))
    record = os.path.join(box.data, 'images', id[7:], 'record.json')
    text = open(record, 'rb').read()
    for n in list(range(0, len(text) - 1, 37)):
        with open(record, 'wb') as f:
            f.write(text[:n])
        r = box.call('image', 'list', '-q').ok()
        same([good], r.out.split())
        has(r.err, 'record of image ' + id[7:19])
    box.call('image', 'inspect', id).fails(1, 'record of image', 'loading the image again repairs it')
    layers = os.listdir(box.data + '/layers')
    box.call('image', 'remove', good).ok()
    same(layers, os.listdir(box.data + '/layers'), 'layers, while it is unknown what is needed')
    load(box, path)
    same([id], box.call('image', 'list', '-q').ok().out.split())


def broken_names_are_said(box):
    id = load(box, simple().folder(box))
    path = box.data + '/images/names.json'
    for text in ('', '{', '{"version":1,"names":{"a":"b"}}', '{"version":2}', '{"version":1,"more":1}'):
        with open(path, 'w', encoding='utf-8') as f:
            f.write(text)
        box.call('image', 'list').fails(1, 'names.json', 'hint: move that file away')
    os.unlink(path)
    same(id, inspect_(box, id)['id'])


def loads_at_once_make_one_image(box):
    a = Archive()
    a.index(a.image([LOWER, UPPER, busybox_tar()], **named('example.com/b:1')))
    path = a.tar(box)
    others = [simple(str(i), 'example.com/s:%d' % i).tar(box, '%d.tar' % i) for i in range(4)]
    results = []

    def one(p):
        results.append(box.call('image', 'load', p))
    threads = [threading.Thread(target=one, args=(p,)) for p in [path] * 4 + others]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for r in results:
        r.ok()
    same(8, len(results))
    same(['example.com/b:1'] + ['example.com/s:%d' % i for i in range(4)], sorted(names(box)))
    no_temporaries(box)
    with Root(box, 'example.com/b:1') as r:
        same(SEEN['data'], r.names('data'))


def loads_and_removes_at_once_end_whole(box):
    path = simple().folder(box)
    stop = time.monotonic() + 2
    failed = []

    def again_and_again(*argv):
        while time.monotonic() < stop:
            r = box.call('image', *argv)
            if r.status and "isn't in the store" not in r.err:
                failed.append(r.err)
    threads = [threading.Thread(target=again_and_again, args=a) for a in (('load', path), ('remove', 'example.com/simple:1'), ('load', path), ('list',))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    same([], failed)
    load(box, path)
    with Root(box, 'example.com/simple:1') as r:
        same('hello', r.read('file'))
    no_temporaries(box)


CALLS = ('mkdir|mkdirat|openat|write|fsync|syncfs|rename|renameat|renameat2|unlinkat|flock|clone3|clone|sendmsg|recvmsg|close|fchmod|ftruncate|poll|ppoll|wait4|waitid')


def kill_points(box, argv):
    log = os.path.join(box.folder, 'calls')
    done = subprocess.run([STRACE, '-qq', '-o', log, *argv], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, check=False)
    same(0, done.returncode, done.stderr)
    points, count = [], {}
    with open(log, encoding='utf-8', errors='replace') as f:
        for line in f:
            name = re.match(r'(\w+)\(', line)
            if name and re.fullmatch(CALLS, name.group(1)):
                count[name.group(1)] = count.get(name.group(1), 0) + 1
                points.append((name.group(1), count[name.group(1)]))
    return points


def killed(point, argv):
    subprocess.run([STRACE, '-qq', '-o', '/dev/null', '-e', 'trace=' + point[0], '-e', 'inject=%s:signal=KILL:when=%d' % point, *argv],
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)


def a_load_killed_anywhere_leaves_nothing_in_the_way(box):
    if not STRACE:
        skip('no strace')
    a = Archive()
    good = a.index(a.image([LOWER, UPPER], **named('example.com/k:1')))
    path = good.tar(box, 'k.tar')
    old = simple('old', 'example.com/k:1').folder(box)
    argv = [CTRCTL, *box.globals, 'image', 'load', path]
    points = kill_points(box, argv)
    random.Random(1).shuffle(points)
    end, tried = time.monotonic() + SECONDS, 0
    for point in points:
        if time.monotonic() > end:
            break
        shutil.rmtree(box.data)
        first = load(box, old)
        killed(point, argv)
        tried += 1
        # the name is the old image's or the new one's, and what is listed can be mounted
        same(True, names(box).get('example.com/k:1') in (first, a.config), 'name after a kill at %s:%d' % point)
        for i in images(box):
            with Root(box, i['id']):
                pass
        load(box, path)
        no_temporaries(box)
        with Root(box, 'example.com/k:1') as r:
            same(SEEN['bin'], r.names('bin'), 'after a kill at %s:%d' % point)
        for i in images(box):
            box.call('image', 'remove', i['id']).ok()
        same([], os.listdir(box.data + '/layers'), 'layers after a kill at %s:%d' % point)
    print('# killed at %d of %d points' % (tried, len(points)))
    if tried < 10:
        fail('killed %d times only' % tried)


def a_remove_killed_anywhere_can_be_repeated(box):
    if not STRACE:
        skip('no strace')
    path = simple().folder(box)
    id = load(box, path)
    argv = [CTRCTL, *box.globals, 'image', 'remove', id]
    points = kill_points(box, argv)
    random.Random(1).shuffle(points)
    end, tried = time.monotonic() + SECONDS, 0
    for point in points:
        if time.monotonic() > end:
            break
        load(box, path)
        killed(point, argv)
        tried += 1
        for i in images(box):
            with Root(box, i['id']) as r:
                same('hello', r.read('file'), 'after a kill at %s:%d' % point)
        load(box, path)
        no_temporaries(box)
        box.call('image', 'remove', id).ok()
        same([], os.listdir(box.data + '/layers'), 'layers after a kill at %s:%d' % point)
    print('# killed at %d of %d points' % (tried, len(points)))
    if tried < 10:
        fail('killed %d times only' % tried)


# -- what is seen --------------------------------------------------------------------------------------------

def a_terminal_sees_progress_and_a_pipe_does_not(box):
    path = simple().folder(box)
    same('', box.call('image', 'load', path).ok().err)
    for options, wanted in (((), True), (('-q',), False)):
        shutil.rmtree(box.data)
        pid, fd = pty.fork()
        if pid == 0:
            os.execv(CTRCTL, [CTRCTL, *box.globals, 'image', 'load', *options, path])
        text = b''
        while True:
            ready, _, _ = select.select([fd], [], [], 20)
            try:
                piece = os.read(fd, 4096) if ready else b''
            except OSError:
                piece = b''
            if not piece:
                break
            text += piece
        os.close(fd)
        same(0, os.waitpid(pid, 0)[1])
        same(wanted, b'MB of' in text, repr(text))


def the_list_has_a_table_json_and_ids(box):
    same('[]\n', box.call('image', 'list', '--format', 'json').ok().out)
    id = load(box, simple().folder(box))
    lines = box.call('image', 'list').ok().out.splitlines()
    same(['NAME', 'ID', 'SIZE', 'CREATED'], lines[0].split())
    same(['example.com/simple:1', id[7:19], '5', 'B', '-'], lines[1].split())
    same(id + '\n', box.call('image', 'list', '-q').ok().out)
    box.call('image', 'list', '--format', 'x').fails(1, 'table and json')
    box.call('image').fails(1, 'load, list, inspect, remove')


def looking_makes_nothing(box):
    box.call('image', 'list').ok()
    box.call('image', 'inspect', 'x').fails(1, "isn't in the store")
    box.call('image', 'remove', 'x').fails(1, "isn't in the store")
    same(False, os.path.exists(box.data))



main(globals())
