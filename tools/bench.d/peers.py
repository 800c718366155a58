# SPDX-License-Identifier: Apache-2.0
"""The contenders' root: crun and runc of a newer Debian suite, unpacked with their own libraries, never installed.

apt downloads the packages and all that they depend on with a configuration of its own, against an empty
package database; the archive and its keys are those that the machine's apt already uses. dpkg-deb unpacks
them. The driver makes that folder the root of a private mount namespace, so that crun and runc are ordinary
programs there: nothing is patched, and no loader is called by hand (both execute /proc/self/exe again).
"""

import fcntl
import os
import re
import shutil
import subprocess

PACKAGES = ('crun', 'runc')
KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg'
LIBS = 'usr/lib/%s-linux-gnu'


class PeersError(Exception):
    pass


def archive():
    """The site of the main Debian archive in this machine's apt configuration."""
    rows = subprocess.run(['apt-get', 'indextargets', '--format', '$(SITE)|$(LABEL)', 'Created-By: Packages'],
                          capture_output=True, text=True, check=True).stdout.split()
    for row in rows:
        site, label = row.split('|')
        if label == 'Debian':
            return site
    raise PeersError('apt knows no Debian archive here; use --peers host with crun and runc installed')


def download(folder, suite):
    for sub in ('lists/partial', 'archives/partial', 'state'):
        os.makedirs(os.path.join(folder, sub), exist_ok=True)
    status, sources = os.path.join(folder, 'status'), os.path.join(folder, 'sources.list')
    signed = '[signed-by=%s] ' % KEYRING if os.path.exists(KEYRING) else ''
    with open(status, 'w', encoding='ascii'):
        pass
    with open(sources, 'w', encoding='ascii') as f:
        f.write('deb %s%s %s main\n' % (signed, archive(), suite))
    options = {'Dir::Etc::sourcelist': sources, 'Dir::Etc::sourceparts': '/dev/null',
               'Dir::State': folder + '/state', 'Dir::State::lists': folder + '/lists',
               'Dir::State::status': status, 'Dir::Cache': folder, 'Dir::Cache::archives': folder + '/archives',
               'APT::Install-Recommends': 'false', 'APT::Sandbox::User': 'root', 'Acquire::Languages': 'none'}
    apt = ['apt-get', '-q']
    for k, v in options.items():
        apt += ['-o', '%s=%s' % (k, v)]
    for more in (['update'], ['--download-only', '--yes', 'install', *PACKAGES]):
        done = subprocess.run(apt + more, capture_output=True, text=True, check=False)
        if done.returncode:
            raise PeersError('apt-get %s: %s\n  hint: --peers host measures the crun and runc in PATH'
                             % (more[0], done.stderr.strip()))
    return [os.path.join(folder, 'archives', n) for n in sorted(os.listdir(folder + '/archives'))
            if n.endswith('.deb')]


def library_folder(root):
    machine = os.uname().machine
    return os.path.join(root, LIBS % machine)


def refresh_loader(root):
    with open(os.path.join(root, 'etc/ld.so.conf'), 'w', encoding='ascii') as f:
        f.write('/%s\n' % (LIBS % os.uname().machine))
    subprocess.run(['/sbin/ldconfig', '-r', root], check=True)


def root_of(cache, suite):
    """The root's path, made where it isn't there yet."""
    root = os.path.join(cache, 'peers-' + suite)
    os.makedirs(cache, exist_ok=True)
    with open(root + '.lock', 'w', encoding='ascii') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.exists(root + '/usr/bin/crun'):
            return root
        new = root + '.new'
        shutil.rmtree(new, ignore_errors=True)
        os.makedirs(new + '/etc')
        for name in download(root + '.apt', suite):
            subprocess.run(['dpkg-deb', '--extract', name, new], check=True)
        for name in ('bin', 'sbin', 'lib', 'lib64'):
            if not os.path.lexists(os.path.join(new, name)):
                os.symlink('usr/' + name, os.path.join(new, name))
        refresh_loader(new)
        shutil.rmtree(root + '.apt')
        os.rename(new, root)
    return root


def add_libraries(root, program):
    """What a program built on this machine needs and the root lacks; the root's own libraries stay."""
    listed = subprocess.run(['ldd', program], capture_output=True, text=True, check=False).stdout
    added = False
    for soname, path in re.findall(r'^\s*(\S+) => (/\S+)', listed, re.M):
        target = os.path.join(library_folder(root), soname)
        if not os.path.exists(target):
            shutil.copyfile(path, target)
            added = True
    if added:
        refresh_loader(root)


def find(root, name):
    """A program of the root, or of PATH where the root is None."""
    if root is None:
        return shutil.which(name)
    for folder in ('/usr/bin/', '/usr/sbin/'):
        if os.path.exists(root + folder + name) and not os.path.islink(root + folder + name):
            return folder + name
    return None
