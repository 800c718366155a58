# SPDX-License-Identifier: Apache-2.0
"""From the driver's result lines to figures, a table and a plot."""

import datetime
import os
import platform
import statistics

COLOURS = dict(ctrctl='#1f6fb4', crun='#c8742c', runc='#7d7d7d', floor='#3f9a5a')
VERBS = ('create', 'start', 'exec', 'kill', 'delete')
SCENARIOS = [('bare', 'run', 'run', 'run and delete, bare'),
             ('default', 'run', 'run', 'run and delete, default'),
             ('default-cold', 'run', 'run', 'run and delete, default, cold cache')]
SCENARIOS += [(f, 'life', v, '%s, %s' % (v, f)) for f in ('bare', 'default') for v in VERBS]
ROUNDS_FOR_VERDICT = 30
ORDER = ('ctrctl', 'crun', 'runc', 'floor')


def machine(load_before):
    cpu = 'unknown'
    with open('/proc/cpuinfo', encoding='utf-8') as f:
        for line in f:
            if line.startswith('model name'):
                cpu = line.split(':', 1)[1].strip()
                break
    with open('/proc/meminfo', encoding='ascii') as f:
        memory = int(f.readline().split()[1]) // 1024
    real_time = os.sched_getscheduler(0) in (os.SCHED_RR, os.SCHED_FIFO)
    return dict(kernel=platform.release(), real_time=real_time, architecture=platform.machine(), cpu=cpu, cores=os.cpu_count(),
                memory_mib=memory, load_before=round(load_before, 2), load_after=round(os.getloadavg()[0], 2))


def quantile(ordered, q):
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))]


def digest(results, versions, args, load_before):
    times, peak, init = {}, {}, {}
    for row in results.splitlines():
        unit, step, number, a, b, c = row.split('\t')
        flavour, scenario, name = unit.split('/')
        if int(number) < 0:
            continue
        if step == 'init':
            init.setdefault((flavour, name), []).append((int(a), int(b), int(c)))
            continue
        times.setdefault((flavour, scenario, step, name), []).append((int(a) / 1000, int(c)))
        peak[flavour, step, name] = max(int(b), peak.get((flavour, step, name), 0))
    rows = []
    for (flavour, scenario, step, name), values in times.items():
        wall = sorted(v[0] for v in values)
        rows.append(dict(bundle=flavour, scenario=scenario, step=step, contender=name, rounds=len(wall),
                         unit='us', min=round(wall[0], 1), median=round(statistics.median(wall), 1),
                         p95=round(quantile(wall, 0.95), 1),
                         cpu_median=statistics.median(v[1] for v in values),
                         peak_rss_kib=peak[flavour, step, name],
                         samples=[round(v[0], 1) for v in values]))
    waiting = [dict(bundle=f, contender=n, rss_kib=statistics.median(v[0] for v in values),
                    pss_kib=statistics.median(v[1] for v in values),
                    private_kib=statistics.median(v[2] for v in values))
               for (f, n), values in init.items()]
    names = [n for n in ORDER if n in versions]
    return dict(date=datetime.datetime.now(datetime.timezone.utc).strftime('%Y-%m-%d %H:%M UTC'),
                machine=machine(load_before), contenders={n: versions[n] for n in names},
                rounds=args.rounds, warmup=args.warmup, pause_ms=args.pause_ms, times=rows,
                waiting_init=waiting)


REQUESTS = (('request', 'create', 'create from a request'), ('bundle', 'create', 'create from its bundle'),
            ('explain', 'explain', 'explain a request'), ('request', 'delete', 'delete it'))


def add_requests(data, results, stages, generation):
    rows = {}
    for row in results.splitlines():
        unit, step, number, a, b, _ = row.split('\t')
        if int(number) >= 0:
            rows.setdefault((unit.split('/')[1], step), []).append((int(a) / 1000, int(b)))
    found = []
    for unit, step, title in REQUESTS:
        wall = sorted(v[0] for v in rows[unit, step])
        found.append(dict(unit=unit, step=step, title=title, median=round(statistics.median(wall), 1),
                          p95=round(quantile(wall, 0.95), 1), min=round(wall[0], 1),
                          peak_rss_kib=max(v[1] for v in rows[unit, step]), samples=[round(v, 1) for v in wall]))
    data['requests'] = dict(rows=found, stages=stages, generation_ms=generation)


