# SPDX-License-Identifier: Apache-2.0
"""Tasks: what calls begin, with their UPIDs, logs and ends."""

import re

from sim.world import Fault, bad

UPID = re.compile(r'UPID:([a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?):([0-9A-Fa-f]{8}):([0-9A-Fa-f]{8,9}):([0-9A-Fa-f]{8}):'
                  r'([^:\s/]+):([^:\s/]*):([^:\s/]+):$')


class Failed(Exception):
    """A task's own end; its text becomes the exit status."""


class Task:
    def __init__(self, world, node, kind, ident, user, steps, undo=None):
        """steps: a generator that yields how many seconds pass until its next part, and raises Failed. undo(): after a cancel."""
        self.world, self.node, self.kind, self.id, self.user = world, node, kind, str(ident), user
        self.pid = 0x1000 + len(world.tasks) * 7 % 0x3f0000
        self.pstart = int((world.now() - world.nodes[node].boot) * 100) & 0xffffffff
        self.start = int(world.now())
        self.upid = 'UPID:%s:%08X:%08X:%08X:%s:%s:%s:' % (node, self.pid, self.pstart, self.start, kind,
                                                          self.id.replace(':', '%3A').replace('/', '%2F'), user)
        while self.upid in world.tasks:
            self.pid += 1
            self.upid = 'UPID:%s:%08X:%08X:%08X:%s:%s:%s:' % (node, self.pid, self.pstart, self.start, kind, self.id, user)
        self.log, self.warnings, self.exit, self.end = [], 0, None, None
        self.steps, self.undo, self.then = steps, undo, None
        self.rule = None
        world.tasks[self.upid] = self

    @property
    def running(self):
        return self.exit is None

    def say(self, text):
        self.log.append(text)

    def warn(self, text):
        self.say('WARN: ' + text)
        self.warnings += 1

    def run(self):
        """Its next part."""
        if not self.running:
            return
        try:
            wait = next(self.steps)
        except StopIteration:
            self.finish('WARNINGS: %d' % self.warnings if self.warnings else 'OK')
        except Failed as f:
            self.finish(str(f))
        except Fault as f:
            self.finish(f.message.rstrip('\n'))
        else:
            self.world.after(wait, self.run)

    def finish(self, text):
        self.exit = re.sub(r'\s*\n\s*', ' ', text)
        self.end = int(self.world.now())
        if text == 'unexpected status':
            return
        self.say('TASK ' + self.exit if text == 'OK' or text.startswith('WARNINGS') else 'TASK ERROR: ' + text)
        if self.then and (text == 'OK' or text.startswith('WARNINGS')):
            self.then()

    def cancel(self, text='received interrupt'):
        if self.running:
            if self.undo:
                self.undo()
            self.steps.close()
            self.finish(text)


def begin(world, node, kind, ident, user, steps, undo=None, then=None):
    """Its UPID. Rules of "TASK kind id" change what becomes of it."""
    task = Task(world, node, kind, ident, user, steps, undo)
    task.then = then
    rule = world.rules.of('TASK %s %s' % (kind, ident))
    task.steps = _bent(task, rule, steps) if rule else steps
    task.run()
    return task.upid


def _bent(task, rule, steps):
    how = rule['do']
    if how == 'never':
        while True:
            yield 3600
    if how == 'vanish':
        yield rule.get('seconds', task.world.knobs['task_seconds'])
        raise Failed('unexpected status')
    if how == 'fail_first':
        yield task.world.knobs['task_seconds']
        for line in rule.get('log', ()):
            task.say(line)
        if task.undo:
            task.undo()
        raise Failed(rule.get('text', 'something went wrong'))
    if how == 'slow':
        yield rule['seconds']
    for wait in steps:
        yield wait
    if how == 'warn':
        for n in range(rule.get('warnings', 1)):
            task.warn(rule.get('text', 'a warning %d' % n))
    if how == 'fail':
        for line in rule.get('log', ()):
            task.say(line)
        if task.undo:
            task.undo()
        raise Failed(rule.get('text', 'something went wrong'))


# -- calls -----------------------------------------------------------------------------------------------

def split_user(user):
    """"root@pam!token" -> who, and the token or None."""
    name, _, token = user.partition('!')
    return name, token or None


def entry(t):
    user, token = split_user(t.user)
    found = {'upid': t.upid, 'node': t.node, 'pid': t.pid, 'pstart': t.pstart, 'starttime': t.start, 'type': t.kind, 'id': t.id,
             'user': user}
    if token:
        found['tokenid'] = token
    return found


def find(call):
    upid = call.params['upid']
    if not UPID.match(upid):
        bad(upid='unable to parse worker upid')
    task = call.world.tasks.get(upid)
    if not task or task.node != call.params['node']:
        bad(upid='no such task')
    if task.user != call.user:
        call.need('/nodes/' + task.node, 'Sys.Audit')
    return task


def listing(call):
    p, w = call.params, call.world
    audit = call.may('/nodes/' + p['node'], 'Sys.Audit')
    source = p.get('source', 'archive')
    found = []
    for t in w.tasks.values():
        if t.node != p['node'] or not (audit or t.user == call.user):
            continue
        if (source == 'archive' and t.running) or (source == 'active' and not t.running):
            continue
        if 'vmid' in p and t.id != str(p['vmid']) or 'typefilter' in p and t.kind != p['typefilter']:
            continue
        if 'since' in p and t.start < int(p['since']) or 'until' in p and t.start > int(p['until']):
            continue
        if 'userfilter' in p and p['userfilter'] not in t.user:
            continue
        if p.get('errors') == '1' and (t.running or t.exit == 'OK'):
            continue
        found.append(t)
    found.sort(key=lambda t: (t.start, t.pid), reverse=True)
    first, limit = int(p.get('start', 0)), int(p.get('limit', 50))
    data = []
    for t in found[first:first + limit]:
        e = entry(t)
        if not t.running:
            e.update(endtime=t.end, status=t.exit)
        elif source != 'archive':
            e['status'] = 'RUNNING' if w.random.random() < 0.5 else ''
            if not e['status']:
                del e['status']
        data.append(e)
    call.extra['total'] = len(found)
    return data


def status(call):
    t = find(call)
    e = entry(t)
    e['status'] = 'running' if t.running else 'stopped'
    if not t.running:
        e['exitstatus'] = t.exit
    return e


def log(call):
    t = find(call)
    start, limit = int(call.params.get('start', 0)), int(call.params.get('limit', 50))
    lines = t.log[start:start + limit] if limit else t.log[start:]
    call.extra['total'] = len(t.log)
    return [{'n': start + n, 't': line} for n, line in enumerate(lines, 1)] or [{'n': 1, 't': 'no content'}]


def stop(call):
    t = find(call)
    if t.user != call.user:
        call.need('/nodes/' + t.node, 'Sys.Modify')
    t.cancel()


CALLS = {
    'GET /nodes/{node}/tasks': listing,
    'GET /nodes/{node}/tasks/{upid}/status': status,
    'GET /nodes/{node}/tasks/{upid}/log': log,
    'DELETE /nodes/{node}/tasks/{upid}': stop,
    'GET /cluster/tasks': lambda call: [
        {**entry(t), **({} if t.running else {'status': t.exit, 'endtime': t.end})} for t in call.world.tasks.values()
        if t.user == call.user or call.may('/nodes/' + t.node, 'Sys.Audit')],
}
