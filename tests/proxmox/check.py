#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""check proxmox: everything that guests need is looked at; whatever is missing is said, with the way to mend it, and nothing is changed."""
from pve import *

STATES = ('ok', 'warning', 'MISSING')


class Found:
    """What check said: a list of [state, text, hint]."""

    def __init__(self, box, *args):
        self.result = box.call('check', 'proxmox', *args)
        self.all = []
        for line in self.result.out.splitlines():
            state = line.split(' ', 1)[0]
            if state in STATES:
                self.all.append([state, line[len(state):].strip(), ''])
            else:
                self.all[-1][2] += line.strip()

    def one(self, state, *words, hint=''):
        """There is a finding with these words; its hint has these."""
        for s, text, h in self.all:
            if s == state and all(w in re.sub(r' +', ' ', text) for w in words) and hint in h:
                return text
        fail('no %s finding with %s and the hint %r in:\n%s%s' % (state, words, hint, self.result.out, self.result.err))

    def states(self):
        return {s for s, _, _ in self.all}


def missing(box, *words, hint='', status=1):
    f = Found(box)
    f.one('MISSING', *words, hint=hint)
    same(status, f.result.status, 'exit status')
    return f


def warned(box, *words, hint=''):
    f = Found(box)
    f.one('warning', *words, hint=hint)
    same(0, f.result.status, 'exit status')
    return f


# -- all is well -----------------------------------------------------------------------------------------

def a_server_that_lacks_nothing_is_all_ok(box):
    box.configure(images={'db-postgres': {'template': 'postgres-16'}})
    f = Found(box)
    same({'ok'}, f.states(), f.result.out)
    same(0, f.result.status)
    for words in (['server', box.server.origin], ['certificate', 'configured fingerprint'], ['version', '9.2.11'], ['login', 'API token'],
                  ['nodes', '2 up'], ['quorum', 'cluster sim'], ['clock', 'pve1'], ['clock', 'pve2'], ['privileges on /vms', 'all 8'],
                  ['privileges on /storage/data'], ['privileges on /storage/local'],
                  ['privileges on /sdn/zones/localnetwork/vmbr0', 'SDN.Use'], ['storage data', 'pve2', '100 GiB'],
                  ['template storage', 'local on pve1'], ['bridge vmbr0', 'pve1'], ['VMIDs', '100000 of 200000 to 299999'],
                  ['tags', 'any'], ['image db-postgres', 'local:vztmpl/postgres-16.tar']):
        f.one('ok', *words)


def only_gets_are_sent_and_nothing_is_left(box):
    box.configure(pull=['aplinfo', 'oci'], images={'db-a': {'oci': 'docker.io/library/postgres:16'}, 'db-b': {'template': 'ubuntu-24.04'}})
    f = Found(box)
    f.one('ok', 'image db-a', 'would be fetched: docker.io/library/postgres:16')
    f.one('ok', 'image db-b', 'would be fetched: ubuntu-24.04-standard_24.04-2_amd64.tar.zst')
    same({'GET'}, {r['method'] for r in box.server.requests()})
    same([], box.server.tasks())


def root_may_do_everything(box):
    box.configure(box.server.as_root())
    f = Found(box)
    f.one('ok', 'login', 'root@pam')
    same([], [t for _, t, _ in f.all if 'privileges' in t])
    same(0, f.result.status)


def the_secret_is_nowhere(box):
    f = Found(box, '--log-level', 'debug')
    secret = box.server.token.partition('=')[2]
    if not (secret not in f.result.out + f.result.err):
        fail('the secret was shown')


# -- the connection --------------------------------------------------------------------------------------

def without_a_section_there_is_nothing_to_check(box):
    with open(box.settings_file, 'w', encoding='utf-8') as f:
        f.write('{}')
    r = box.call('check', 'proxmox')
    if not (r.status != 0 and 'no Proxmox VE server is configured' in r.err):
        fail(r.err)


