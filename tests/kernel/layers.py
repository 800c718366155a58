#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Layers of hostile images: whatever an archive holds, nothing outside the layer's folder changes.

Each archive is unpacked twice: by unpack_layer(), as images are, in its confined child; and by unpack_memory() in a process
that is confined by nothing, so that the one defence doesn't hide a hole in the other. Beside the folder lies a canary tree,
which is looked at before and after; symlinks and names lead there by every way that is known."""
import gzip
import hashlib
import io
import stat
import struct
import tarfile
import threading

from box import *

UNPACK_ONE = os.path.join(os.path.dirname(PROBE), 'unpack-one')
BLOCK = 512

# -- archives --------------------------------------------------------------------------------------------


class Layer:
    """A tar that is put together entry by entry; nothing is checked."""

    def __init__(self):
        self.parts = []

    def add(self, name, kind=tarfile.REGTYPE, data=b'', link='', pax=None, form=tarfile.PAX_FORMAT, **more):
        t = tarfile.TarInfo(name)
        t.type, t.linkname, t.size, t.mtime = kind, link, len(data), 1000
        t.mode = 0o755 if kind == tarfile.DIRTYPE else 0o644
        t.pax_headers = pax or {}
        for key, value in more.items():
            setattr(t, key, value)
        self.parts.append(t.tobuf(form, 'utf-8', 'surrogateescape') + data + bytes(-len(data) % BLOCK))
        return self

    def file(self, name, data=b'evil', **more):
        return self.add(name, data=data, **more)

    def dir(self, name, **more):
        return self.add(name, tarfile.DIRTYPE, **more)

    def symlink(self, name, to, **more):
        return self.add(name, tarfile.SYMTYPE, link=to, **more)

    def hardlink(self, name, to, **more):
        return self.add(name, tarfile.LNKTYPE, link=to, **more)

    def device(self, name, major, minor, kind=tarfile.CHRTYPE):
        return self.add(name, kind, devmajor=major, devminor=minor)

    def raw(self, data):
        self.parts.append(data)
        return self

    def bytes(self, end=bytes(2 * BLOCK)):
        return b''.join(self.parts) + end


def digest(data, algorithm='sha256'):
    return '%s:%s' % (algorithm, hashlib.new(algorithm, data).hexdigest())


# -- looking ---------------------------------------------------------------------------------------------


def facts(path):
    """All that can be seen of one file or folder."""
    st = os.lstat(path)
    what = [st.st_mode, st.st_uid, st.st_gid, st.st_nlink, st.st_rdev, st.st_mtime_ns, st.st_ino]
    if stat.S_ISLNK(st.st_mode):
        return what + [os.readlink(path)]
    what += sorted((n, os.getxattr(path, n)) for n in os.listxattr(path))
    if stat.S_ISREG(st.st_mode):
        with open(path, 'rb') as f:
            what.append(hashlib.sha256(f.read()).hexdigest())
    if stat.S_ISDIR(st.st_mode):
        what.append(sorted(os.listdir(path)))
    return what


def tree(path):
    return {os.path.join(d, n): facts(os.path.join(d, n)) for d, dirs, files in os.walk(path)
            for n in dirs + files} | {path: facts(path)}


class Scene:
    """The layer's folder `root`, and beside it the canary: secret, dir/inner, setuid, link."""

    def __init__(self, box, number):
        self.folder = os.path.join(box.folder, 'scene%d' % number)
        self.root, self.canary = os.path.join(self.folder, 'root'), os.path.join(self.folder, 'canary')
        os.makedirs(self.canary + '/dir')
        os.mkdir(self.root)
        for name, mode in (('secret', 0o600), ('dir/inner', 0o644), ('setuid', 0o4755)):
            with open(os.path.join(self.canary, name), 'w', encoding='utf-8') as f:
                f.write('of the host\n')
            os.chmod(os.path.join(self.canary, name), mode)
        os.symlink('secret', self.canary + '/link')
        os.chown(self.canary + '/dir/inner', 1234, 1234)
        self.before = self.outside()

    def outside(self):
        found = tree(self.canary)
        found['beside'] = sorted(os.listdir(self.folder))
        found['root of the host'] = sorted(os.listdir('/'))
        return found

    def check(self):
        after = self.outside()
        for name in sorted(set(self.before) | set(after)):
            same(self.before.get(name), after.get(name), 'outside: ' + name)

    def path(self, name):
        return os.path.join(self.root, name)

    def inside(self):
        return sorted(os.path.relpath(os.path.join(d, n), self.root) for d, dirs, files in os.walk(self.root)
                      for n in dirs + files)


