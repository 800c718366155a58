/* SPDX-License-Identifier: Apache-2.0 */
/* The messages made by the build, read back with libmnl. */
#include "backend/native/net-message.h"

#include <criterion/criterion.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

Test(net_message, the_loopback_interface_comes_up_and_the_kernel_answers)
{
	const struct nlmsghdr *head = (const void *)net_message_loopback;

	cr_assert(mnl_nlmsg_ok(head, NET_MESSAGE_LOOPBACK));
	cr_assert_eq(head->nlmsg_len, NET_MESSAGE_LOOPBACK);
	cr_assert_eq(mnl_nlmsg_get_payload_len(head), sizeof(struct ifinfomsg));
	cr_assert_eq(head->nlmsg_type, RTM_NEWLINK);
	cr_assert_eq(head->nlmsg_flags, NLM_F_REQUEST | NLM_F_ACK);
	cr_assert(mnl_nlmsg_seq_ok(head, 1) && mnl_nlmsg_portid_ok(head, 0));

	const struct ifinfomsg *info = mnl_nlmsg_get_payload(head);

	cr_assert_eq(info->ifi_family, AF_UNSPEC);
	cr_assert_eq(info->ifi_index, (int)if_nametoindex("lo"));
	cr_assert_eq(info->ifi_flags, IFF_UP);
	cr_assert_eq(info->ifi_change, IFF_UP);
}
