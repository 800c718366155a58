#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What calls and tasks may end in, and what becomes of the container then: lost answers, busy guests, words of old servers, no quorum,
answers that are none."""
import threading
import time

from tls import Tls, ok, peak_kib
from pve import *

POST = 'POST /nodes/pve1/lxc$'


def posts(box, pattern='^' + POST):
    return box.server.requests(pattern)


def with_timeouts(box, **seconds):
    box.configure(timeouts={name + 'Seconds': n for name, n in seconds.items()})


# -- lost, or never sent ---------------------------------------------------------------------------------

def a_get_that_isnt_answered_is_asked_again(box):
    id = box.create_guest()
    box.server.clear_requests()
    same('created', box.status(id))
    usual = len(box.server.requests('GET .*/status/current'))
    for code, text in (595, 'Connection refused'), (596, 'Connection timed out'), (599, ''):
        box.server.fault('GET .*/status/current', 'status', code=code, text=text, count=2)
        box.server.clear_requests()
        same('created', box.status(id))
        same(usual + 2, len(box.server.requests('GET .*/status/current')), code)
        box.server.clear_faults()


def a_get_whose_connection_breaks_is_asked_again(box):
    id = box.create_guest()
    for how in 'close', 'rst', 'close_after_headers', 'truncate':
        box.server.fault('GET .*/status/current', how, count=2)
        same('created', box.status(id))
        box.server.clear_faults()


def a_node_that_is_down_is_unavailable_and_no_question_of_rights(box):
    id = box.create_guest()
    box.server.fault('GET .*', 'status', code=595, text='No route to host', count=0)
    box.call('state', id).fails(1, "can't be reached", '595 No route to host')
    has_not(box.call('state', id).err, 'denied')
    box.server.clear_faults()
    same('created', box.status(id))


def a_post_that_wasnt_carried_out_is_sent_again(box):
    box.server.fault(POST, 'status', code=595, text='Connection refused', count=2)
    box.create_guest()
    same(3, len(posts(box)))
    same(1, len(box.server.ours()))


def a_post_whose_answer_is_lost_makes_no_second_guest(box):
    for n, (how, more) in enumerate((('status', {'code': 596, 'text': 'Connection timed out', 'perform': True}), ('drop', {}),
                                     ('rst_after', {}), ('truncate', {}), ('html', {}), ('invalid_json', {}), ('null_data', {}),
                                     ('twice', {}))):
        box.server.clear_requests()
        box.server.fault(POST, how, **more)
        id = box.create_guest('c%d' % n)
        same(1, len(posts(box)), how)
        same(n + 1, len(box.server.ours()), how)
        same('created', box.status(id))
        box.server.clear_faults()


def a_post_that_was_refused_and_carried_out_makes_no_second_guest(box):
    box.server.fault(POST, 'status', code=500, text="cfs-lock 'file-user_cfg' error: got lock request timeout", perform=True)
    id = box.create_guest()
    same(2, len(posts(box)))
    same(1, len(box.server.ours()))
    same('created', box.status(id))


def a_post_that_was_lost_on_its_way_is_sent_again_when_nothing_came_of_it(box):
    for n, (how, more) in enumerate((('status', {'code': 596, 'text': 'Connection timed out'}), ('close', {}), ('rst', {}))):
        box.server.clear_requests()
        box.server.fault(POST, how, **more)
        box.create_guest('c%d' % n)
        same(2, len(posts(box)), how)
        same(n + 1, len(box.server.ours()), how)
        box.server.clear_faults()


def a_start_whose_answer_is_lost_starts_once(box):
    for n, (how, more) in enumerate((('status', {'code': 596, 'perform': True}), ('drop', {}), ('null_data', {}), ('html', {}))):
        id = box.create_guest('c%d' % n)
        box.server.fault('POST .*/status/start', how, **more)
        box.call('start', id).ok()
        same('running', box.status(id), how)
        same('OK', box.server.tasks('vzstart')[-1]['exit'], how)
        box.server.clear_faults()


def a_delete_whose_answer_is_lost_is_a_delete(box):
    for n, (how, more) in enumerate((('status', {'code': 596, 'perform': True}), ('drop', {}), ('null_data', {}), ('invalid_json', {}),
                                     ('status', {'code': 596}), ('close', {}))):
        id = box.create_guest('c%d' % n)
        box.server.fault('DELETE .*/lxc/', how, **more)
        box.call('delete', id).ok()
        box.nothing_on_the_server()
        box.server.clear_faults()


def a_task_is_waited_for_through_lost_answers(box):
    box.server.fault('GET .*/tasks/.*/status', 'status', code=596, text='Connection timed out', count=2)
    box.server.fault('GET .*/tasks/.*/status', 'close', count=1)
    box.server.fault('GET .*/tasks/.*/status', 'html', count=1)
    box.server.fault('GET .*/tasks/.*/status', 'null_data', count=1)
    id = box.create_guest()
    same('created', box.status(id))
    same(1, len(posts(box)))


def a_certificate_that_changes_during_a_create_ends_it_before_the_post(box):
    box.pod()
    for section in box.server.settings(), box.server.as_root():
        box.configure(section=section)
        box.server.clear_requests()
        box.server.fault('CONNECT', 'cert', cert='other', nth=2, count=0)
        err = box.try_guest().fails(1, 'POST /nodes/pve1/lxc', "the server's certificate has the fingerprint").err
        has_not(err, box.server.fingerprint)
        same([], [r for r in box.server.requests() if r['method'] == 'POST' and r['path'] != '/access/ticket'])
        box.server.clear_faults()
        same('', box.call('list', '--quiet').ok().out)
        box.nothing_on_the_server()
    box.configure()


# -- answers that are none -------------------------------------------------------------------------------

def an_answer_that_is_none_is_an_error_that_says_so(box):
    for how, words in (('html', "isn't JSON"), ('invalid_json', 'is broken'), ('twice', 'is broken'), ('gzip_garbage', 'GET '),
                       ('null_data', 'list')):
        box.server.fault('GET /cluster/resources', how, count=0)
        box.try_guest().fails(1, words)
        same([], posts(box), how)
        box.server.clear_faults()


def a_login_page_or_a_redirect_is_not_followed(box):
    box.server.fault('GET .*', 'redirect', to='https://127.0.0.1:1/', count=0)
    box.try_guest().fails(1, '301 Moved Permanently', "isn't followed")
    same([], posts(box))


def long_refusals_dont_add_up_in_memory(box):
    """Each is asked for again. With sanitizers, memory has no end."""
    id = box.create_guest()
    refusal = ok('{"data":[%s0]}' % ('{"key":"%0200d"},' % 7 * 60000), status='500 got lock request timeout')
    started, peaks = threading.Event(), []

    def answer(conn, request):
        started.wait(60)
        if len(peaks) < 3:
            peaks.append(peak_kib(child.pid))
        if len(peaks) < 3:
            return refusal
        child.kill()
        conn.close()
        return None
    with Tls(box, answer) as server:
        box.configure(endpoint=server.origin, fingerprint=server.fingerprint)
        child = subprocess.Popen([os.environ.get('ORDINARY', CTRCTL), *box.globals, 'state', id], stdin=subprocess.DEVNULL)
        started.set()
        child.wait(60)
    box.configure()
    same(3, len(peaks))
    if max(peaks) > 30 << 10:
        fail('%s KiB for answers of %d KiB' % (peaks, len(refusal) >> 10))


# -- the server's words ----------------------------------------------------------------------------------

def an_old_servers_words_are_read_from_its_status_line(box):
    box.server.set(version='7.4', old_errors=True)
    box.server.fault(POST, 'control', op='make_qemu', args={'vmid': '$vmid'})
    id = box.create_guest()
    same(2, len(posts(box)))
    same(1, len(box.server.ours()))
    box.call('start', id).ok()
    box.server.edit(box.vmid(id), protection=1)
    box.call('delete', '--force', id).fails(1, 'protect')
    box.server.edit(box.vmid(id), protection=None)


def numbers_may_come_as_texts_and_back(box):
    for n in range(4):
        box.server.set(typing=True, seed=n)
        id = box.create_guest('c%d' % n)
        box.call('start', id).ok()
        same('running', box.status(id))
        box.call('list').ok()
        box.call('delete', '--force', id).ok()
    box.nothing_on_the_server()


def errors_by_parameter_are_in_the_message(box):
    box.server.fault(POST, 'status', code=400, text='Parameter verification failed.',
                     errors={'net0.ip': 'invalid format - value does not look like a valid ipv4 network configuration'})
    box.try_guest().fails(1, 'Parameter verification failed: net0.ip: invalid format')
    same(1, len(posts(box)))


def a_privilege_that_is_missing_is_named_with_what_grants_it(box):
    box.server.fault(POST, 'status', code=403, text='Permission check failed (/storage/data, Datastore.AllocateSpace)')
    box.try_guest().fails(1, 'Datastore.AllocateSpace', 'pveum acl modify /storage/data')


def a_token_that_may_make_no_guest_is_told_the_privilege(box):
    for old in False, True:
        box.server.set(old_errors=old)
        box.server.privileges({'/': ['VM.Audit', 'Datastore.Audit', 'Sys.Audit']})
        box.try_guest().fails(1, 'Permission check failed', 'VM.Allocate')
        box.nothing_on_the_server()
    same('', box.call('list', '--quiet').ok().out)


# -- tasks -----------------------------------------------------------------------------------------------

def warnings_of_a_task_are_no_failure(box):
    box.server.fault('TASK vzcreate', 'warn', warnings=2, text='Systemd 232 detected. You may need to enable nesting.')
    result = box.try_guest().ok()
    has(result.err, 'Systemd 232 detected')
    id = json.loads(result.out)['containerId']
    box.server.fault('TASK vzstart', 'warn', text='old kernel')
    has(box.call('start', id).ok().err, 'old kernel')
    same('running', box.status(id))


def a_task_that_fails_is_told_with_the_end_of_its_log(box):
    id = box.create_guest()
    vmid = box.vmid(id)
    box.server.fault('TASK vzstart', 'fail_first', text="startup for container '%d' failed" % vmid,
                     log=['not this one', 'lxc_a: 1', 'lxc_b: 2', '', 'lxc_c: 3', 'lxc_d: 4', 'lxc_e: No such file or directory - 5'])
    result = box.call('start', id).fails(1, "startup for container '%d' failed" % vmid, 'lxc_a: 1', 'lxc_d: 4', '- 5')
    has_not(result.err, 'not this one')
    has_not(result.err, 'o such file')
    same('created', box.status(id))


def a_create_that_fails_in_its_task_leaves_nothing(box):
    box.server.fault('TASK vzcreate', 'fail', text='unable to create CT - not enough space', log=['extracting archive', 'tar: full'])
    box.try_guest().fails(1, 'not enough space', 'tar: full')
    box.nothing_on_the_server()
    same('', box.call('list', '--quiet').ok().out)


def a_task_that_vanishes_is_told_as_what_it_is(box):
    id = box.create_guest()
    box.server.fault('TASK vzstart', 'vanish', count=2)
    box.call('start', id).fails(1, 'unexpected status', 'node was restarted')
    same('created', box.status(id))
    box.call('start', id).ok()


def a_task_that_never_ends_is_named_at_the_deadline(box):
    with_timeouts(box, start=2)
    id = box.create_guest()
    box.server.fault('TASK vzstart', 'never')
    result = box.call('start', id).fails(1, "hasn't ended within")
    has(result.err, 'UPID:pve1:')


def within(seconds, call):
    """What a call that hangs costs is known to be far more."""
    before = time.monotonic()
    result = call()
    if time.monotonic() - before > seconds:
        fail('it took %.0f s' % (time.monotonic() - before))
    return result


def a_look_at_a_task_that_hangs_ends_at_the_deadline(box):
    with_timeouts(box, start=1, call=50)
    id = box.create_guest()
    box.server.fault('GET .*/tasks/.*/status', 'delay', seconds=50, count=0)
    within(25, lambda: box.call('start', id)).fails(1, "hasn't ended within 1 s", 'UPID:pve1:')


def a_login_that_hangs_ends_with_the_call_that_needs_it(box):
    id = box.create_guest()
    box.configure(section=box.server.as_root(timeouts={'callSeconds': 1}))
    box.server.fault('POST /access/ticket', 'delay', seconds=50, count=0)
    within(15, lambda: box.call('state', id)).fails(1, 'timed out')
    box.configure()


# -- locks, quorum, rights -------------------------------------------------------------------------------

def a_lock_that_goes_away_is_waited_for(box):
    id = box.create_guest()
    box.server.lock(box.vmid(id), 'backup', 2)
    box.call('start', id).ok()
    same('running', box.status(id))
    box.server.lock(box.vmid(id), 'snapshot', 2)
    box.call('delete', '--force', id).ok()
    box.nothing_on_the_server()


def a_lock_that_stays_is_told_at_the_deadline(box):
    with_timeouts(box, destroy=3)
    id = box.create_guest()
    vmid = box.vmid(id)
    box.server.lock(vmid, 'backup')
    box.call('delete', id).fails(1, 'CT is locked (backup)', str(vmid))
    box.server.edit(vmid, lock=None)
    box.call('delete', id).ok()


def a_stale_lock_of_a_create_is_told_with_what_helps(box):
    id = box.create_guest()
    vmid = box.vmid(id)
    box.server.lock(vmid, 'create')
    within(20, lambda: box.call('delete', id)).fails(1, 'pct unlock %d' % vmid)
    same(1, len(box.server.ours()))
    box.server.edit(vmid, lock=None)
    box.call('delete', id).ok()


def a_busy_guest_is_asked_again(box):
    id = box.create_guest()
    box.server.fault('POST .*/status/start', 'status', code=500, count=2,
                     text="can't lock file '/run/lock/lxc/pve-config-%d.lock' - got timeout" % box.vmid(id))
    box.call('start', id).ok()
    same('running', box.status(id))


def a_quorum_that_comes_back_is_waited_for(box):
    box.server.set(quorum=False)
    back = threading.Timer(2, lambda: box.server.set(quorum=True))
    back.start()
    result = box.try_guest()
    back.join()
    result.ok()
    same(1, len(box.server.ours()))


def a_quorum_that_is_lost_in_the_middle_is_unavailable(box):
    with_timeouts(box, call=3)
    box.server.fault(POST, 'control', op='set', args={'quorum': False})
    box.try_guest().fails(1, 'quorum', 'pvecm status')
    box.server.set(quorum=True)
    box.nothing_on_the_server()


def a_token_that_is_revoked_in_the_middle_ends_it_and_the_rest_is_removed_later(box):
    box.server.fault('TASK vzcreate', 'slow', seconds=1)
    box.server.fault('GET .*/tasks/.*/status', 'control', op='token', args={'revoked': True}, nth=2)
    box.try_guest().fails(1, 'not authenticated', '401')
    same(1, len(posts(box)))
    if len([r for r in box.server.requests() if r['status'] == 401]) > 4:
        fail('it was asked again and again: %s' % box.server.requests())
    box.server.control('token', revoked=False)
    listed = json.loads(box.call('list', '--format', 'json').ok().out)
    same(1, len(listed))
    box.call('delete', '--force', listed[0]['id']).ok()
    box.nothing_on_the_server()


# -- versions --------------------------------------------------------------------------------------------

def what_an_old_server_cant_do_is_said_before_anything_is_made(box):
    for version in '7.4', '8.2', '9.0':
        box.server.set(version=version)
        box.try_guest('args', command=['/bin/sh', '-c', 'x']).fails(1, '9.1')
        same([], posts(box), version)
        box.server.clear_requests()
    for n, version in enumerate(('7.4', '8.2', '8.4', '9.0', '9.1', '9.2')):
        box.server.set(version=version)
        id = box.create_guest('plain-%d' % n)
        box.call('start', id).ok()
        same('running', box.status(id), version)


main(globals())