def call(scene, blob, *options):
    path = os.path.join(scene.folder, '..', 'blob')
    with open(path, 'wb') as f:
        f.write(blob)
    done = subprocess.run([UNPACK_ONE, *options, path, scene.root], capture_output=True, timeout=120, check=False)
    return Result(done.returncode, done.stdout.decode(errors='replace'), done.stderr.decode(errors='replace'))


WAYS = ('confined', 'memory')


def attack(box, build, refused=None, look=None, options=()):
    """Unpacks what build(scene) returns (a Layer or bytes), both ways. refused: text of the error; None: it must succeed,
    and look(scene) says what must be inside."""
    for way in WAYS:
        box.count += 1
        scene = Scene(box, box.count)
        layer = build(scene)
        blob = layer if isinstance(layer, bytes) else layer.bytes()
        if way == 'memory':
            r = call(scene, blob, '-m', *options)
        else:
            packed = gzip.compress(blob, 1)
            r = call(scene, packed, '-i', digest(blob), '-d', digest(packed), *options)
        scene.check()
        if refused is None:
            if r.status != 0:
                fail('%s: %s%s' % (way, r.out, r.err))
            if look:
                look(scene)
        else:
            same(1, r.status, '%s: status (%s)' % (way, r.out))
            has(r.out, refused)
            for trap in ('no such file or directory', 'permission denied'):
                has_not(r.out.lower(), trap)
        shutil.rmtree(scene.folder)


def content(name, wanted=b'evil'):
    def look(scene):
        with open(scene.path(name), 'rb') as f:
            same(wanted, f.read(), name)
    return look


# -- IMG-1: names ----------------------------------------------------------------------------------------


def absolute_names_stay_inside(box):
    attack(box, lambda s: Layer().file(s.canary + '/secret'),
           look=lambda s: content(s.canary[1:] + '/secret')(s))


def names_that_climb_stay_inside(box):
    for name in ('../canary/secret', '../../../../../../canary/secret', 'd/../../canary/secret', './/../canary//secret',
                 '/../canary/./secret'):
        attack(box, lambda s, name=name: Layer().file(name), look=content('canary/secret'))


def the_root_is_no_symlink(box):
    for name in ('.', './', '/', '/.', './/.', 'a/..', '..', '../..'):
        attack(box, lambda s, name=name: Layer().symlink(name, s.canary).file('secret'), refused="the layer's root")


def the_root_is_no_file_or_hard_link(box):
    for kind in (tarfile.REGTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE):
        attack(box, lambda s, kind=kind: Layer().file('x').add('./..', kind, link='x'), refused="the layer's root")


def an_entry_without_a_name_is_refused(box):
    attack(box, lambda s: Layer().file(''), refused='has no name')


def names_that_are_too_long_or_too_deep_are_refused(box):
    attack(box, lambda s: Layer().file('n' * 256), refused='more than 255 bytes')
    attack(box, lambda s: Layer().file('n' * 255), look=content('n' * 255))
    attack(box, lambda s: Layer().file('d/' * 256 + 'x'), refused='more than 256 folders deep')
    attack(box, lambda s: Layer().file('n' * 200 + ('/' + 'n' * 200) * 20), refused='more than 4095 bytes')
    attack(box, lambda s: Layer().file('/'.join(['n' * 254] * 16)))


# -- IMG-1, IMG-2: parents -------------------------------------------------------------------------------


