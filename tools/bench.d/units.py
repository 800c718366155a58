# SPDX-License-Identifier: Apache-2.0
"""What is measured: the driver's script, one unit per contender and scenario."""

FLAVOURS = ('bare', 'default')
CACHES = ('ctrctl', 'crun')  # they keep compiled filters in their state root; runc compiles each time


class Failed(Exception):
    """The driver has said why."""


def state(name):
    return '/run/bench-' + name


def runtime(program, name, *words):
    return [program, '--root', state(name), *words]


class Floor:
    def __init__(self, program):
        self.program = program

    def verb(self, flavour, _name, verb, _bundle, words=()):
        pidfile = '/run/floor.pid'
        floor = '%s/%s/floor' % (self.program, flavour)
        if verb == 'run':
            return [floor, 'run', *words]
        if verb == 'create':
            return [floor, 'create', pidfile, *words]
        return [floor, verb, pidfile, *words]


class Runtime:
    def __init__(self, program):
        self.program = program

    def verb(self, _flavour, name, verb, bundle, words=()):
        call = runtime(self.program, name, verb)
        if verb == 'run':
            return call + ['--bundle', bundle, '%i']
        if verb == 'create':
            return call + ['--bundle', bundle, '--pid-file', '/run/%s.pid' % name, '%i']
        if verb == 'kill':
            return call + ['%i', 'KILL']
        return call + ['%i', *words]


def of(name, program):
    return Floor(program) if name == 'floor' else Runtime(program)


def line(*fields):
    return '\t'.join(fields) + '\n'


def life(name, contender, flavour, bundle, program='/bin/true', after=''):
    """create, start, exec, kill, delete; what waits for start is weighed in between."""
    pidfile = '/run/%s.pid' % name

    def step(verb, *words):
        return line('run', verb, *contender.verb(flavour, name, verb, bundle, words))

    return (step('create', *(['/bin/pause'] if name == 'floor' else [])) + line('memory', 'init', pidfile) +
            step('start') + step('exec', program) + after + step('kill') + line('gone', pidfile) +
            step('delete'))


def script(found, work, only=None):
    units = []
    for name, program in found.items():
        contender = of(name, program)
        for flavour in FLAVOURS:
            bundle = '%s/%s/' % (work, flavour)
            run = contender.verb(flavour, name, 'run', bundle + 'true', ['/bin/true'])
            units.append(('%s/run/%s' % (flavour, name), line('run', 'run', *run)))
            units.append(('%s/life/%s' % (flavour, name),
                          life(name, contender, flavour, bundle + 'pause')))
        if name in CACHES:
            cold = contender.verb('default', name + '-cold', 'run', work + '/default/true')
            units.append(('default-cold/run/' + name,
                          line('fresh', state(name + '-cold')) + line('run', 'run', *cold)))
    return ''.join(line('unit', unit) + steps for unit, steps in units if not only or only in unit)
