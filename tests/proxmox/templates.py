#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a guest is made from: templates are found by name, newest version first; images are pulled where the policy says so."""
from pve import *


def made_from(it, image, **more):
    """The volume that create sends."""
    it.made = getattr(it, 'made', 0) + 1
    id = it.create_guest('c%d' % it.made, image, **more)
    sent = it.server.requests(r'POST /nodes/\w+/lxc$')[-1]['params']['ostemplate']
    it.call('delete', '--force', id).ok()
    return sent


def refused(it, image, *words):
    it.made = getattr(it, 'made', 0) + 1
    r = it.try_guest('c%d' % it.made, image)
    if r.status == 0:
        fail('%s was made' % image)
    for w in words:
        has(r.err, w)
    same([], it.server.requests(r'POST /nodes/\w+/lxc$'))
    return r


def fetches(it):
    return [r for r in it.server.requests(r'POST ') if not r['path'].endswith('/lxc')]


# -- names -----------------------------------------------------------------------------------------------

def names_mean_the_newest_version_of_a_family(box):
    box.server.template('debian-12-standard_12.9-1_amd64.tar.zst')
    newest = 'local:vztmpl/debian-12-standard_12.12-1_amd64.tar.zst'
    for image in ('lxc/debian-12', 'lxc/debian-12:latest', 'lxc/debian:12', 'lxc/debian-12-standard', 'docker.io/lxc/debian-12:latest'):
        same(newest, made_from(box, image), image)
    same('local:vztmpl/debian-12-standard_12.7-1_amd64.tar.zst', made_from(box, 'lxc/debian-12:12.7'))
    same('local:vztmpl/debian-12-standard_12.9-1_amd64.tar.zst', made_from(box, 'lxc/debian-12-standard_12.9-1_amd64.tar.zst'))


def several_families_are_an_error_that_lists_them(box):
    box.server.template('debian-12-turnkey-wordpress_18.2-1_amd64.tar.gz')
    refused(box, 'lxc/debian-12', 'debian-12-standard_amd64', 'debian-12-turnkey-wordpress_amd64', 'write more of the name')
    same('local:vztmpl/debian-12-turnkey-wordpress_18.2-1_amd64.tar.gz', made_from(box, 'lxc/debian-12-turnkey'))


def what_isnt_there_is_an_error_that_says_what_is(box):
    refused(box, 'lxc/fedora-42', 'alpine-3.22-default_20250617_amd64.tar.xz', '"aplinfo"')
    same([], fetches(box))


def names_that_could_leave_the_folder_are_refused_before_any_call(box):
    for image in ('lxc/..', 'lxc/a/b', 'lxc/a%2fb', 'lxc/a b', 'lxc/Debian-12', 'lxc/'):
        refused(box, image)
    same([], [r for r in box.server.requests() if 'storage' in r['path']])


def digests_and_logins_are_refused(box):
    refused(box, 'lxc/oci/quay.io/org/app@sha256:' + '0' * 64, 'by tag only')
    same([], box.server.requests())


def storages_are_looked_through_in_their_order(box):
    box.server.template('web-1.tar.gz', storage='shared', node=None)
    box.configure(templateStorages=['local', 'shared'])
    same('shared:vztmpl/web-1.tar.gz', made_from(box, 'lxc/web'))
    box.server.template('web-0.9.tar.gz')
    same('local:vztmpl/web-0.9.tar.gz', made_from(box, 'lxc/web'))
    box.configure(templateStorages=['off', 'offline', 'shared'])
    same('shared:vztmpl/web-1.tar.gz', made_from(box, 'lxc/web'))
    box.server.clear_requests()
    box.configure(templateStorages=['off'])
    refused(box, 'lxc/web', "storage 'off' is disabled")


def a_node_that_has_the_template_is_taken_where_the_best_one_hasnt(box):
    box.server.template('only_1.tar.gz', node='pve2')
    box.configure(images={'db-only': {'template': 'local:vztmpl/only_1.tar.gz'}})
    for image in ('lxc/only', 'db-only'):
        has(box.call('explain', write(box, box.guest_request('e', image), 'e.json')).ok().out,
            'node pve2: it has the template; pve1, with more free memory, hasn\'t')
        same('local:vztmpl/only_1.tar.gz', made_from(box, image))
        same('/nodes/pve2/lxc', box.server.requests(r'POST /nodes/\w+/lxc$')[-1]['path'])
    box.server.clear_requests()
    refused(box, 'lxc/nowhere', 'node pve1')
    box.configure(nodes=['pve1'])
    refused(box, 'lxc/only', 'node pve1')


def the_table_of_images_says_what_a_name_stands_for(box):
    box.configure(images={'db-postgres': {'template': 'postgres-16', 'memoryMiB': 1024, 'rootfsGiB': 12, 'bridge': 'vmbr1', 'storage': 'shared'},
                          'db-exact': {'template': 'local:vztmpl/busybox-1.tar'}, 'vm-web': {'template': 'debian'}})
    same('local:vztmpl/postgres-16.tar', made_from(box, 'db-postgres'))
    sent = box.server.requests(r'POST /nodes/\w+/lxc$')[-1]['params']
    same(('1024', 'shared:12'), (str(sent['memory']), sent['rootfs']))
    has(sent['net0'], 'bridge=vmbr1')
    same('local:vztmpl/busybox-1.tar', made_from(box, 'db-exact:latest'))
    same('local:vztmpl/debian-12-standard_12.12-1_amd64.tar.zst', made_from(box, 'vm-web:12'))
    box.server.clear_requests()
    refused(box, 'db-mysql', 'db-postgres, db-exact, vm-web')
    refused(box, 'db-exact:2', 'local:vztmpl/busybox-1.tar')