def absolute_symlinks_lead_nowhere(box):
    attack(box, lambda s: Layer().symlink('l', s.canary).file('l/secret'), refused='leads to no folder')
    attack(box, lambda s: Layer().symlink('l', '/').symlink('m', 'l').file('m/x'), look=content('x'))
    attack(box, lambda s: Layer().symlink('l', '/proc/self/root').file('l/' + s.canary + '/secret'), refused='leads to no')
    attack(box, lambda s: Layer().symlink('l', '/proc/self/cwd/../canary').file('l/secret'), refused='leads to no folder')


def relative_symlinks_end_at_the_root(box):
    attack(box, lambda s: Layer().symlink('l', '../canary').file('l/secret'), refused='leads to no folder')
    attack(box, lambda s: Layer().dir('d').symlink('d/l', '../../canary').file('d/l/secret'), refused='leads to no folder')
    attack(box, lambda s: Layer().symlink('up', '..').symlink('up2', 'up/..').file('up2/canary/secret'),
           look=content('canary/secret'))
    attack(box, lambda s: Layer().dir('canary').symlink('l', '../canary').file('l/secret'), look=content('canary/secret'))


def a_folder_that_becomes_a_symlink_leads_nowhere(box):
    attack(box, lambda s: Layer().dir('d').file('d/a').symlink('d', s.canary).file('d/secret'), refused='leads to no folder')
    attack(box, lambda s: Layer().dir('d/e').file('d/e/a').symlink('d', '../canary').file('d/e/inner'), refused='leads to no')
    attack(box, lambda s: Layer().dir('d').file('d/a').dir('e').symlink('d', 'e').file('d/b'), look=content('e/b'))


def a_folder_over_a_symlink_is_a_folder(box):
    def look(scene):
        same(False, os.path.islink(scene.path('l')))
        content('l/secret')(scene)
    attack(box, lambda s: Layer().symlink('l', s.canary).dir('l', mode=0o777, uid=5).file('l/secret'), look=look)
    attack(box, lambda s: Layer().symlink('l', '../canary/dir').dir('l', mtime=5).file('l/secret'), look=look)


def symlinks_in_a_circle_are_refused(box):
    attack(box, lambda s: Layer().symlink('a', 'b').symlink('b', 'a').file('a/x'), refused='openat2(a)')
    attack(box, lambda s: Layer().symlink('a', 'a').file('a/x'), refused='openat2(a)')


def a_file_in_place_of_a_symlink_replaces_it(box):
    def look(scene):
        same(False, os.path.islink(scene.path('l')))
        content('l')(scene)
    attack(box, lambda s: Layer().symlink('l', s.canary + '/secret').file('l'), look=look)
    attack(box, lambda s: Layer().symlink('l', '../canary/new').file('l'), look=look)
    attack(box, lambda s: Layer().symlink('l', '../canary/new').add('l', tarfile.FIFOTYPE),
           look=lambda s: same(True, stat.S_ISFIFO(os.lstat(s.path('l')).st_mode)))


# -- IMG-3: hard links -----------------------------------------------------------------------------------


def hard_links_reach_nothing_outside(box):
    for link in ('../canary/secret', '../../../canary/secret', 'd/../../canary/secret'):
        attack(box, lambda s, link=link: Layer().dir('d').hardlink('h', link).file('h'), refused='no file of this layer')
    attack(box, lambda s: Layer().hardlink('h', s.canary + '/secret').file('h'), refused='no file of this layer')


def hard_links_through_symlinks_reach_nothing_outside(box):
    attack(box, lambda s: Layer().symlink('l', s.canary).hardlink('h', 'l/secret'), refused='no file of this layer')
    attack(box, lambda s: Layer().symlink('l', '../canary').hardlink('h', 'l/secret'), refused='no file of this layer')
    attack(box, lambda s: Layer().file('f').symlink('l', s.canary).hardlink('l/new', 'f'), refused='leads to no folder')


def a_hard_link_to_a_symlink_is_the_symlink(box):
    def look(scene):
        same(True, os.path.islink(scene.path('h')))
    attack(box, lambda s: Layer().symlink('l', s.canary + '/secret').hardlink('h', 'l', mode=0o777, uid=5, mtime=7), look=look)
    attack(box, lambda s: Layer().symlink('l', '../canary/setuid').hardlink('h', 'l', mode=0o777), look=look)
    # Written to afterwards: a file of its own.
    attack(box, lambda s: Layer().symlink('l', '../canary/secret').hardlink('h', 'l').file('h'), look=content('h'))


