#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A guest's life by the verbs: start, state, kill, stop, update, stats, delete; with locks, lost answers and moves in between."""
from pve import *

ROLE = ['VM.Allocate', 'VM.Audit', 'VM.PowerMgmt', 'VM.Config.Options', 'Datastore.Audit']
QUICK = {'timeouts': {'startSeconds': 3, 'stopSeconds': 3, 'destroySeconds': 3, 'callSeconds': 20}}


def started(box, *args, **more):
    id = box.create_guest(*args, **more)
    box.call('start', id).ok()
    return id


def asked(box, what, test):
    """How often the server was asked for something while test() ran."""
    before = len(box.server.requests(what))
    test()
    return len(box.server.requests(what)) - before


# -- the plain way ---------------------------------------------------------------------------------------

def a_whole_life(box):
    id = box.create_guest()
    same('created', box.status(id))
    same(False, box.guest(id)['running'])
    box.call('start', id).ok()
    same('running', box.status(id))
    same(True, box.guest(id)['running'])
    box.call('kill', id, 'KILL').ok()
    same('stopped', box.status(id))
    box.call('delete', id).ok()
    box.nothing_on_the_server()
    box.call('state', id).fails(1, 'does not exist')


def state_asks_once_and_is_never_stale(box):
    id = started(box)
    vmid = box.vmid(id)
    same(1, asked(box, '.', lambda: same('running', box.status(id))), 'requests of state')
    box.server.control('state', vmid=vmid, running=False)
    same('stopped', box.status(id))
    box.server.control('state', vmid=vmid, running=True)
    same('running', box.status(id))


def what_runs_is_not_started_again(box):
    id = started(box)
    box.call('start', id).fails(1, 'already running')
    box.call('delete', id).fails(1, 'not stopped: running')
    box.call('delete', '--force', id).ok()
    box.nothing_on_the_server()


def a_stopped_one_stays_stopped(box):
    id = started(box)
    box.call('kill', id, 'KILL').ok()
    box.call('start', id).fails(1, 'has stopped')
    box.call('kill', id, 'TERM').fails(1, 'not running')


def delete_twice_and_of_nothing(box):
    id = box.create_guest()
    box.call('delete', id).ok()
    box.call('delete', id).fails(1, 'does not exist')
    box.call('delete', '--force', id).ok()


def delete_takes_the_jobs_along_and_no_disks_of_others(box):
    id = box.create_guest()
    box.call('delete', id).ok()
    r, = box.server.requests('^DELETE /nodes/[^/]+/lxc/')
    same({'purge': '1', 'force': '1', 'destroy-unreferenced-disks': '0'}, {k: v for k, v in r['params'].items()
                                                                           if k not in ('node', 'vmid')})


# -- start -----------------------------------------------------------------------------------------------

def start_of_one_that_is_gone_says_so(box):
    id = box.create_guest()
    box.server.remove(box.vmid(id))
    r = box.call('start', id)
    r.fails(1)
    same([], box.server.tasks('vzstart'), 'tasks')
    box.call('delete', '--force', id).ok()


def start_of_one_that_goes_meanwhile_says_so(box):
    """The server takes the start of anything; its task finds nothing."""
    id = box.create_guest()
    box.server.fault('POST /nodes/[^/]+/lxc/[0-9]+/status/start$', 'control', op='remove', args={'vmid': '$vmid'})
    box.call('start', id).fails(1, 'has removed it')
    same(1, len(box.server.tasks('vzstart')))


def start_that_fails_shows_the_end_of_the_log(box):
    id = box.create_guest()
    box.server.fault('TASK vzstart', 'fail_first', text="startup for container 'x' failed", log=['lxc_start: exec of /sbin/init failed'])
    box.call('start', id).fails(1, 'exec of /sbin/init failed')
    same('created', box.status(id))
    box.call('start', id).ok()
    same('running', box.status(id))


def start_whose_answer_is_lost_starts_once(box):
    id = box.create_guest()
    box.server.fault('POST .*/status/start$', 'drop')
    box.call('start', id).ok()
    same('running', box.status(id))
    same(1, len(box.server.tasks('vzstart')))


def start_whose_answer_is_lost_runs_once_what_ends_soon(box):
    id = box.create_guest()
    box.server.fault('POST .*/status/start$', 'drop')
    box.server.fault('GET .*/tasks$', 'control', op='state', args={'vmid': box.vmid(id), 'running': False})
    box.server.set(task_seconds=0)
    box.call('start', id).ok()
    same(1, len(box.server.tasks('vzstart')))
    same('stopped', box.status(id))


def start_whose_request_is_lost_is_asked_for_again(box):
    id = box.create_guest()
    box.server.fault('POST .*/status/start$', 'status', code=596, empty=True)
    box.call('start', id).ok()
    same('running', box.status(id))


