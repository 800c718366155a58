# SPDX-License-Identifier: Apache-2.0
"""Packs a root filesystem as an OCI image: a tar archive with an image layout, as engines import it.

usage: image.py ROOTFS NAME ARCHIVE"""

import hashlib
import io
import json
import sys
import tarfile

LAYOUT = {'imageLayoutVersion': '1.0.0'}
TYPE = 'application/vnd.oci.image.%s.v1'


def blob(archive, data):
    """Adds data under its digest and returns the digest."""
    digest = hashlib.sha256(data).hexdigest()
    add(archive, 'blobs/sha256/' + digest, data)
    return 'sha256:' + digest


def add(archive, name, data):
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    archive.addfile(entry, io.BytesIO(data))


def layer(rootfs):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode='w', format=tarfile.PAX_FORMAT) as tar:
        tar.add(rootfs, arcname='.')
    return buffer.getvalue()


def dump(value):
    return json.dumps(value).encode()


def descriptor(kind, digest, size, **more):
    return {'mediaType': TYPE % kind, 'digest': digest, 'size': size, **more}


def main():
    rootfs, name, path = sys.argv[1:]
    files = layer(rootfs)
    with tarfile.open(path, 'w') as archive:
        diff = blob(archive, files)
        config = dump({
            'architecture': 'amd64', 'os': 'linux',
            'config': {'Env': ['PATH=/usr/sbin:/usr/bin:/sbin:/bin', 'FROM_IMAGE=yes'], 'Cmd': ['/bin/sh'],
                       'WorkingDir': '/'},
            'rootfs': {'type': 'layers', 'diff_ids': [diff]}})
        manifest = dump({
            'schemaVersion': 2, 'mediaType': TYPE % 'manifest' + '+json',
            'config': descriptor('config', blob(archive, config), len(config)) | {
                'mediaType': TYPE % 'config' + '+json'},
            'layers': [descriptor('layer', diff, len(files)) | {'mediaType': TYPE % 'layer' + '.tar'}]})
        index = dump({
            'schemaVersion': 2,
            'manifests': [descriptor('manifest', blob(archive, manifest), len(manifest), annotations={
                'org.opencontainers.image.ref.name': name, 'io.containerd.image.name': name},
                platform={'architecture': 'amd64', 'os': 'linux'}) | {'mediaType': TYPE % 'manifest' + '+json'}]})
        add(archive, 'oci-layout', dump(LAYOUT))
        add(archive, 'index.json', index)


if __name__ == '__main__':
    main()