def a_hard_link_with_data_is_only_a_link(box):
    # Only pax archives may have such data.
    pax = {'comment': 'pax'}
    attack(box, lambda s: Layer().file('f', b'good').hardlink('h', 'f', data=b'evil', pax=pax), look=content('f', b'good'))
    attack(box, lambda s: Layer().symlink('l', '../canary/secret').hardlink('h', 'l', data=b'evil', pax=pax))


def chains_of_a_hundred_hard_links_work(box):
    def build(_):
        layer = Layer().file('0')
        for i in range(100):
            layer.hardlink(str(i + 1), str(i))
        return layer
    attack(box, build, look=lambda s: same(101, os.lstat(s.path('100')).st_nlink))


# -- IMG-4: attributes -----------------------------------------------------------------------------------


def attributes_of_a_symlink_are_its_own(box):
    capability = struct.pack('<5I', 0x02000001, 1 << 13, 0, 0, 0).decode('latin-1')
    attack(box, lambda s: Layer().symlink('l', s.canary + '/secret', mode=0o4777, uid=77, gid=77, mtime=7,
                                          pax={'SCHILY.xattr.user.x': 'y', 'SCHILY.xattr.security.capability': capability}),
           look=lambda s: same(77, os.lstat(s.path('l')).st_uid))


def setuid_is_kept_and_owners_come_first(box):
    attack(box, lambda s: Layer().file('su', mode=0o6755, uid=12, gid=34),
           look=lambda s: same(0o106755, os.lstat(s.path('su')).st_mode))


# -- IMG-5: digests and sizes ----------------------------------------------------------------------------


def unpack_blob(box, blob, *options):
    box.count += 1
    scene = Scene(box, box.count)
    r = call(scene, blob, *options)
    scene.check()
    shutil.rmtree(scene.folder)
    return r


def a_blob_of_another_digest_is_refused(box):
    tar = Layer().file('f').bytes()
    blob = gzip.compress(tar)
    for algorithm in ('sha256', 'sha512'):
        unpack_blob(box, blob, '-d', digest(blob, algorithm), '-i', digest(tar, algorithm)).ok()
        r = unpack_blob(box, blob, '-d', digest(b'other', algorithm), '-i', digest(tar))
        same(1, r.status)
        has(r.out, "its bytes don't have that digest but " + digest(blob, algorithm))
    for wrong in ('md5:' + '0' * 32, 'sha256', '', digest(blob)[:-1], digest(blob).upper(), digest(blob) + '0'):
        same(1, unpack_blob(box, blob, '-d', wrong, '-i', digest(tar)).status, wrong)


def a_layer_of_another_diff_id_is_refused(box):
    tar = Layer().file('f').bytes()
    for wrong in (digest(b'other'), digest(gzip.compress(tar)), 'sha512:', 'md5:0'):
        r = unpack_blob(box, gzip.compress(tar), '-i', wrong)
        same(1, r.status, wrong)
        has(r.out, 'digest')


def a_blob_of_another_size_is_refused(box):
    tar = Layer().file('f').bytes()
    blob = gzip.compress(tar)
    for size, word in ((len(blob) - 1, 'longer'), (1, 'longer'), (0, 'longer'), (len(blob) + 1, 'shorter')):
        r = unpack_blob(box, blob, '-d', digest(blob), '-i', digest(tar), '-s', str(size))
        same(1, r.status)
        has(r.out, 'invalid: ')
        has(r.out, 'is %s than its size' % word)
    unpack_blob(box, blob, '-d', digest(blob), '-i', digest(tar), '-s', str(len(blob))).ok()


def a_damaged_blob_is_reported_by_its_digest(box):
    tar = Layer().file('f', os.urandom(2000000)).bytes()
    blob = bytearray(gzip.compress(tar, 1))
    wanted = digest(bytes(blob))
    blob[1000] ^= 0xff
    r = unpack_blob(box, bytes(blob), '-d', wanted, '-i', digest(tar))
    has(r.out, "its bytes don't have that digest")
    r = unpack_blob(box, bytes(blob), '-i', digest(tar))
    has(r.out, 'gzip data is damaged')