# -- what is fetched -------------------------------------------------------------------------------------

def templates_are_fetched_from_the_index(box):
    box.configure(pull=['aplinfo'])
    same('local:vztmpl/ubuntu-24.04-standard_24.04-2_amd64.tar.zst', made_from(box, 'lxc/ubuntu-24.04'))
    same(1, len(box.server.tasks('download')))
    same('local:vztmpl/ubuntu-24.04-standard_24.04-2_amd64.tar.zst', made_from(box, 'lxc/ubuntu-24.04'))
    same(1, len(box.server.tasks('download')), 'downloads, the second time')


def images_are_pulled_once_from_a_registry(box):
    box.configure(pull=['oci'], images={'db-postgres': {'oci': 'docker.io/library/postgres:16'}})
    first = made_from(box, 'lxc/oci/quay.io/org/app:v1')
    if not re.match(r'local:vztmpl/oci-app-[0-9a-f]{16}-v1\.tar$', first):
        fail('it was called ' + first)
    same('quay.io/org/app:v1', fetches(box)[0]['params']['reference'])
    same(first, made_from(box, 'lxc/oci/quay.io/org/app:v1'))
    made_from(box, 'db-postgres:16')
    same(2, len(box.server.tasks('ociregistrypull')))


def several_who_pull_the_same_all_get_it(box):
    box.configure(pull=['oci'])
    paths = [write(box, box.guest_request('p%d' % i, 'lxc/oci/quay.io/org/app:v1'), 'p%d.json' % i) for i in range(4)]
    started = [subprocess.Popen([CTRCTL, *box.globals, 'create', '--request', p], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
               for p in paths]
    for child in started:
        _, err = child.communicate(timeout=120)
        same(0, child.returncode, err)
    same(1, len({r['params']['ostemplate'] for r in box.server.requests(r'POST /nodes/\w+/lxc$')}))
    same(4, len(box.server.ours()))


def an_answer_that_is_lost_is_no_second_pull(box):
    box.configure(pull=['oci'])
    box.server.fault('POST .*/oci-registry-pull', 'drop')
    made_from(box, 'lxc/oci/quay.io/org/app:v1')
    same(1, len([t for t in box.server.tasks('ociregistrypull') if t['exit'] == 'OK']))


def what_may_not_be_fetched_isnt(box):
    refused(box, 'lxc/oci/quay.io/org/app:v1', '"oci"', 'proxmox.pull')
    refused(box, 'lxc/ubuntu-24.04', '"aplinfo"')
    box.configure(images={'vm-x': {'url': 'https://example.net/x.tar.gz', 'sha512': 'ab' * 64}})
    refused(box, 'vm-x', '"url"')
    same([], fetches(box))


def a_registry_that_has_it_not_is_an_error_with_the_tasks_words(box):
    box.configure(pull=['oci'])
    refused(box, 'lxc/oci/quay.io/org/nothing:1', 'fetch quay.io/org/nothing:1', 'skopeo copy')


def a_node_without_skopeo_is_told(box):
    box.configure(pull=['oci'])
    box.server.set(skopeo=False)
    refused(box, 'lxc/oci/quay.io/org/app:v1', 'on node pve1: apt install skopeo')


def before_9_1_nothing_is_pulled(box):
    box.configure(pull=['oci'])
    box.server.set(version='8.4')
    refused(box, 'lxc/oci/quay.io/org/app:v1', 'need Proxmox VE 9.1, the server is 8.4')
    same([], fetches(box))


def files_are_fetched_with_their_sum(box):
    box.configure(pull=['url'], images={'vm-good': {'url': 'https://example.net/good.tar.gz', 'sha512': 'ab' * 64},
                                        'vm-bad': {'url': 'https://example.net/bad.tar.gz', 'sha512': 'bad0' * 32}})
    made_from(box, 'vm-good')
    sent = fetches(box)[0]['params']
    same(('https://example.net/good.tar.gz', 'ab' * 64, 'sha512', 'vztmpl'),
         (sent['url'], sent['checksum'], sent['checksum-algorithm'], sent['content']))
    made_from(box, 'vm-good')
    same(1, len(fetches(box)))
    box.server.clear_requests()
    refused(box, 'vm-bad', 'checksum mismatch')


def privileges_for_fetching_are_named(box):
    box.configure(pull=['oci'])
    box.server.privileges({'/': [p for p in 'VM.Allocate VM.Audit Datastore.Audit Datastore.AllocateSpace Sys.Audit'.split()]})
    refused(box, 'lxc/oci/quay.io/org/app:v1', 'Datastore.AllocateTemplate', 'Sys.AccessNetwork')


def a_full_storage_is_an_error(box):
    box.configure(pull=['oci'])
    box.server.set(storages={'local': {'free': 1}})
    refused(box, 'lxc/oci/quay.io/org/app:v1', 'not enough space')


main(globals())