def start_follows_a_guest_that_moves_meanwhile(box):
    id = box.create_guest()
    box.server.fault('POST .*/status/start$', 'control', op='migrate', args={'vmid': '$vmid', 'node': 'pve2'})
    box.call('start', id).ok()
    same(('pve2', True), (box.guest(id)['node'], box.guest(id)['running']))


# -- signals ---------------------------------------------------------------------------------------------

def signals_that_end_a_system_shut_it_down(box):
    for i, name in enumerate(('TERM', 'SIGINT', 'QUIT', 'HUP', 'PWR', 'RTMIN+3', 'RTMIN+4')):
        id = started(box, 'main%d' % i)
        same(1, asked(box, 'POST .*/status/shutdown$', lambda id=id, name=name: box.call('kill', id, name).ok()), name)
        eventually(lambda id=id: box.status(id) == 'stopped')
        box.call('delete', id).ok()


def other_signals_are_refused(box):
    id = started(box)
    for name in 'USR1', 'CHLD', 'STOP', 'WINCH', 'RTMIN':
        same(0, asked(box, '^POST', lambda name=name: box.call('kill', id, name).fails(1, 'TERM')), name)
    same('running', box.status(id))


def a_signal_does_not_wait_for_the_end(box):
    box.server.set(shutdown_seconds=30)
    id = started(box)
    begin = time.monotonic()
    box.call('kill', id, 'TERM').ok()
    if time.monotonic() - begin > 15:
        fail('kill waited for the shutdown')
    same('running', box.status(id))
    box.call('kill', id, 'KILL').ok()
    same('stopped', box.status(id))
    same(['stopped'], [t['status'] for t in box.server.tasks('vzshutdown')])


def kill_works_before_8_2(box):
    """Its stop knows no parameter that would overrule a shutdown."""
    unknown = 'property is not defined in schema and the schema does not allow additional properties\n'
    box.server.set(shutdown_seconds=30, version='7.4')
    box.server.fault('POST .*/status/stop$', 'status', code=400, text='Parameter verification failed.\n',
                     errors={'overrule-shutdown': unknown})
    id = started(box)
    box.call('kill', id, 'TERM').ok()
    box.call('kill', id, 'KILL').ok()
    same('stopped', box.status(id))
    same([['stopped'], 1], [[t['status'] for t in box.server.tasks('vzshutdown')], len(box.server.tasks('vzstop'))])


def kill_of_one_that_was_not_started_ends_it(box):
    id = box.create_guest()
    box.call('kill', id, 'KILL').ok()
    same('stopped', box.status(id))
    box.call('delete', id).ok()


# -- stop ------------------------------------------------------------------------------------------------

def stop_is_a_shutdown_first(box):
    id = started(box)
    box.call('stop', '--time', '5', id).ok()
    same('stopped', box.status(id))
    r, = box.server.requests('POST .*/status/shutdown$')
    same(('5', '1'), (r['params']['timeout'], r['params']['forceStop']))
    same([], box.server.tasks('vzstop'))
    same('0', box.call('wait', id).ok().out.strip())


def stop_of_one_that_ignores_it_is_by_force(box):
    box.server.set(honours_shutdown=False)
    id = started(box)
    box.call('stop', '--time', '1', id).ok()
    same('stopped', box.status(id))
    same('137', box.call('wait', id).out.strip())


def stop_goes_on_when_the_shutdown_fails(box):
    id = started(box)
    box.server.fault('TASK vzshutdown', 'fail_first', text='container did not stop')
    box.call('stop', '--time', '5', id).ok()
    same('stopped', box.status(id))
    same(1, len(box.server.tasks('vzstop')))
    same('137', box.call('wait', id).out.strip())


def stop_without_time_is_at_once(box):
    id = started(box)
    same(0, asked(box, 'status/shutdown', lambda: box.call('stop', '--time', '0', id).ok()))
    same('stopped', box.status(id))


def stop_over_a_shutdown_that_goes_on(box):
    box.server.set(shutdown_seconds=30)
    id = started(box)
    box.call('kill', id, 'TERM').ok()
    box.call('stop', '--time', '0', id).ok()
    same('stopped', box.status(id))


def stop_twice_is_fine(box):
    id = started(box)
    box.call('stop', id).ok()
    box.call('stop', id).ok()


def the_end_of_one_that_ends_by_itself_is_unknown(box):
    id = started(box)
    box.server.control('state', vmid=box.vmid(id), running=False)
    same('255', box.call('wait', id).out.strip())


# -- update, stats ---------------------------------------------------------------------------------------