def cut_archives_are_refused(box):
    tar = Layer().file('f', os.urandom(100000)).bytes()
    blob = gzip.compress(tar, 1)
    for n in (1, 9, 11, 600, 50000, len(blob) - 1):
        r = unpack_blob(box, blob[:n], '-i', digest(tar))
        same(1, r.status, '%d bytes' % n)
        r = unpack_blob(box, tar[:n], '-i', digest(tar[:n]))
        same(1, r.status, '%d bytes of the tar' % n)


def what_follows_the_end_counts_for_the_digest(box):
    tar = Layer().file('f').bytes()
    for tail in (bytes(10240), b'rubbish', bytes(15 << 20)):
        unpack_blob(box, gzip.compress(tar + tail, 1), '-i', digest(tar + tail)).ok()
        same(1, unpack_blob(box, gzip.compress(tar + tail, 1), '-i', digest(tar)).status)
    both = gzip.compress(tar[:700]) + gzip.compress(tar[700:])
    unpack_blob(box, both, '-i', digest(tar), '-d', digest(both)).ok()
    same(1, unpack_blob(box, both + b'rubbish', '-i', digest(tar)).status)


# -- IMG-6: whiteouts, headers ---------------------------------------------------------------------------


def whiteouts_of_nothing_are_refused(box):
    for name in ('.wh.', 'd/.wh.', '.wh..', 'd/.wh..', '.wh...', 'd/.wh...', 'd/.wh.../', './.wh./.'):
        attack(box, lambda s, name=name: Layer().dir('d').file(name), refused='whiteout of nothing')
    attack(box, lambda s: Layer().file('.wh.d/secret'), refused='beneath a whiteout')
    attack(box, lambda s: Layer().hardlink('h', '.wh.x'), refused='no file of this layer')


def whiteouts_through_symlinks_hide_nothing_outside(box):
    for link in ('../canary', '../../../canary'):
        attack(box, lambda s, link=link: Layer().symlink('l', link).file('l/.wh.secret'), refused='leads to no folder')
        attack(box, lambda s, link=link: Layer().symlink('l', link).file('l/.wh..wh..opq'), refused='leads to no folder')
    attack(box, lambda s: Layer().symlink('l', s.canary).file('l/.wh.dir'), refused='leads to no folder')
    attack(box, lambda s: Layer().file('../canary/.wh.secret').file('../canary/.wh..wh..opq'),
           look=lambda s: same(['canary', 'canary/secret'], s.inside()))


def whiteouts_of_symlinks_leave_their_targets_alone(box):
    def look(scene):
        same(True, os.path.islink(scene.path('l')))
    attack(box, lambda s: Layer().symlink('l', s.canary + '/dir').file('.wh.l'), look=look)
    attack(box, lambda s: Layer().symlink('l', '../canary').file('.wh.l'), look=look)


def opaque_marks_stay_inside(box):
    attack(box, lambda s: Layer().file('.wh..wh..opq').file('../.wh..wh..opq').file('d/.wh..wh..opq'),
           look=lambda s: same([b'y', b'y'], [os.getxattr(s.path(p), 'trusted.overlay.opaque') for p in ('.', 'd')]))


def no_name_of_a_whiteout_is_ever_made(box):
    attack(box, lambda s: Layer().file('.wh.a').dir('.wh.b').symlink('.wh.c', s.canary).device('.wh.d', 8, 0)
           .file('.wh..wh.aufs').file('.wh..wh.plnk/x').hardlink('.wh.e', s.canary + '/secret'),
           look=lambda s: same(['a', 'b', 'c', 'd', 'e'], s.inside()))


