/* SPDX-License-Identifier: Apache-2.0 */
/* Messages to rtnetlink, whole and ready to be sent; net-message.c makes them during the build. */
#ifndef NATIVE_NET_MESSAGE_H
#define NATIVE_NET_MESSAGE_H

enum { NET_MESSAGE_LOOPBACK = 32 };

/* RTM_NEWLINK: brings the loopback interface up; answered by an ack. */
extern const unsigned char net_message_loopback[NET_MESSAGE_LOOPBACK];

#endif
