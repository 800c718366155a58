/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Node and template belong together: what lies on a node's own storage can't be used on another
 * one. When the best node hasn't got it, the others are asked before anything is fetched.
 */
#include "backend/proxmox/pull.h"

#include <string.h>

static int copy_nodes(struct pve_cluster *c, struct arena *a, struct err *err)
{
	struct pve_node *nodes = arena_array(a, c->n_nodes, sizeof(*nodes));

	if (!nodes)
		return err_nomem(err);
	if (c->n_nodes)
		memcpy(nodes, c->nodes, c->n_nodes * sizeof(*nodes));
	c->nodes = nodes;
	return 0;
}

/* A node that was asked counts as one that is off. */
static void set_aside(struct pve_cluster *c, const char *node)
{
	for (size_t i = 0; i < c->n_nodes; i++)
		if (str_eq(c->nodes[i].name, node))
			c->nodes[i].online = false;
}

/* Where it is: 1, 0 nowhere, -1. What the best node says of itself counts; the others' flaws
 * don't. */
static int find_anywhere(struct pve *pve, const struct guest_wish *wish,
	const struct pve_source *src, const struct pve_cluster *cluster, struct arena *a,
	struct pve_target *ret, struct err *err)
{
	struct pve_cluster left = *cluster;
	const char *best = ret->node, *node = best;
	struct err why = ERR_INIT;

	if (copy_nodes(&left, a, err) < 0)
		return -1;
	do {
		if (pve_template_find(pve, src, node, false, a, &ret->template, &why) == 0) {
			ret->node = node;
			return 1;
		}
		if (node == best && why.code != ERR_NOT_FOUND) {
			*err = why;
			return -1;
		}
		set_aside(&left, node);
	} while (pve_node_for(wish, src->image, pve->cfg, &left, &node, &why) == 0);
	return 0;
}

int pve_place(struct pve *pve, const struct guest_wish *wish, const struct pve_source *src,
	const struct pve_cluster *cluster, struct arena *a, struct pve_target *ret,
	struct pve_pull *would, struct err *err)
{
	int r;

	if (pve_node_for(wish, src->image, pve->cfg, cluster, &ret->node, err) < 0)
		return -1;
	r = find_anywhere(pve, wish, src, cluster, a, ret, err);
	if (r != 0)
		return r;
	if (would)
		return pve_template_would(pve, src, ret->node, a, &ret->template, would, err);
	return pve_template_find(pve, src, ret->node, true, a, &ret->template, err) < 0 ? -1 : 1;
}
