/* SPDX-License-Identifier: Apache-2.0 */
/* The only user of libmnl: messages to rtnetlink that init sends as they are. */
#include "backend/native/compile.h"

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>

enum { LOOPBACK_INDEX = 1 }; /* in every network namespace */

const void *net_message_loopback(struct arena *a, size_t *ret_size)
{
	_Alignas(struct nlmsghdr) char buf[128] = { 0 };
	struct nlmsghdr *head = mnl_nlmsg_put_header(buf);
	struct ifinfomsg *info = mnl_nlmsg_put_extra_header(head, sizeof(*info));

	head->nlmsg_type = RTM_NEWLINK;
	head->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	head->nlmsg_seq = 1;
	info->ifi_family = AF_UNSPEC;
	info->ifi_index = LOOPBACK_INDEX;
	info->ifi_flags = IFF_UP;
	info->ifi_change = IFF_UP;
	void *message = arena_alloc(a, head->nlmsg_len);
	if (message)
		memcpy(message, buf, head->nlmsg_len);
	*ret_size = head->nlmsg_len;
	return message;
}
