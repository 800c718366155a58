/* SPDX-License-Identifier: Apache-2.0 */
/* Values are written as they are: that none holds a control byte, which would begin a line of its
 * own, is checked where a request comes in (cri_pod_check). */
#include "flow/podfiles.h"

static void add_list(struct str *out, const char *word, const char *const *items, size_t n)
{
	if (!n)
		return;
	str_add(out, word);
	for (size_t i = 0; i < n; i++)
		str_printf(out, " %s", items[i]);
	str_add(out, "\n");
}

/* A file ends with a line break, so that what is added to it begins a line. */
static void add_text(struct str *out, const char *text)
{
	str_add(out, text);
	if (out->n && out->p[out->n - 1] != '\n')
		str_add(out, "\n");
}

void podfiles_resolv_conf(const struct cri_dns_config *dns, const char *host, struct str *out)
{
	if (!dns || (!dns->n_servers && !dns->n_searches && !dns->n_options)) {
		add_text(out, host ? host : "");
		return;
	}
	add_list(out, "search", dns->searches, dns->n_searches);
	for (size_t i = 0; i < dns->n_servers; i++)
		str_printf(out, "nameserver %s\n", dns->servers[i]);
	add_list(out, "options", dns->options, dns->n_options);
}

void podfiles_hosts(const char *hostname, bool host_network, const char *host, struct str *out)
{
	if (host_network) {
		add_text(out, host ? host : "");
		return;
	}
	str_add(out, "127.0.0.1\tlocalhost\n"
		     "::1\tlocalhost ip6-localhost ip6-loopback\n"
		     "fe00::0\tip6-localnet\n"
		     "ff00::0\tip6-mcastprefix\n"
		     "ff02::1\tip6-allnodes\n"
		     "ff02::2\tip6-allrouters\n");
	/* The loopback is the only address that the pod is sure to have. */
	if (hostname && *hostname)
		str_printf(out, "127.0.1.1\t%s\n", hostname);
}

void podfiles_hostname(const char *hostname, struct str *out)
{
	str_printf(out, "%s\n", hostname ? hostname : "");
}
