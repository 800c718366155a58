# SPDX-License-Identifier: Apache-2.0
"""Images, pods and requests for test programs, on top of box.py.

    from pods import *

    def a_sentence_that_is_true(box):
        load(box)                                  # the busybox image, as "busybox"
        pod = sandbox(box)                         # its id
        id = create(box, pod, command=['sleep', '100'])
        box.call('start', id).ok()

Everything lives in the box's own data folder; what is left of it is checked by box.main()."""

import gzip
import hashlib
import io
import tarfile

from box import *

UID = '0b7e4f5e-1f6b-4a56-9a2e-8f5f6f0c9d11'
IMAGES = {}  # folder of a layer -> its layout: made once per test program


def sha256(data):
    return 'sha256:' + hashlib.sha256(data).hexdigest()


def tar_of(folder):
    """A tar of a folder, owned by root."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode='w', format=tarfile.PAX_FORMAT) as t:
        t.add(folder, arcname='.', filter=_as_root)
    return out.getvalue()


def _as_root(info):
    info.uid = info.gid = 0
    info.uname = info.gname = 'root'
    return info


def tar_with(*entries):
    """A tar of (name, content) files, (name, None) folders or ready TarInfos."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode='w', format=tarfile.PAX_FORMAT) as t:
        for entry in entries:
            if isinstance(entry, tarfile.TarInfo):
                t.addfile(entry)
                continue
            name, content = entry[:2]
            info = tarfile.TarInfo(name)
            info.mode = entry[2] if len(entry) > 2 else 0o755
            if content is None:
                info.type = tarfile.DIRTYPE
                t.addfile(info)
            else:
                data = content if isinstance(content, bytes) else content.encode()
                info.size = len(data)
                t.addfile(info, io.BytesIO(data))
    return out.getvalue()


def layout(path, layers, config=None, name='busybox', arch='amd64'):
    """An OCI layout folder with one image of these tars."""
    blobs = os.path.join(path, 'blobs', 'sha256')
    os.makedirs(blobs)

    def put(data, media, **more):
        digest = sha256(data)
        with open(os.path.join(blobs, digest[7:]), 'wb') as f:
            f.write(data)
        return {'mediaType': media, 'digest': digest, 'size': len(data), **more}

    packed = [put(gzip.compress(t, 1), 'application/vnd.oci.image.layer.v1.tar+gzip') for t in layers]
    conf = put(json.dumps({'architecture': arch, 'os': 'linux', 'config': config or {},
                           'rootfs': {'type': 'layers', 'diff_ids': [sha256(t) for t in layers]}}).encode(),
               'application/vnd.oci.image.config.v1+json')
    manifest = put(json.dumps({'schemaVersion': 2, 'mediaType': 'application/vnd.oci.image.manifest.v1+json',
                               'config': conf, 'layers': packed}).encode(),
                   'application/vnd.oci.image.manifest.v1+json',
                   annotations={'org.opencontainers.image.ref.name': name})
    with open(os.path.join(path, 'index.json'), 'w', encoding='utf-8') as f:
        json.dump({'schemaVersion': 2, 'manifests': [manifest]}, f)
    with open(os.path.join(path, 'oci-layout'), 'w', encoding='utf-8') as f:
        f.write('{"imageLayoutVersion": "1.0.0"}')
    return path


def busybox_tar():
    if BUSYBOX not in IMAGES:
        IMAGES[BUSYBOX] = tar_of(BUSYBOX)
    return IMAGES[BUSYBOX]


def load(box, *more_layers, config=None, name='busybox:latest'):
    """The busybox image with these layers above it."""
    box.count += 1
    path = layout(os.path.join(box.folder, 'layout%d' % box.count), [busybox_tar(), *more_layers],
                  config or {'Env': ['PATH=/usr/sbin:/usr/bin:/sbin:/bin'], 'Cmd': ['sh']}, name)
    box.call('image', 'load', '--name', name, path).ok()
    shutil.rmtree(path)


def write(box, what, name):
    path = os.path.join(box.folder, name)
    with open(path, 'w', encoding='utf-8') as f:
        json.dump(what, f)
    return path


def pod_config(name='pod', linux_=None, **more):
    return {'metadata': {'name': name, 'namespace': 'default', 'uid': UID, 'attempt': 0}, 'hostname': name,
            'linux': linux_ if linux_ is not None else {'security_context': {'namespace_options': {'pid': 1}}}, **more}


def sandbox(box, config=None, **more):
    """Runs one; its id. By default with a cgroup of the box's own, so that it is known what is left."""
    config = config or pod_config(**more)
    config.setdefault('linux', {}).setdefault('cgroup_parent', '/' + box.tag)
    box.pods = getattr(box, 'pods', {})
    id = box.call('sandbox', 'run', write(box, config, 'pod.json')).ok().out.strip()
    box.pods[id] = config
    return id


def request(box, pod, name='main', command=None, security=None, resources=None, image='busybox', attempt=0, **more):
    config = {'metadata': {'name': name, 'attempt': attempt}, 'image': {'image': image}, **more}
    if command is not None:
        config['command'] = ['sh', '-c', command] if isinstance(command, str) else command
    context = {'namespace_options': {'pid': 1}, **(security or {})}
    config.setdefault('linux', {}).setdefault('security_context', context)
    if resources:
        config['linux']['resources'] = resources
    return {'pod_sandbox_id': pod, 'config': config, 'sandbox_config': getattr(box, 'pods', {}).get(pod)}


def try_create(box, req):
    return box.call('create', '--request', write(box, req, 'req.json'))


def create(box, pod, **more):
    """Makes a container of the sandbox; its id."""
    made = try_create(box, request(box, pod, **more)).ok()
    return json.loads(made.out)['containerId']


def ended(box, id):
    """Waits for its end; its cri part of the state."""
    eventually(lambda: 'exitCode' in box.state(id)['cri'], what='end of the container')
    return box.state(id)['cri']


def run(box, pod, **more):
    """Create, start, wait; the id and the exit code. It isn't deleted."""
    id = create(box, pod, **more)
    box.call('start', id).ok()
    return id, ended(box, id)['exitCode']


def logs(box, id):
    return box.call('logs', id).ok().out
