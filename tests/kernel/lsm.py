#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Labels that this kernel can't give: refused, never left out. What AppArmor does with them: tests/engines/apparmor.sh."""
from box import *

NO_SELINUX = 'selinux label is specified in config, but selinux is disabled or not supported'


def apparmor():
    try:
        with open('/sys/module/apparmor/parameters/enabled', encoding='ascii') as f:
            return f.read().strip() == 'Y'
    except FileNotFoundError:
        return False


def refused(status, result, *parts):
    result.fails(status, *parts)
    has_not(result.err.lower(), 'no such file')
    has_not(result.err.lower(), 'permission denied')
    has_not(result.out, 'it runs')


def nothing_made_in(one_box):
    same('', one_box.call('list', '-q').ok().out, 'containers')


def a_selinux_label_without_selinux_is_refused(box):
    refused(1, box.run('echo it runs', selinuxLabel='system_u:system_r:container_t:s0:c1,c2'), NO_SELINUX,
            'process.selinuxLabel')
    nothing_made_in(box)


def a_mount_label_without_selinux_is_refused(box):
    def edit(config):
        config['linux']['mountLabel'] = 'system_u:object_r:container_file_t:s0'
    refused(1, box.run('echo it runs', edit), NO_SELINUX, 'linux.mountLabel')
    nothing_made_in(box)


def a_selinux_label_of_exec_is_refused(box):
    box.start()
    refused(255, box.exec('echo', 'it runs', options=('--process-label', 'a:b:c:s0')), NO_SELINUX)


def empty_labels_ask_for_nothing(box):
    def edit(config):
        config['linux']['mountLabel'] = ''
    same('it runs\n', box.run('echo it runs', edit, selinuxLabel='', apparmorProfile='').ok().out)


def a_profile_that_is_not_there_is_refused(box):
    result = box.run('echo it runs', apparmorProfile='web-profile')
    refused(1, result, 'process.apparmorProfile', 'web-profile')
    if not apparmor():
        refused(1, result, "AppArmor isn't enabled", 'hint: see /sys/module/apparmor/parameters/enabled')
    nothing_made_in(box)


def a_profile_of_exec_that_is_not_there_is_refused(box):
    box.start()
    refused(255, box.exec('echo', 'it runs', options=('--apparmor', 'web-profile')), 'web-profile')
    process = os.path.join(box.folder, 'process.json')
    with open(process, 'w', encoding='utf-8') as f:
        json.dump({'args': ['echo', 'it runs'], 'cwd': '/', 'apparmorProfile': 'web-profile'}, f)
    refused(255, box.call('exec', '--process', process, 'c'), 'web-profile')


def unconfined_is_what_there_is(box):
    same('it runs\n', box.run('echo it runs', apparmorProfile='unconfined').ok().out)


main(globals())