def update_changes_the_guest(box):
    id = started(box)
    box.call('update', '--memory', '268435456', '--memory-swap', '402653184', '--cpu-quota', '50000', '--cpu-period', '100000', id).ok()
    config = box.guest(id)['config']
    same(('256', '128', '0.5'), (config['memory'], config['swap'], config['cpulimit']))


def update_beside_somebody_elses_change(box):
    id = started(box)
    box.server.fault('PUT .*/config$', 'control', op='edit', args={'vmid': '$vmid', 'onboot': '1'})
    box.call('update', '--memory', '268435456', id).ok()
    config = box.guest(id)['config']
    same(('256', '1'), (config['memory'], config['onboot']))


def update_of_what_a_guest_has_not_is_refused(box):
    id = started(box)
    same(0, asked(box, '^PUT', lambda: box.call('update', '--cpuset-cpus', '0-1', id).fails(1)))


def update_that_the_server_refuses_says_why(box):
    id = started(box)
    box.server.fault('PUT .*/config$', 'status', code=400, text='Parameter verification failed.\n',
                     errors={'memory': 'unable to hotplug memory: in use'})
    box.call('update', '--memory', '67108864', id).fails(1, 'unable to hotplug memory: in use')


def stats_are_the_servers(box):
    id = started(box)
    s, = json.loads(box.call('stats', '--format', 'json', id).ok().out)
    same((id, 12 << 20, 512 << 20, 1000, 2000, 4096, 8192),
         (s['id'], s['memoryBytes'], s['memoryLimitBytes'], s['networkReceivedBytes'], s['networkSentBytes'], s['diskReadBytes'],
          s['diskWrittenBytes']))
    same(40, s['cpuPermille'])
    box.call('kill', id, 'KILL').ok()
    box.call('stats', id).fails(1, 'not running')


# -- moves -----------------------------------------------------------------------------------------------

def a_guest_that_has_moved_is_found(box):
    id = started(box)
    vmid = box.vmid(id)
    box.server.migrate(vmid, 'pve2')
    same('running', box.status(id))
    box.call('stats', id).ok()
    box.call('update', '--memory', '268435456', id).ok()
    box.call('stop', id).ok()
    box.server.migrate(vmid, 'pve1')
    same('stopped', box.status(id))
    box.server.migrate(vmid, 'pve2')
    box.call('delete', id).ok()
    box.nothing_on_the_server()


def one_that_moves_while_it_is_stopped_or_removed_is_followed(box):
    id = started(box)
    for what in 'POST .*/status/stop$', '^DELETE /nodes/[^/]+/lxc/':
        to = 'pve1' if box.guest(id)['node'] == 'pve2' else 'pve2'
        box.server.fault(what, 'control', op='migrate', args={'vmid': '$vmid', 'node': to})
    box.call('delete', '--force', id).ok()
    box.nothing_on_the_server()
    same([1, 1], [f['hits'] for f in box.server.faults()])


# -- locks -----------------------------------------------------------------------------------------------

PASSING = 'backup', 'disk', 'fstrim', 'migrate', 'rollback', 'snapshot', 'snapshot-delete'


def locks_that_go_away_are_waited_for(box):
    for i, kind in enumerate(PASSING):
        id = box.create_guest('main%d' % i)
        vmid = box.vmid(id)
        box.server.lock(vmid, kind, seconds=0.7)
        box.call('start', id).ok()
        box.server.lock(vmid, kind, seconds=0.7)
        box.call('stop', '--time', '0', id).ok()
        box.server.lock(vmid, kind, seconds=0.7)
        box.call('delete', id).ok()
    box.nothing_on_the_server()


def locks_that_stay_are_told_of(box):
    box.configure(**QUICK)
    id = started(box)
    vmid = box.vmid(id)
    box.server.lock(vmid, 'backup')
    for words in ['kill', id, 'KILL'], ['stop', '--time', '0', id], ['delete', '--force', id]:
        box.call(*words).fails(1, 'CT is locked (backup)', 'another operation')
    same(True, box.server.guest(vmid)['running'])
    same('running', box.status(id))
    box.server.edit(vmid, lock=None)
    box.call('delete', '--force', id).ok()


def stale_locks_need_the_node(box):
    box.configure(**QUICK)
    for kind in 'create', 'destroyed':
        id = box.create_guest(kind)
        vmid = box.vmid(id)
        box.server.lock(vmid, kind)
        box.call('start', id).fails(1, 'CT is locked (%s)' % kind, 'pct unlock %d' % vmid)
        box.call('delete', id).fails(1, 'CT is locked (%s)' % kind, 'pct unlock %d' % vmid)
        same([vmid], [g['vmid'] for g in box.server.ours()], 'guests after that')
        box.server.edit(vmid, lock=None)
        box.call('delete', id).ok()


