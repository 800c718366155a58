# SPDX-License-Identifier: Apache-2.0
"""Parameters against the server's own schema, with its words for what is wrong."""

import ipaddress
import json
import os
import re

with open(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'schema.json'), encoding='utf-8') as _f:
    ENDPOINTS = json.load(_f)

MISSING = 'property is missing and it is not optional'
UNKNOWN = 'property is not defined in schema and the schema does not allow additional properties'
LABEL = r'(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)'
NODE = re.compile(r'%s$' % LABEL)
DNS = re.compile(r'%s(?:\.%s)*$' % (LABEL, LABEL))
STORAGE = re.compile(r'[a-zA-Z][a-zA-Z0-9\-_.]*[a-zA-Z0-9]$')
TAG = re.compile(r'[a-zA-Z0-9_][a-zA-Z0-9_.+\-]*$')
ZONES = {'host', 'UTC', 'Europe/Berlin', 'Europe/Vienna', 'Europe/London', 'America/New_York', 'America/Los_Angeles', 'Asia/Tokyo',
         'Asia/Kolkata', 'Africa/Cairo', 'Australia/Sydney'}
CONTENT = {'images', 'rootdir', 'vztmpl', 'iso', 'backup', 'snippets', 'none', 'import'}


class Wrong(Exception):
    """A value isn't of its format."""


class Invalid(Exception):
    """By parameter, what is wrong."""

    def __init__(self, errors):
        super().__init__(str(errors))
        self.errors = errors


def need(ok, text):
    if not ok:
        raise Wrong(text)


def is_ip(text, version):
    # A zone ("fe80::1%eth0") is for name servers only.
    try:
        return '%' not in text and '/' not in text and ipaddress.ip_address(text).version == version
    except ValueError:
        return False


def is_cidr(text, version):
    address, slash, bits = text.partition('/')
    return bool(slash) and bits.isdigit() and is_ip(address, version) and (7 if version == 4 else 1) < int(bits) <= (
        32 if version == 4 else 128)


def words(text):
    return [w for w in re.split(r'[;,\s\0]+', text) if w]


def dns_name(text):
    need(DNS.match(text) and '\n' not in text, 'value does not look like a valid DNS name\n')


def dns_names(text):
    for w in words(text):
        dns_name(w)


def ip_list(text):
    for w in words(text):
        if w == 'host':
            continue
        address, percent, zone = w.partition('%')
        need(is_ip(address, 4) and not percent or is_ip(address, 6) and (not percent or zone),
             'value does not look like a valid IP address\n')


def tags(text):
    for w in words(text):
        need(TAG.match(w), 'invalid characters in tag\n')


def mac(text):
    need(re.match(r'[a-f0-9][02468ace](?::[a-f0-9]{2}){5}$', text, re.I), 'value does not look like a valid unicast MAC address\n')


def mount_path(text):
    need(not re.search(r'(?:^|/)\.\.?(?:/|$)', text), 'unable to parse mount point path\n')
    need('\n' not in text and '\r' not in text, 'unable to parse mount point path\n')


def device_path(text):
    need(re.match(r'/dev/', text) and '/../' not in text and '/./' not in text, '%s is not an absolute path to a device\n' % text)


def startup(text):
    for part in text.split(','):
        need(part.strip() == '' or re.match(r'(?:order=)?\d+$|(?:up|down)=\d+$', part), 'unable to parse startup options\n')


def config_ids(text):
    for w in words(text):
        need(re.match(r'[a-z][a-z0-9_-]+$', w, re.I), "invalid configuration ID '%s'\n" % w)


def node(text):
    need(NODE.match(text), 'value does not look like a valid node name\n')


def vmid(text):
    need(re.match(r'[1-9][0-9]{2,8}$', str(text)), 'value does not look like a valid VM ID\n')


def storage(text):
    need(STORAGE.match(text), "storage ID '%s' contains illegal characters\n" % text)


def volume(text):
    need(re.match(r'([a-zA-Z][a-zA-Z0-9\-_.]*[a-zA-Z0-9]):(.+)$', text), "unable to parse volume ID '%s'\n" % text)


