/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/podfiles.h"

#include <criterion/criterion.h>
#include <string.h>

static const char *servers[] = { "10.96.0.10", "fd00::a" };
static const char *searches[] = { "shop.svc.cluster.local", "cluster.local" };
static const char *options[] = { "ndots:5", "edns0" };

static void resolv_is(const struct cri_dns_config *dns, const char *host, const char *want)
{
	_str_ struct str out = { 0 };

	podfiles_resolv_conf(dns, host, &out);
	cr_assert_str_eq(out.p ? out.p : "", want);
}

Test(podfiles, writes_the_lines_that_a_resolver_reads)
{
	const struct cri_dns_config all = { .servers = servers,
		.n_servers = 2,
		.searches = searches,
		.n_searches = 2,
		.options = options,
		.n_options = 2 };
	const struct cri_dns_config one = { .servers = servers, .n_servers = 1 };
	const struct cri_dns_config search = { .searches = searches, .n_searches = 1 };
	const struct cri_dns_config option = { .options = options, .n_options = 1 };

	resolv_is(&all, "nameserver 1.1.1.1\n",
		"search shop.svc.cluster.local cluster.local\n"
		"nameserver 10.96.0.10\nnameserver fd00::a\noptions ndots:5 edns0\n");
	resolv_is(&one, "host\n", "nameserver 10.96.0.10\n");
	resolv_is(&search, "host\n", "search shop.svc.cluster.local\n");
	resolv_is(&option, "host\n", "options ndots:5\n");
}

Test(podfiles, takes_the_hosts_resolver_only_when_nothing_is_said)
{
	const struct cri_dns_config nothing = { 0 };

	resolv_is(NULL, "nameserver 1.1.1.1\n", "nameserver 1.1.1.1\n");
	resolv_is(&nothing, "nameserver 1.1.1.1", "nameserver 1.1.1.1\n");
	resolv_is(&nothing, NULL, "");
	resolv_is(&nothing, "", "");
}

Test(podfiles, knows_localhost_and_the_pod)
{
	_str_ struct str own = { 0 }, unnamed = { 0 };

	podfiles_hosts("shop-0", false, "10.0.0.1 host\n", &own);
	cr_assert(strstr(own.p, "127.0.0.1\tlocalhost\n") == own.p, "%s", own.p);
	cr_assert(strstr(own.p, "\n::1\tlocalhost "), "%s", own.p);
	cr_assert(strstr(own.p, "\tshop-0\n"), "%s", own.p);
	cr_assert_null(strstr(own.p, "10.0.0.1"), "the host's names stay outside");
	podfiles_hosts(NULL, false, NULL, &unnamed);
	cr_assert(strstr(unnamed.p, "localhost") && !strstr(unnamed.p, "127.0.1.1"));
}

Test(podfiles, gives_the_hosts_names_with_the_hosts_network)
{
	_str_ struct str out = { 0 }, none = { 0 };

	podfiles_hosts("shop-0", true, "10.0.0.1 host\n", &out);
	cr_assert_str_eq(out.p, "10.0.0.1 host\n");
	podfiles_hosts("shop-0", true, NULL, &none);
	cr_assert_eq(none.n, 0);
}

Test(podfiles, ends_the_hostname_with_a_line_break)
{
	_str_ struct str out = { 0 };

	podfiles_hostname("shop-0", &out);
	cr_assert_str_eq(out.p, "shop-0\n");
}