def a_mounted_one_can_be_started(box):
    id = box.create_guest()
    box.server.lock(box.vmid(id), 'mounted')
    box.call('start', id).ok()
    box.server.edit(box.vmid(id), lock=None)


def a_guest_that_is_held_is_tried_again(box):
    id = box.create_guest()
    held = "can't lock file '/run/lock/lxc/pve-config-1.lock' - got timeout"
    for kind in 'vzstart', 'vzstop', 'vzdestroy':
        box.server.fault('TASK ' + kind, 'fail_first', text=held, count=2)
    box.call('start', id).ok()
    box.call('stop', '--time', '0', id).ok()
    box.call('delete', id).ok()
    box.nothing_on_the_server()


def quorum_that_comes_back_is_waited_for(box):
    id = box.create_guest()
    for what in 'POST .*/status/start$', '^DELETE ':
        box.server.fault(what, 'status', code=500, text='cluster not ready - no quorum?\n', count=2)
    box.call('start', id).ok()
    box.call('delete', '--force', id).ok()
    box.nothing_on_the_server()


# -- lost answers, and none ------------------------------------------------------------------------------

def a_server_that_is_off_changes_nothing(box):
    id = started(box)
    box.configure(endpoint='https://127.0.0.1:1')
    for words in ['state', id], ['kill', id, 'KILL'], ['stop', id], ['delete', '--force', id], ['stats', id], ['start', id]:
        box.call(*words).fails(1)
    box.configure()
    same('running', box.status(id))
    same(True, box.guest(id)['running'])


def delete_whose_answer_is_lost_is_done(box):
    for i, do in enumerate(('drop', 'rst_after', 'close_after_headers')):
        id = box.create_guest('main%d' % i)
        box.server.fault('^DELETE /nodes/[^/]+/lxc/', do)
        box.call('delete', id).ok()
        box.nothing_on_the_server()
    same(3, len(box.server.tasks('vzdestroy')))


def stop_whose_answer_is_lost_is_done(box):
    id = started(box)
    box.server.fault('POST .*/status/stop$', 'drop')
    box.call('stop', '--time', '0', id).ok()
    same('stopped', box.status(id))


def delete_that_fails_can_be_repeated(box):
    id = started(box)
    box.server.fault('TASK vzdestroy', 'fail_first', text='storage went away')
    box.call('delete', '--force', id).fails(1, 'storage went away')
    same('stopped', box.status(id))
    box.call('delete', '--force', id).ok()
    box.nothing_on_the_server()


def a_task_whose_worker_was_killed_is_looked_after(box):
    id = box.create_guest()
    box.server.fault('TASK vzstart', 'vanish')
    box.call('start', id).ok()
    same('running', box.status(id))
    box.server.fault('TASK vzshutdown', 'vanish')
    box.call('stop', id).ok()
    same('stopped', box.status(id))
    box.server.fault('TASK vzdestroy', 'vanish')
    r = box.call('delete', id)
    if r.status:  # the worker has left its lock behind
        vmid = box.vmid(id)
        has(r.err, 'pct unlock %d' % vmid)
        box.server.edit(vmid, lock=None)
        box.call('delete', id).ok()
    box.nothing_on_the_server()


def a_token_that_is_withdrawn_changes_nothing(box):
    id = started(box)
    box.server.revoke()
    for words in ['state', id], ['kill', id, 'KILL'], ['delete', '--force', id]:
        box.call(*words).fails(1, 'check proxmox')
    same(True, box.server.ours()[0]['running'])
    box.server.control('token', revoked=False)
    same('running', box.status(id))


def a_login_without_rights_to_the_guest_does_not_take_it_for_gone(box):
    id = box.create_guest()
    box.server.privileges({'/': ['Datastore.Audit']})
    box.call('state', id).fails(1)
    box.call('delete', '--force', id).fails(1)
    same(1, len(box.server.ours()))
    if not os.path.isdir(os.path.join(box.data, 'guests', id)):
        fail('the record is gone')
    box.server.privileges({'/': ROLE})
    same('created', box.status(id))


def a_shutdown_that_failed_isnt_how_it_ended(box):
    box.server.set(honours_shutdown=False)
    box.configure(timeouts={'graceSeconds': 1})
    id = box.create_guest()
    box.call('start', id).ok()
    box.call('kill', id, 'TERM').ok()
    eventually(lambda: [t for t in box.server.tasks('vzshutdown') if t['status'] == 'stopped'], what='a shutdown that has ended')
    box.server.control('state', vmid=box.vmid(id), running=False)
    same((255, 'Unknown'), (box.state(id)['cri']['exitCode'], box.state(id)['cri']['reason']))
    box.call('delete', id).ok()


main(globals())