def pool(text):
    need(re.match(r'[A-Za-z0-9\-_]+(?:/[A-Za-z0-9\-_]+){0,2}$', text), "invalid characters in pool name\n")


def one_of(test, text):
    return lambda value: need(test(value), text)


FORMATS = {
    'pve-vmid': vmid, 'pve-node': node, 'pve-storage-id': storage, 'dns-name': dns_name, 'dns-name-list': dns_names,
    'pve-tag-list': tags, 'mac-addr': mac, 'lxc-ip-with-ll-iface-list': ip_list, 'pve-lxc-mp-string': mount_path,
    'pve-lxc-dev-string': device_path, 'pve-startup-order': startup, 'pve-configid-list': config_ids, 'pve-poolid': pool,
    'pve-volume-id': volume,
    'ipv4': one_of(lambda v: is_ip(v, 4), 'value does not look like a valid IPv4 address\n'),
    'ipv6': one_of(lambda v: is_ip(v, 6), 'value does not look like a valid IPv6 address\n'),
    'CIDR': one_of(lambda v: is_cidr(v, 4) or is_cidr(v, 6), 'value does not look like a valid CIDR network\n'),
    'pve-ipv4-config': one_of(lambda v: v in ('dhcp', 'manual') or is_cidr(v, 4),
                              'value does not look like a valid ipv4 network configuration\n'),
    'pve-ipv6-config': one_of(lambda v: v in ('auto', 'dhcp', 'manual') or is_cidr(v, 6),
                              'value does not look like a valid ipv6 network configuration\n'),
    'disk-size': one_of(lambda v: re.match(r'\d+(\.\d+)?[KMGT]?$', v), 'value does not look like a valid disk size\n'),
    'pve-ct-timezone': one_of(lambda v: v in ZONES, 'invalid time zone\n'),
    'pve-realm': one_of(lambda v: re.match(r'[A-Za-z][A-Za-z0-9.\-_]+$', v), "value does not look like a valid realm\n"),
    'pve-storage-content': one_of(lambda v: v in CONTENT, 'invalid content type\n'),
    'pve-storage-content-list': one_of(lambda v: all(w in CONTENT for w in words(v)), 'invalid content type\n'),
}


def perl(pattern):
    return re.compile('^(?:%s)$' % pattern.replace('(?^:', '(?:').replace('\\0', '\\x00'))


_patterns = {}


def pattern_fits(pattern, value):
    if pattern not in _patterns:
        _patterns[pattern] = perl(pattern)
    return _patterns[pattern].match(value)


def as_bool(text):
    """In property strings there are more words for it than at the top level."""
    low = str(text).lower()
    if low in ('1', 'on', 'yes', 'true'):
        return '1'
    return '0' if low in ('0', 'off', 'no', 'false') else None


def parse_property(schema, text, path=None):
    """A property string's parts, checked."""
    subs = schema['subproperties']
    default = next((k for k, s in subs.items() if s.get('default_key')), None)
    found = {}
    for part in text.split(','):
        if not part.strip():
            continue
        pair = re.match(r'([^=]+)=(.+)$', part, re.S)
        if pair:
            key, value = pair.groups()
            need(key not in found, 'duplicate key in comma-separated list property: %s\n' % key)
            need(key in subs, 'invalid key in comma-separated list property: %s\n' % key)
            if subs[key]['type'] == 'boolean':
                value = as_bool(value) or value
            found[key] = value
        elif '=' not in part:
            need(default, 'value without key, but schema does not define a default key\n')
            need(default not in found, 'duplicate key in comma-separated list property: %s\n' % default)
            found[default] = part
        else:
            raise Wrong('missing key in comma-separated list property\n')
    errors = {}
    prefix = path + '.' if path else ''
    for key, sub in subs.items():
        if key in found:
            check_value(prefix + key, found[key], sub, errors)
        elif not sub.get('optional'):
            errors[prefix + key] = MISSING
    if errors:
        raise Wrong('format error\n' + ''.join('%s: %s\n' % (k, v.rstrip('\n')) for k, v in sorted(errors.items())))
    return found


