/* SPDX-License-Identifier: Apache-2.0 */
/* Ready-made rtnetlink requests: sent as they are, and their answers counted. */
#include "init.h"

#define ANSWER_ROOM 2048

/* Acks in one datagram, or -errno of the first that is an error. */
static long count_acks(const char *buf, size_t n)
{
	long acks = 0;

	while (n >= sizeof(struct nlmsghdr)) {
		const struct nlmsghdr *h = (const void *)buf;
		size_t step = NLMSG_ALIGN((size_t)h->nlmsg_len);

		if (h->nlmsg_len < sizeof(*h) || h->nlmsg_len > n)
			return fail(__NR_recvfrom, EPROTO);
		if (h->nlmsg_type == NLMSG_ERROR) {
			const struct nlmsgerr *e = (const void *)(h + 1);

			if (h->nlmsg_len < sizeof(*h) + sizeof(*e))
				return fail(__NR_recvfrom, EPROTO);
			if (e->error)
				return fail(__NR_sendto, -e->error);
			acks++;
		}
		if (step >= n)
			break;
		buf += step;
		n -= step;
	}
	return acks;
}

long netlink_send(const struct wire_step *s)
{
	char answer[ANSWER_ROOM] __attribute__((aligned(8)));
	long sock = SYS3(socket, SYS_AF_NETLINK, SYS_SOCK_RAW | SYS_SOCK_CLOEXEC, NETLINK_ROUTE), r;

	if (sock < 0)
		return sock;
	r = SYS6(sendto, sock, text_at(s->s1), s->a, SYS_MSG_NOSIGNAL, 0, 0);
	for (uint64_t acks = 0; r >= 0 && acks < s->b;) {
		r = SYS6(recvfrom, sock, answer, sizeof(answer), 0, 0, 0);
		if (r > 0)
			r = count_acks(answer, (size_t)r);
		if (r > 0)
			acks += (uint64_t)r;
	}
	close_fd((int)sock);
	return r < 0 ? r : 0;
}
