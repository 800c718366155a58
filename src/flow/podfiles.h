/* SPDX-License-Identifier: Apache-2.0 */
/* Texts of the files that a sandbox gives its containers: pure. */
#ifndef FLOW_PODFILES_H
#define FLOW_PODFILES_H

#include "base/str.h"
#include "ctrctl/cri.h"

/* "search a b", "nameserver x" each, "options a b". All three lists empty: `host`, the host's own
 * text. */
void podfiles_resolv_conf(const struct cri_dns_config *, const char *host, struct str *out);
/* localhost lines, and the pod's name where it has a network of its own. With the host's network:
 * `host`, the host's own text. */
void podfiles_hosts(const char *hostname, bool host_network, const char *host, struct str *out);
/* The name and a line break. */
void podfiles_hostname(const char *hostname, struct str *out);

#endif