def big_headers_are_refused(box):
    def pax(size):
        t = tarfile.TarInfo('x')
        t.type, t.size = tarfile.XHDTYPE, size
        return t.tobuf(tarfile.GNU_FORMAT)

    attack(box, lambda s: Layer().raw(pax(2 << 20) + b'x' * (2 << 20)).file('f'), refused='too large')
    attack(box, lambda s: Layer().raw(pax(1 << 40)), refused='too large')
    attack(box, lambda s: Layer().file('f', pax={'comment': 'x' * 990000}), look=content('f'))
    # Each is small enough, together they aren't; or they are too many.
    three = b''.join(pax(900000) + b'900000 comment=%s\n' % (b'x' * 899984) + bytes(-900000 % BLOCK) for _ in range(3))
    attack(box, lambda s: Layer().raw(three).file('f'), refused='headers of more than')
    many = b''.join(pax(BLOCK) + b'%d comment=%s\n' % (BLOCK, b'x' * (BLOCK - 13)) for _ in range(100))
    attack(box, lambda s: Layer().raw(many).file('f'), refused='no proper tar')
    long = tarfile.TarInfo('x' * 1500000)
    attack(box, lambda s: Layer().raw(long.tobuf(tarfile.GNU_FORMAT)), refused='too large')


# -- IMG-7: limits ---------------------------------------------------------------------------------------


def bombs_end_at_the_limit_of_bytes(box):
    zeros = bytes(64 << 20)
    attack(box, lambda s: Layer().file('f', zeros), refused='exhausted: ', options=('-b', str(1 << 20)))
    attack(box, lambda s: Layer().raw(bytes(BLOCK * 2) + zeros).bytes(), refused='exhausted: ', options=('-b', '1', '-e', '1'))
    attack(box, lambda s: Layer().file('f').file('g'), refused='exhausted: ', options=('-b', '7'))
    attack(box, lambda s: Layer().file('f').hardlink('h', 'f', data=zeros, pax={'comment': 'pax'}), refused='exhausted: ',
           options=('-b', '100'))
    # Many members of gzip, each of which is small.
    member = gzip.compress(Layer().file('f', bytes(1 << 20)).bytes(b''))
    r = unpack_blob(box, member * 50, '-b', str(10 << 20))
    has(r.out, 'exhausted: ')


def a_bomb_is_stopped_on_its_way(box):
    """What is written stays near the limit, and the time short."""
    box.count += 1
    scene = Scene(box, box.count)
    layer = Layer()
    for i in range(200):
        layer.file('f%d' % i, bytes(1 << 20))
    r = call(scene, gzip.compress(layer.bytes(), 1), '-b', str(5 << 20))
    has(r.out, 'may have 5242880 bytes')
    same(5, len(scene.inside()))


def sparse_files_are_limited_too(box):
    def sparse(size, blocks):
        return {'GNU.sparse.name': 'f', 'GNU.sparse.size': str(size), 'GNU.sparse.numblocks': str(blocks),
                'GNU.sparse.map': '0,4'}
    for size in (1 << 40, 1 << 62, (1 << 63) - 1):
        attack(box, lambda s, size=size: Layer().file('x', pax=sparse(size, 1)), refused='exhausted: ')
    attack(box, lambda s: Layer().file('x', pax=sparse(1 << 30, 1)),
           look=lambda s: same((1 << 30, True), (os.stat(s.path('f')).st_size, os.stat(s.path('f')).st_blocks < 100)))
    # Pieces outside the file, huge maps, maps that lie about their length.
    attack(box, lambda s: Layer().file('x', pax={**sparse(2, 1), 'GNU.sparse.map': '1000000,4'}), refused='invalid: ')
    attack(box, lambda s: Layer().file('x', pax={**sparse(10, 1), 'GNU.sparse.map': '9223372036854775807,4'}), refused='inva')
    big_map = {'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.name': 'f', 'GNU.sparse.realsize': '100'}
    for n, refused in ((1 << 31, 'no proper tar'), (1000000, 'headers of more than')):
        attack(box, lambda s, n=n: Layer().file('x', b'%d\n' % n + b'0\n1\n' * 1000000, pax=big_map), refused=refused)


