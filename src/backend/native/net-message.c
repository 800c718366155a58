/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The only user of libmnl, and run while ctrctl is built: writes the messages to rtnetlink that
 * init sends as they are, as C arrays. They are the same for every container, so ctrctl needs no
 * libmnl.
 */
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>

enum { LOOPBACK_INDEX = 1 }; /* in every network namespace */

static const struct nlmsghdr *loopback(char *buf)
{
	struct nlmsghdr *head = mnl_nlmsg_put_header(buf);
	struct ifinfomsg *info = mnl_nlmsg_put_extra_header(head, sizeof(*info));

	head->nlmsg_type = RTM_NEWLINK;
	head->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	head->nlmsg_seq = 1;
	info->ifi_family = AF_UNSPEC;
	info->ifi_index = LOOPBACK_INDEX;
	info->ifi_flags = IFF_UP;
	info->ifi_change = IFF_UP;
	return head;
}

int main(void)
{
	_Alignas(struct nlmsghdr) char buf[128] = { 0 };
	const struct nlmsghdr *head = loopback(buf);

	printf("/* Made by net-message.c. */\n#include \"backend/native/net-message.h\"\n\n"
	       "const unsigned char net_message_loopback[NET_MESSAGE_LOOPBACK]"
	       " __attribute__((aligned(4))) = {\n\t");
	for (unsigned i = 0; i < head->nlmsg_len; i++)
		printf("%d,", (unsigned char)buf[i]);
	printf("\n};\n_Static_assert(NET_MESSAGE_LOOPBACK == %u, \"its size\");\n",
		head->nlmsg_len);
	return 0;
}