def a_server_that_is_down_is_said_at_once(box):
    box.configure(endpoint='https://127.0.0.1:1')
    begun = time.monotonic()
    f = missing(box, 'server', '127.0.0.1:1')
    same(1, len(f.all))
    if not (time.monotonic() - begun < 5):
        fail('it took too long')


def another_certificate_is_said_with_its_fingerprint(box):
    box.configure(fingerprint='AB:' * 31 + 'CD')
    f = missing(box, 'certificate', box.server.fingerprint, hint='proxmox.fingerprint = "%s"' % box.server.fingerprint)
    f.one('ok', 'server')
    same([], box.server.requests())


def a_ca_that_doesnt_fit_is_said_with_the_fingerprint_too(box):
    box.configure(fingerprint=None)
    f = missing(box, 'certificate', hint='proxmox.fingerprint = "%s"' % box.server.fingerprint)
    f.one('MISSING', 'certificate', hint='pvenode cert info')
    same([], box.server.requests())


def the_clusters_ca_is_accepted(box):
    box.configure(fingerprint=None, caFile=box.server.ca_file)
    Found(box).one('ok', 'certificate', 'configured CA')


def a_wrong_token_is_said(box):
    box.server.revoke()
    f = missing(box, 'login', '401', hint='USER@REALM!TOKENID=SECRET')
    f.one('ok', 'server')
    same(2, len(f.all))


def a_wrong_password_is_said(box):
    wrong = box.server.secret('wrong', 'not-the-password')
    box.configure(box.server.as_root(passwordFile=wrong))
    missing(box, 'login')


def a_token_file_that_is_missing_is_said(box):
    box.configure(tokenFile='/nowhere/token')
    f = Found(box)
    f.one('MISSING', '/nowhere/token')
    if not ('no such file or directory' not in f.result.out.lower()):
        fail(f.result.out)


# -- the version and the clock ---------------------------------------------------------------------------

def an_old_server_lacks_images_of_registries(box):
    box.server.set(version='8.4')
    warned(box, 'version', 'Proxmox VE 8.4.14', 'no images of registries', hint='9.1')


def before_8_0_bridges_need_no_privilege(box):
    box.server.set(version='7.4')
    box.server.privileges({'/': [p for p in ALL if p != 'SDN.Use']})
    f = Found(box)
    if not ('privileges on /sdn' not in f.result.out):
        fail(f.result.out)


def a_clock_that_is_off_is_said(box):
    box.server.control('advance', seconds=120, wall_only=True)
    warned(box, 'clock', 'pve1', 'seconds ahead', hint='NTP')
    box.server.control('advance', seconds=-300, wall_only=True)
    warned(box, 'clock', 'pve1', 'seconds behind')


def a_clock_that_cant_be_seen_is_said(box):
    box.server.privileges({'/': [p for p in ALL if p != 'Sys.Audit']})
    warned(box, 'clock', 'pve1', hint='Sys.Audit on /nodes/pve1')


# -- nodes -----------------------------------------------------------------------------------------------

def a_node_that_is_off_is_said(box):
    box.server.set(nodes={'pve2': 'offline'})
    f = warned(box, 'nodes', 'pve2 is offline')
    f.one('ok', 'nodes', '1 up')


def a_node_that_the_cluster_hasnt_is_said(box):
    box.configure(nodes=['pve1', 'pve9'], localNode='pve9')
    f = missing(box, 'nodes', 'no node pve9', hint='proxmox.nodes')
    f.one('MISSING', 'no node pve9', hint='proxmox.localNode')


def no_node_at_all_is_said(box):
    box.configure(nodes=['pve2'])
    box.server.set(nodes={'pve2': 'offline'})
    missing(box, 'nodes', 'none is up')


def a_lost_quorum_is_said(box):
    box.server.set(quorum=False)
    missing(box, 'quorum', 'has none', hint='pvecm status')