def too_many_entries_are_refused(box):
    def build(_):
        layer = Layer()
        for i in range(1001):
            layer.file('d%d/f' % (i % 3), b'')
        return layer
    attack(box, build, refused='too many entries', options=('-e', '1000'))
    # Folders that entries imply count.
    attack(box, lambda s: Layer().file('d/' * 200 + 'f'), refused='too many entries', options=('-e', '200'))
    attack(box, lambda s: Layer().file('d/' * 200 + 'f'), look=content('d/' * 200 + 'f'), options=('-e', '201'))


def thousands_of_entries_are_no_trouble(box):
    def build(_):
        parts = []
        for i in range(5000):
            parts.append(tarfile.TarInfo('%03d/%03d' % (i // 1000, i % 1000)).tobuf(tarfile.USTAR_FORMAT))
        return b''.join(parts) + bytes(1024)
    attack(box, build, look=lambda s: same(1000, len(os.listdir(s.path('004')))))


# -- IMG-10: attributes and nodes ------------------------------------------------------------------------


def attributes_of_overlayfs_are_dropped(box):
    names = ['%s.overlay.%s' % (space, key) for space in ('trusted', 'user')
             for key in ('opaque', 'redirect', 'metacopy', 'origin', 'whiteout', 'upper', 'nlink')]
    names += ['trusted.x', 'security.selinux', 'security.ima', 'system.posix_acl_access', 'system.posix_acl_default']
    pax = {'SCHILY.xattr.' + n: 'y' for n in names}
    pax |= {'LIBARCHIVE.xattr.' + n: 'eQ' for n in names}

    def look(scene):
        for name in ('f', 'd', '.'):
            # security.selinux is there on a host with SELinux, whatever the archive says.
            same([], [n for n in os.listxattr(scene.path(name))
                      if n != 'security.selinux' or os.getxattr(scene.path(name), n) == b'y'])
    attack(box, lambda s: Layer().dir('.', pax=pax).file('f', pax=pax).dir('d', pax=pax), look=look)


def device_nodes_are_never_made(box):
    attack(box, lambda s: Layer().device('null', 1, 3).device('disk', 8, 0, tarfile.BLKTYPE).file('f'),
           look=lambda s: same(['f'], s.inside()))
    attack(box, lambda s: Layer().device('hide', 0, 0), refused='0:0')
    # Written as pax numbers, or as a type of old: nothing but whiteouts is a device.
    attack(box, lambda s: Layer().add('n', tarfile.CHRTYPE, devmajor=1, pax={'SCHILY.devmajor': '0', 'SCHILY.devminor': '0'}),
           refused='0:0')


def unknown_types_are_files_or_refused(box):
    for kind in b'78ABDEFHIMNOPQRTUWYZabcdefhijk\x01\xff':
        box.count += 1
        scene = Scene(box, box.count)
        call(scene, Layer().symlink('l', '../canary/secret').add('l', bytes([kind]), b'evil', link='l').bytes(), '-m')
        scene.check()


# -- those who change the folder meanwhile ---------------------------------------------------------------


def rename_exchange(libc, a, b):
    at_fdcwd, exchange = -100, 2
    libc.renameat2(at_fdcwd, a.encode(), at_fdcwd, b.encode(), exchange)


def one_who_renames_inside_gets_nothing_outside(box):
    libc = ctypes.CDLL(None, use_errno=True)
    layer = Layer()
    for i in range(500):
        layer.file('d/f%d' % i).file('q/x').hardlink('d/h%d' % i, 'q/x').dir('d/secret').file('d/secret')
    blob = layer.bytes()
    for way in (('-m',), ('-i', digest(blob))):
        for link in ('../canary', None, '.'):
            box.count += 1
            scene = Scene(box, box.count)
            os.mkdir(scene.path('d'))
            os.symlink(link or scene.canary, scene.path('other'))
            going = True

            def swap(scene=scene):
                while going:
                    rename_exchange(libc, scene.path('d'), scene.path('other'))
            thread = threading.Thread(target=swap)
            thread.start()
            try:
                call(scene, blob, *way)
            finally:
                going = False
                thread.join()
            scene.check()
            shutil.rmtree(scene.folder)


# -- the child -------------------------------------------------------------------------------------------


def children(pid):
    with open('/proc/%d/task/%d/children' % (pid, pid), encoding='ascii') as f:
        return [int(n) for n in f.read().split()]


def waiting_child(box):
    """unpack-one that waits for the rest of its archive, and its child."""
    box.count += 1
    scene = Scene(box, box.count)
    fifo = os.path.join(box.folder, 'fifo')
    if not os.path.exists(fifo):
        os.mkfifo(fifo)
    process = subprocess.Popen([UNPACK_ONE, fifo, scene.root], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    fd = os.open(fifo, os.O_WRONLY)
    os.write(fd, Layer().file('first').bytes(b''))
    eventually(lambda: os.path.exists(scene.path('first')), what='the first file')
    return process, fd, children(process.pid)[0], scene


def is_gone(pid):
    return not os.path.exists('/proc/%d' % pid)


def the_child_ends_with_its_parent(box):
    process, fd, child, scene = waiting_child(box)
    process.kill()
    process.wait()
    eventually(lambda: is_gone(child), what='the end of the child')
    os.close(fd)
    process.stdout.close()
    process.stderr.close()
    scene.check()


def a_child_that_dies_is_reported(box):
    process, fd, child, scene = waiting_child(box)
    os.kill(child, signal.SIGKILL)
    os.close(fd)
    out, _ = process.communicate(timeout=60)
    has(out.decode(), 'the unpacking process was killed by SIGKILL')
    same(1, process.returncode)
    same(True, is_gone(child))
    scene.check()


def the_child_has_little(box):
    """Root, network, capabilities, fds, and the filter, as /proc shows them."""
    process, fd, child, scene = waiting_child(box)
    same(os.path.realpath(scene.root), os.readlink('/proc/%d/root' % child))
    same(False, os.readlink('/proc/%d/ns/net' % child) == os.readlink('/proc/self/ns/net'))
    with open('/proc/%d/status' % child, encoding='utf-8') as f:
        status = dict(line.rstrip('\n').split(':\t', 1) for line in f if ':\t' in line)
    chown, dac_override, fowner, fsetid, setfcap = 0, 1, 3, 4, 31
    few = sum(1 << n for n in (chown, dac_override, fowner, fsetid, setfcap))
    for kind in ('CapEff', 'CapPrm'):
        same(few, int(status[kind], 16), kind)
    same((0, 0), (int(status['CapInh'], 16), int(status['CapAmb'], 16)))
    same(('1', '2'), (status['NoNewPrivs'], status['Seccomp']))
    fds = {int(n): os.readlink('/proc/%d/fd/%s' % (child, n)) for n in os.listdir('/proc/%d/fd' % child)}
    # 0 to 2, the blob's pipe, the one to talk, the root; the archive's folders and files come and go.
    same(['/dev/null'] * 3, [fds[n] for n in range(3)])
    same(['socket'] * 2, [fds[n].split(':')[0] for n in (3, 4)])
    for path in [p for n, p in fds.items() if n > 4]:
        same(True, (path + '/').startswith(os.path.realpath(scene.root) + '/'), path)
    os.close(fd)
    process.communicate(timeout=60)


def a_parent_that_ignores_its_children_works_too(box):
    tar = Layer().file('f').bytes()
    box.count += 1
    scene = Scene(box, box.count)
    path = os.path.join(box.folder, 'blob')
    with open(path, 'wb') as f:
        f.write(tar)
    done = subprocess.run([UNPACK_ONE, '-i', digest(tar), path, scene.root], capture_output=True, timeout=60, check=False,
                          preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))
    same((0, b'4\n'), (done.returncode, done.stdout), done.stderr)
    content('f')(scene)


def progress_counts_the_blobs_bytes(box):
    tar = Layer().file('f', os.urandom(3000000)).bytes()
    r = unpack_blob(box, tar, '-p', '-i', digest(tar), '-d', digest(tar), '-s', str(len(tar))).ok()
    lines = [line.split() for line in r.out.splitlines()[:-1]]
    same([digest(tar), str(len(tar)), str(len(tar))], lines[-1])
    done = [int(line[1]) for line in lines]
    same(sorted(done), done)
    same('3000000', r.out.splitlines()[-1])


main(globals())
