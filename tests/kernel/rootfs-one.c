/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rootfs-one DATA IMAGE FOLDER|- TARGET [HOST-ID]: mounts the image's root filesystem at
 * TARGET ("." of it is the folder that it is attached to), its changes in FOLDER; ids mapped from 0
 * to HOST-ID on. rootfs-one -u TARGET: unmounts. rootfs-one -t
 * DATA IMAGE N: how long finding and mounting take, in microseconds.
 */
#include "image/rootfs.h"

#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static struct oci_id_map map = { 0, 0, 65536 };

static int fail(const struct err *err)
{
	char line[1024];

	err_line(err, line, sizeof(line));
	fprintf(stderr, "%s\n", line);
	if (*err->hint)
		fprintf(stderr, "  hint: %s\n", err->hint);
	return 1;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int measure(const struct image_store *s, const char *ref, uint64_t n)
{
	double find = 1e9, mount = 1e9;
	struct err err = ERR_INIT;

	for (uint64_t i = 0; i < n; i++) {
		_arena_ struct arena *a = arena_new();
		struct ctr_image_record r;
		double t = now();

		if (!a || image_find(s, ref, a, &r, &err) < 0)
			return fail(&err);
		find = MIN(find, now() - t);
		t = now();
		const struct rootfs_job job = { .image = &r, .dir_fd = FD_NONE };
		_close_ int fd = rootfs_mount(s, &job, &err);
		if (fd < 0)
			return fail(&err);
		mount = MIN(mount, now() - t);
	}
	printf("find %.0f us, mount %.0f us (best of %u)\n", find, mount, (unsigned)n);
	return 0;
}

static int attach(const struct image_store *s, char **argv, int argc)
{
	_arena_ struct arena *a = arena_new();
	struct ctr_image_record r;
	struct err err = ERR_INIT;
	_close_ int dir = FD_NONE, fd = FD_NONE;
	struct rootfs_job job = { .image = &r, .dir_fd = FD_NONE };

	if (!str_eq(argv[3], "-"))
		job.dir_fd = dir = open(argv[3], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (argc > 5) {
		uint64_t host;
		if (parse_u64(argv[5], UINT32_MAX, &host) < 0)
			return 2;
		map.host_id = (uint32_t)host;
		job.uid_map = job.gid_map = &map;
		job.n_uid_map = job.n_gid_map = 1;
	}
	if (!a || image_find(s, argv[2], a, &r, &err) < 0)
		return fail(&err);
	fd = rootfs_mount(s, &job, &err);
	if (fd < 0 || rootfs_attach(fd, AT_FDCWD, argv[4], &err) < 0)
		return fail(&err);
	return 0;
}

int main(int argc, char **argv)
{
	struct image_store s = IMAGE_STORE_INIT;
	struct err err = ERR_INIT;

	if (argc == 3 && str_eq(argv[1], "-u"))
		return rootfs_detach(AT_FDCWD, argv[2], &err) < 0 ? fail(&err) : 0;
	if (argc < 5)
		return 2;
	s.fd = open(argv[str_eq(argv[1], "-t") ? 2 : 1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	uint64_t n;
	if (str_eq(argv[1], "-t"))
		return parse_u64(argv[4], 1000000, &n) < 0 ? 2 : measure(&s, argv[3], n);
	return attach(&s, argv, argc);
}