def print_property(schema, parts):
    """The server's own order: the default key, what is required, the rest, each sorted."""
    subs = schema['subproperties']
    order = sorted(parts, key=lambda k: (not subs[k].get('default_key'), bool(subs[k].get('optional')), k))
    return ','.join(str(parts[k]) if subs[k].get('default_key') else '%s=%s' % (k, parts[k]) for k in order)


def is_number(name, value, kind, errors):
    fits = r'[+-]?\d+$' if kind == 'integer' else r'[+-]?(?:\d+\.?\d*|\.\d+)$'
    if isinstance(value, bool) or not re.match(fits, str(value)):
        errors[name] = "type check ('%s') failed - got '%s'" % (kind, value)
        return False
    return True


def check_number(name, value, schema, errors):
    number = float(value)
    if 'maximum' in schema and number > schema['maximum']:
        errors[name] = 'value must have a maximum value of %s' % schema['maximum']
    elif 'minimum' in schema and number < schema['minimum']:
        errors[name] = 'value must have a minimum value of %s' % schema['minimum']


def check_string(name, value, schema, errors):
    if 'maxLength' in schema and len(value) > schema['maxLength']:
        errors[name] = 'value may only be %d characters long' % schema['maxLength']
    elif 'minLength' in schema and len(value) < schema['minLength']:
        errors[name] = 'value must be at least %d characters long' % schema['minLength']
    elif 'enum' in schema and value not in schema['enum']:
        errors[name] = "value '%s' does not have a value in the enumeration '%s'" % (value, ', '.join(schema['enum']))
    elif 'pattern' in schema and not pattern_fits(schema['pattern'], value):
        errors[name] = 'value does not match the regex pattern'


def check_value(name, value, schema, errors):
    """In PVE's order: type, format, then range, length, words, pattern."""
    kind = schema['type']
    if isinstance(value, list) and schema.get('format', '').endswith('-list') and all(isinstance(v, str) for v in value):
        value = ','.join(value)
    if kind == 'boolean':
        if not (value is True or value is False or value in ('0', '1', 0, 1)):
            errors[name] = "type check ('boolean') failed - got '%s'" % (value,)
        return
    if isinstance(value, (list, dict)):
        errors[name] = "type check ('%s') failed - got %s" % (kind, 'ARRAY' if isinstance(value, list) else 'HASH')
        return
    if kind in ('integer', 'number') and not is_number(name, value, kind, errors):
        return
    text = str(value)
    if schema.get('format'):
        try:
            if schema['format'] == 'property-string':
                parse_property(schema, text, name)
            elif schema['format'] in FORMATS:
                FORMATS[schema['format']](text)
        except Wrong as w:
            errors[name] = 'invalid format - %s' % w
            return
    if kind == 'string':
        check_string(name, text, schema, errors)
    else:
        check_number(name, text, schema, errors)


def property_of(properties, name):
    """"net3" is one of "net[n]"."""
    if name in properties:
        return properties[name]
    indexed = re.match(r'([a-z]+)(0|[1-9]\d*)$', name)
    if indexed:
        found = properties.get(indexed.group(1) + '[n]')
        if found and found['index_range'][0] <= int(indexed.group(2)) <= found['index_range'][1]:
            return found
    return None


def check(endpoint, params):
    properties = ENDPOINTS[endpoint]['properties']
    errors = {}
    for name, value in params.items():
        schema = property_of(properties, name)
        if schema is None or name.endswith('[n]'):
            errors[name] = UNKNOWN
            continue
        check_value(name, value, schema, errors)
        if 'requires' in schema and schema['requires'] not in params:
            errors[schema['requires']] = "missing property - '%s' requires this property" % name
    for name, schema in properties.items():
        if not schema.get('optional') and name not in params:
            errors[name] = MISSING
    if errors:
        raise Invalid(errors)


def plain(value):
    """A checked value as the text that the configuration holds."""
    if value is True or value is False:
        return '1' if value else '0'
    return ','.join(value) if isinstance(value, list) else str(value)