# -- privileges ------------------------------------------------------------------------------------------

ALL = ('VM.Allocate VM.Audit VM.PowerMgmt VM.Config.CPU VM.Config.Disk VM.Config.Memory VM.Config.Network VM.Config.Options '
       'Datastore.AllocateSpace Datastore.Audit Datastore.AllocateTemplate SDN.Use Pool.Audit Sys.Audit Sys.AccessNetwork').split()


def each_privilege_that_is_missing_is_said_with_the_command(box):
    box.configure(pool='ctrctl', pull=['oci'], allowPrivileged=True)
    wanted = {'/pool/ctrctl': 'VM.Allocate VM.Audit VM.PowerMgmt VM.Config.CPU VM.Config.Disk VM.Config.Memory VM.Config.Network '
                              'VM.Config.Options Pool.Audit',
              '/storage/data': 'Datastore.AllocateSpace Datastore.Audit', '/storage/local': 'Datastore.Audit Datastore.AllocateTemplate',
              '/sdn/zones/localnetwork/vmbr0': 'SDN.Use', '/nodes/pve1': 'Sys.Audit Sys.AccessNetwork',
              '/nodes/pve2': 'Sys.Audit Sys.AccessNetwork', '/': 'Sys.Audit Sys.Modify'}
    harmless = {('/pool/ctrctl', 'Pool.Audit'), ('/nodes/pve1', 'Sys.Audit'), ('/nodes/pve2', 'Sys.Audit'), ('/', 'Sys.Audit')}
    box.server.privileges({p: privileges.split() for p, privileges in wanted.items()})
    f = Found(box)
    same({'ok'}, f.states(), f.result.out)
    for path, privileges in wanted.items():
        for one in privileges.split():
            box.server.privileges({p: [x for x in all.split() if (p, x) != (path, one)] for p, all in wanted.items()})
            f = Found(box)
            state = 'warning' if (path, one) in harmless else 'MISSING'
            f.one(state, 'privileges on %s: ' % path, one + ' is missing',
                  hint="pveum role modify ctrctl --append 1 --privs '%s' && pveum acl modify %s --users USER@REALM --tokens 'USER@REALM!TOKENID' --roles ctrctl"
                  % (one, path))
            same(1 if state == 'MISSING' else 0, f.result.status)


def privileges_on_all_guests_do_for_a_pool_too(box):
    box.configure(pool='ctrctl')
    box.server.privileges({'/': ALL, '/pool/ctrctl': ['Pool.Audit'], '/vms': ALL})
    Found(box).one('ok', 'privileges on /pool/ctrctl', 'all 8')


def a_token_without_any_privilege_is_told_about_separation(box):
    box.server.privileges({})
    f = missing(box, 'privileges', 'none at all', hint='privsep=1')
    f.one('MISSING', 'privileges on /vms', 'VM.Allocate,VM.Audit', 'are missing')


def a_user_is_named_in_the_commands(box):
    password = box.server.secret('ops', box.server.password)
    box.configure(box.server.as_root(user='ops@pve', passwordFile=password, allowPrivileged=True))
    missing(box, 'privileges on /: ', 'Sys.Modify', hint='--users ops@pve')


def a_vlan_has_a_path_of_its_own(box):
    box.configure(network={'bridge': 'vmbr1', 'vlan': 7})
    box.server.privileges({'/': [p for p in ALL if p != 'SDN.Use']})
    missing(box, 'privileges on /sdn/zones/localnetwork/vmbr1/7', 'SDN.Use')


# -- storages, bridges, VMIDs ----------------------------------------------------------------------------

def storages_that_cant_hold_root_file_systems_are_said(box):
    for storage, words in (('nothing', "isn't there"), ('local', 'takes no root file systems'), ('off', 'is disabled'),
                           ('full', 'has 0 GiB left'), ('offline', "isn't active")):
        box.configure(storage=storage)
        missing(box, 'storage %s ' % storage, words)