def request_rows(data):
    if 'requests' not in data:
        return []
    r = data['requests']
    rows = [[row['title'], '%.2f (%.2f)' % (row['median'] / 1000, row['p95'] / 1000), '%d' % row['peak_rss_kib']]
            for row in r['rows']]
    return rows + [['of it, from the request to the bundle on disk', '%.2f' % r['generation_ms'], '']]


def times_of(data, flavour, scenario, step):
    return {r['contender']: r for r in data['times']
            if (r['bundle'], r['scenario'], r['step']) == (flavour, scenario, step)}


def columns(cells, widths):
    return '  '.join(c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(cells, widths))).rstrip()


def ratio(found, other):
    if 'ctrctl' not in found or other not in found:
        return '-'
    return '%.2f' % (found['ctrctl']['median'] / found[other]['median'])


def describe(data):
    m = data['machine']
    return 'kernel %s, %s, %d cores, %d MiB; %s; %d interleaved rounds%s, load %.2f to %.2f, %s' % (
        m['kernel'], m['cpu'], m['cores'], m['memory_mib'],
        ', '.join('%s %s' % (n, v) for n, v in data['contenders'].items()), data['rounds'],
        ' under real-time scheduling' if m['real_time'] else '', m['load_before'], m['load_after'], data['date'])


def time_rows(data):
    """Title, median and p95 in ms per contender, ctrctl's share of crun's and of the floor's median."""
    rows = []
    for flavour, scenario, step, title in SCENARIOS:
        found = times_of(data, flavour, scenario, step)
        if found:
            cells = ['%.2f (%.2f)' % (found[n]['median'] / 1000, found[n]['p95'] / 1000) if n in found else '-'
                     for n in data['contenders']]
            rows.append([title] + cells + [ratio(found, 'crun'), ratio(found, 'floor')])
    return rows


def memory_rows(data):
    rows = []
    for flavour, step in (('bare', 'run'), ('default', 'run'), ('default-cold', 'run'), ('default', 'create'),
                          ('default', 'exec')):
        found = times_of(data, flavour, 'run' if step == 'run' else 'life', step)
        if found:
            rows.append(['peak RSS of %s, %s' % (step, flavour)] +
                        [str(found[n]['peak_rss_kib']) if n in found else '-' for n in data['contenders']])
    for flavour in ('bare', 'default'):
        found = {w['contender']: w for w in data['waiting_init'] if w['bundle'] == flavour}
        for key, title in (('rss_kib', 'Rss'), ('pss_kib', 'Pss'), ('private_kib', 'private')):
            if found:
                rows.append(['init waiting for start, %s, %s' % (flavour, title)] +
                            ['%d' % found[n][key] if n in found else '-' for n in data['contenders']])
    return rows


def budget_rows(data):
    """What was asked of ctrctl, what was measured, and whether that is reached."""
    rows = []
    if data['rounds'] < ROUNDS_FOR_VERDICT:
        return rows

    def row(title, limit, value, form='%.2f'):
        rows.append([title, form % limit, form % value, 'reached' if value <= limit else '**not reached**'])

    for flavour in ('bare', 'default'):
        found = times_of(data, flavour, 'run', 'run')
        for other, limit in (('crun', 0.5), ('floor', 1.5)):
            if 'ctrctl' in found and other in found:
                row('run and delete, %s: share of %s' % (flavour, other), limit,
                    found['ctrctl']['median'] / found[other]['median'])
    if 'requests' in data:
        wall = {(r['unit'], r['step']): r['median'] / 1000 for r in data['requests']['rows']}
        row('from a request to a created container, ms', 20, wall['request', 'create'])
        row('the same: times create from its bundle', 2, wall['request', 'create'] / wall['bundle', 'create'])
        row('from a request to its bundle, ms', 5, data['requests']['generation_ms'])
        row('explain a request, ms', 10, wall['explain', 'explain'])
    init = [w['rss_kib'] for w in data['waiting_init'] if w['contender'] == 'ctrctl']
    peak = [r['peak_rss_kib'] for r in data['times'] if r['contender'] == 'ctrctl']
    if init and peak:
        row('init waiting for start, KiB', 64, max(init), '%d')
        row('peak RSS of ctrctl, any verb, KiB', 4096, max(peak), '%d')
    return rows


REQUEST_HEAD = ['requests, ms, median (p95)', 'ctrctl', 'peak KiB']


def heads(data):
    names = list(data['contenders'])
    return ['ms, median (p95)'] + names + ['of crun', 'of floor'], ['KiB'] + names


def table(data):
    widths = [44] + [15] * len(data['contenders']) + [9, 9]
    times, memory = heads(data)
    rows = [times] + time_rows(data) + [[]] + [memory] + memory_rows(data)
    if request_rows(data):
        rows += [[]] + [REQUEST_HEAD] + request_rows(data)
    rows += [[]] + [[r[0], 'at most ' + r[1], r[2], r[3].strip('*')] for r in budget_rows(data)]
    return '\n'.join(['', describe(data), ''] + [columns(r, widths) for r in rows])


def markdown(data):
    out = [describe(data), '']
    for head, rows in zip(heads(data), (time_rows(data), memory_rows(data))):
        out += ['| %s |' % ' | '.join(head), '|---|%s' % ('---:|' * (len(head) - 1))]
        out += ['| %s |' % ' | '.join(r) for r in rows] + ['']
    if request_rows(data):
        out += ['| %s |' % ' | '.join(REQUEST_HEAD), '|---|---:|---:|']
        out += ['| %s |' % ' | '.join(r) for r in request_rows(data)] + ['']
    budgets = budget_rows(data)
    if budgets:
        out += ['| budget | at most | measured | |', '|---|---:|---:|---|']
        out += ['| %s |' % ' | '.join(r) for r in budgets] + ['']
    return '\n'.join(out)


# ---- plot -----------------------------------------------------------------------------------------------------

LEFT, BAR, WIDTH, RIGHT = 240, 16, 520, 110


def text(x, y, words, anchor='start', size=12, extra=''):
    words = words.replace('&', '&amp;').replace('<', '&lt;')
    return '<text x="%.1f" y="%.1f" text-anchor="%s" font-size="%d" %s>%s</text>' % (
        x, y, anchor, size, extra, words)


def group(data, y, flavour, scenario, step, title, scale):
    out, names = [], list(data['contenders'])
    found = times_of(data, flavour, scenario, step)
    rows = [n for n in names if n in found]
    out.append(text(LEFT - 10, y + BAR * len(rows) / 2 + 4, title, 'end'))
    for n in rows:
        r = found[n]
        end, whisker = LEFT + r['median'] / scale * WIDTH, LEFT + min(r['p95'] / scale, 1.0) * WIDTH
        out.append('<rect x="%d" y="%.1f" width="%.1f" height="%d" fill="%s"/>' % (
            LEFT, y + 1, max(end - LEFT, 1), BAR - 2, COLOURS[n]))
        middle = y + BAR / 2
        out.append('<path d="M%.1f %.1fH%.1fM%.1f %.1fv6" stroke="#222" fill="none"/>' % (
            end, middle, whisker, whisker, middle - 3))
        out.append(text(max(end, whisker) + 6, y + BAR - 4, '%s %.2f ms' % (n, r['median'] / 1000), size=11))
        y += BAR
    return out, y + 10


def plot(data):
    """Bars are medians, whiskers reach to p95; each panel has one linear scale."""
    m = data['machine']
    body, y = [], 60
    body.append(text(10, 24, 'Container life in milliseconds: median, whisker to p95', size=16))
    body.append(text(10, 42, 'kernel %s, %s, %d cores; %d interleaved rounds; %s' % (
        m['kernel'], m['cpu'], m['cores'], data['rounds'],
        ', '.join('%s %s' % (n, v) for n, v in data['contenders'].items())), size=11))
    for panel in (SCENARIOS[:3], SCENARIOS[-len(VERBS):]):
        present = [s for s in panel if times_of(data, *s[:3])]
        if not present:
            continue
        scale = max(r['p95'] for s in present for r in times_of(data, *s[:3]).values())
        for s in present:
            more, y = group(data, y, *s, scale)
            body += more
        y += 20
    return ('<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif">\n'
            '<rect width="100%%" height="100%%" fill="white"/>\n%s\n</svg>\n' % (
                LEFT + WIDTH + RIGHT, y, '\n'.join(body)))