def an_address_for_all_guests_is_said(box):
    box.configure(network={'bridge': 'vmbr0', 'ip': '10.0.0.5/24', 'ip6': 'auto'})
    warned(box, 'network.ip', '10.0.0.5/24', 'a single one only', hint='net0')


def the_biggest_root_file_system_of_a_storage_counts(box):
    images = {'db-small': {'template': 'debian-12', 'storage': 'shared', 'rootfsGiB': 1},
              'db-big': {'template': 'debian-12', 'storage': 'shared', 'rootfsGiB': 500}, 'db-own': {'template': 'debian-12', 'rootfsGiB': 400}}
    box.configure(images=images)
    missing(box, 'storage shared', 'gets up to 500')
    missing(box, 'storage data', 'gets up to 400')


def an_images_own_storage_and_bridge_are_looked_at(box):
    box.configure(images={'db-x': {'template': 'debian-12', 'storage': 'full', 'bridge': 'vmbr9'}})
    f = missing(box, 'storage full', '0 GiB')
    f.one('MISSING', 'bridge vmbr9')


def storages_without_templates_are_said(box):
    for storage, words in (('nothing', "isn't there"), ('data', 'takes no templates'), ('off', 'is disabled'), ('offline', "isn't active")):
        box.configure(templateStorages=[storage])
        missing(box, 'template storage', storage, words)
    box.configure(templateStorages=['local', 'off'])
    warned(box, 'template storage', 'off on pve1 is disabled')


def a_bridge_that_isnt_there_is_said(box):
    box.configure(network={'bridge': 'vmbr9'})
    missing(box, 'bridge vmbr9', 'pve1 has none of that name', hint='proxmox.network.bridge')


def a_pool_that_isnt_there_is_said(box):
    box.configure(pool='ctrctl')
    Found(box).one('ok', 'pool', 'ctrctl is there')
    box.configure(pool='nothing')
    missing(box, 'pool', 'nothing')
    box.server.privileges({'/': [p for p in ALL if p != 'Pool.Audit']})
    warned(box, 'pool', 'nothing', hint='proxmox.pool')


def a_range_that_is_used_up_is_said(box):
    box.configure(vmids=[300000, 300009])
    warned(box, 'VMIDs', '10 of 300000 to 300009', hint='proxmox.vmids')
    box.server.make_many(300000, 10)
    missing(box, 'VMIDs', 'none of 300000', hint='proxmox.vmids')


# -- images and tags -------------------------------------------------------------------------------------

def images_that_lead_nowhere_are_said(box):
    box.configure(images={'db-a': {'template': 'nothing-1'}, 'db-b': {'template': 'local:vztmpl/nothing_1.tar.zst'},
                          'db-c': {'oci': 'docker.io/library/postgres:16'}, 'db-d': {'template': 'local:vztmpl/postgres-16.tar'}})
    f = missing(box, 'image db-a', 'nothing-1', hint='aplinfo')
    f.one('MISSING', 'image db-b', 'has no template local:vztmpl/nothing_1.tar.zst', hint='proxmox.images')
    f.one('MISSING', 'image db-c', 'proxmox.pull', hint='oci')
    f.one('ok', 'image db-d', 'local:vztmpl/postgres-16.tar')


def an_image_that_one_node_has_is_enough(box):
    box.server.template('only_1.tar.gz', node='pve2')
    box.configure(images={'db-a': {'template': 'only'}, 'db-b': {'template': 'local:vztmpl/only_1.tar.gz'}})
    f = Found(box)
    f.one('ok', 'image db-a', 'local:vztmpl/only_1.tar.gz on pve2')
    f.one('ok', 'image db-b', 'local:vztmpl/only_1.tar.gz on pve2')


def forbidden_tags_are_said(box):
    box.server.set(free_tags=False)
    warned(box, 'tags', 'policy is "none"', hint='user-tag-access')


main(globals())
