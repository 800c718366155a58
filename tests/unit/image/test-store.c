/* SPDX-License-Identifier: Apache-2.0 */
/* The store's files, names, and the reading of archives. What needs mounts is tests/kernel/
 * images.py. */
#include "base/digest.h"
#include "base/path.h"
#include "base/str.h"
#include "image/contents.h"
#include "image/disk.h"
#include "image/load.h"
#include "image/names.h"
#include "image/record.h"
#include "image/spool.h"
#include "image/store.h"
#include "model/image.h"
#include "tarball.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ID_A "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ID_B "sha256:aaaabbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static char dir[] = "/tmp/ctrctl-images-XXXXXX";
static struct image_store store = IMAGE_STORE_INIT;
static struct arena *arena;
static struct err err;

static void setup(void)
{
	cr_assert(mkdtemp(dir));
	store.fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert_geq(store.fd, 0);
	arena = arena_new();
}

static void teardown(void)
{
	_close_ int tmp = open("/tmp", O_PATH | O_CLOEXEC);
	struct err e = ERR_INIT;

	fd_close(store.fd);
	arena_free(arena);
	cr_assert_eq(path_remove_tree(tmp, strrchr(dir, '/') + 1, &e), 0);
}

TestSuite(image_store, .init = setup, .fini = teardown);

static const char *said(void)
{
	static char line[1024];

	err_line(&err, line, sizeof(line));
	return line;
}

static int images_dir(void)
{
	int fd = FD_NONE;

	cr_assert_eq(disk_open(store.fd, "images", DISK_MAKE, &fd, &err), 0, "%s", said());
	return fd;
}

static void put(const char *path, const char *text)
{
	char full[256];

	snprintf(full, sizeof(full), "%s/%s", dir, path);
	FILE *f = fopen(full, "w");
	cr_assert(f);
	fputs(text, f);
	fclose(f);
}

/* An image as load.c leaves it, without layers. */
static void add_image(const char *id)
{
	struct ctr_image_record r = {
		.id = id, .os = "linux", .architecture = "amd64", .loaded = "now"
	};
	_close_ int fd = images_dir(), at = FD_NONE;
	_str_ struct str text = { 0 };

	image_record_write(&r, &text);
	cr_assert_eq(disk_open(fd, digest_hex(id), DISK_MAKE, &at, &err), 0);
	cr_assert_eq(disk_write(at, "record.json", text.p, text.n, &err), 0);
}

static void name(const char *id, const char *text)
{
	_close_ int fd = images_dir();

	cr_assert_eq(names_change(fd, id, &text, 1, NULL, &err), 0, "%s", said());
}

/* ---- records ---- */

Test(image_store, a_record_comes_back_as_it_was)
{
	const char *args[] = { "/bin/sh", "-c" }, *layers[] = { ID_A, ID_B };
	struct ctr_pair label = { "k", "v\n" };
	struct ctr_image_record r = { .id = ID_A,
		.manifest = ID_B,
		.architecture = "amd64",
		.os = "linux",
		.variant = "v2",
		.layers = layers,
		.n_layers = 2,
		.size = UINT64_MAX,
		.created = "c",
		.loaded = "l",
		.config = { .user = "u",
			.entrypoint = args,
			.n_entrypoint = 2,
			.labels = { &label, 1 } } };
	_str_ struct str first = { 0 }, second = { 0 };
	struct ctr_image_record again;

	image_record_write(&r, &first);
	cr_assert_eq(image_record_read(first.p, first.n, arena, &again, &err), 0, "%s", said());
	image_record_write(&again, &second);
	cr_assert_str_eq(first.p, second.p);
	cr_assert_eq(again.size, UINT64_MAX);
	cr_assert_str_eq(again.config.entrypoint[1], "-c");
	cr_assert_str_eq(again.config.labels.items[0].value, "v\n");
}

Test(image_store, records_of_others_are_refused)
{
	static const char *const bad[] = { "", "{}", "[]", "{\"version\":2,\"id\":\"" ID_A "\"}",
		"{\"version\":2,\"id\":\"" ID_A "\",\"os\":\"linux\",\"architecture\":\"x\"}",
		"{\"version\":1,\"id\":\"x\",\"os\":\"linux\",\"architecture\":\"x\"}",
		"{\"version\":1,\"id\":\"" ID_A
		"\",\"os\":\"linux\",\"architecture\":\"x\",\"more\":1}",
		"{\"version\":1,\"id\":\"" ID_A
		"\",\"os\":\"linux\",\"architecture\":\"x\",\"layers\":[\"../x\"]}" };
	struct ctr_image_record r;
	struct layer_record l;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		err = (struct err)ERR_INIT;
		cr_expect_eq(image_record_read(bad[i], strlen(bad[i]), arena, &r, &err), -1, "%s",
			bad[i]);
		cr_expect_eq(layer_record_read(bad[i], strlen(bad[i]), arena, &l, &err), -1);
	}
}

/* ---- finding ---- */

Test(image_store, an_empty_store_has_nothing)
{
	struct image_store none = IMAGE_STORE_INIT;
	struct ctr_image_record r, *list;
	const struct image_store *both[] = { &none, &store };
	size_t n;

	for (int i = 0; i < 2; i++) {
		cr_assert_eq(image_list(both[i], arena, &list, &n, &err), 0);
		cr_assert_eq(n, 0);
		cr_assert_eq(image_find(both[i], "busybox", arena, &r, &err), -1);
		cr_assert_eq(err.code, ERR_NOT_FOUND);
		cr_assert_eq(image_find(both[i], ID_A, arena, &r, &err), -1);
		cr_assert_eq(err.code, ERR_NOT_FOUND);
		cr_assert_eq(image_find(both[i], "Bad", arena, &r, &err), -1);
		cr_assert_eq(err.code, ERR_INVALID);
	}
	cr_assert_eq(faccessat(store.fd, "images", F_OK, 0), -1, "looking made a folder");
}

Test(image_store, an_image_is_found_by_every_way_of_calling_it)
{
	static const char *const ways[] = { "busybox", "busybox:latest",
		"docker.io/library/busybox", "busybox:other@" ID_B,
		"docker.io/library/busybox@" ID_B, ID_A, ID_A + 7, "sha256:aaaaaaaaa",
		"aaaaaaaaa" };
	static const char *const not [] = { "busybox:1", "example.com/busybox", "aaa", "bbbb",
		"sha256:bbbb", "busybox@" ID_A };
	struct ctr_image_record r;

	add_image(ID_A);
	add_image(ID_B);
	name(ID_A, "docker.io/library/busybox:latest");
	name(ID_A, "docker.io/library/busybox@" ID_B);
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		cr_expect_eq(
			image_find(&store, ways[i], arena, &r, &err), 0, "%s: %s", ways[i], said());
		cr_expect_str_eq(r.id, ID_A);
		cr_expect_eq(r.n_names, 1);
		cr_expect_eq(r.n_digests, 1);
	}
	for (size_t i = 0; i < ARRAY_SIZE(not ); i++) {
		cr_expect_eq(image_find(&store, not [i], arena, &r, &err), -1, "%s", not [i]);
		cr_expect_eq(err.code, ERR_NOT_FOUND, "%s: %s", not [i], said());
	}
	cr_assert_eq(image_find(&store, "aaaa", arena, &r, &err), -1);
	cr_assert(strstr(said(), "several images begin so"), "%s", said());
}

Test(image_store, a_name_goes_before_the_beginning_of_an_id)
{
	struct ctr_image_record r;

	add_image(ID_A);
	add_image(ID_B);
	name(ID_B, "docker.io/library/aaaaaa:latest");
	cr_assert_eq(image_find(&store, "aaaaaa", arena, &r, &err), 0);
	cr_assert_str_eq(r.id, ID_B);
}

Test(image_store, a_name_that_leads_nowhere_is_not_found)
{
	struct ctr_image_record r;

	name(ID_A, "docker.io/library/x:latest");
	cr_assert_eq(image_find(&store, "x", arena, &r, &err), -1);
	cr_assert_eq(err.code, ERR_NOT_FOUND);
}

Test(image_store, a_record_of_another_image_is_broken)
{
	struct ctr_image_record r;

	add_image(ID_A);
	_close_ int fd = images_dir();
	cr_assert_eq(renameat(fd, digest_hex(ID_A), fd, digest_hex(ID_B)), 0);
	cr_assert_eq(image_find(&store, ID_B, arena, &r, &err), -1);
	cr_assert(strstr(said(), "it belongs to another image"), "%s", said());
	cr_assert(strstr(err.hint, "loading the image again"));
}

Test(image_store, texts_are_there_or_null)
{
	struct ctr_image_record r = { .id = ID_A };
	const char *text = "x";

	cr_assert_eq(image_manifest_text(&store, &r, arena, &text, &err), 0);
	cr_assert_null(text);
	add_image(ID_A);
	put("images/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/config.json",
		"{}");
	cr_assert_eq(image_config_text(&store, &r, arena, &text, &err), 0);
	cr_assert_str_eq(text, "{}");
	cr_assert_eq(image_manifest_text(&store, &r, arena, &text, &err), 0);
	cr_assert_null(text);
}

/* ---- names ---- */

Test(image_store, names_move_and_go)
{
	static const char *const two[] = { "b:1", "a:1", "b:1" };
	struct ctr_map_str map;
	const char **list;
	size_t n;
	_close_ int fd = images_dir();

	cr_assert_eq(names_change(fd, ID_A, two, 3, NULL, &err), 0);
	cr_assert_eq(names_load(fd, arena, &map, &err), 0);
	cr_assert_eq(map.n, 2, "a name given twice is one name");
	cr_assert_eq(names_of(&map, ID_A, NAMES_TAGS, arena, &list, &n, &err), 0);
	cr_assert_str_eq(list[0], "a:1");
	cr_assert_str_eq(list[1], "b:1");
	cr_assert_eq(names_change(fd, ID_B, two, 1, NULL, &err), 0);
	cr_assert_eq(names_load(fd, arena, &map, &err), 0);
	cr_assert_str_eq(ctr_map_get(&map, "b:1"), ID_B);
	cr_assert_str_eq(ctr_map_get(&map, "a:1"), ID_A);
	cr_assert_eq(names_change(fd, NULL, NULL, 0, ID_A, &err), 0);
	cr_assert_eq(names_load(fd, arena, &map, &err), 0);
	cr_assert_eq(map.n, 1);
}

Test(image_store, names_that_stay_are_not_written_again)
{
	static const char *const one[] = { "a:1" };
	struct stat before, after;
	_close_ int fd = images_dir();

	cr_assert_eq(names_change(fd, ID_A, one, 1, NULL, &err), 0);
	cr_assert_eq(fstatat(fd, "names.json", &before, 0), 0);
	cr_assert_eq(names_change(fd, ID_A, one, 1, NULL, &err), 0);
	cr_assert_eq(names_change(fd, NULL, NULL, 0, ID_B, &err), 0);
	cr_assert_eq(fstatat(fd, "names.json", &after, 0), 0);
	cr_assert_eq(before.st_ino, after.st_ino);
}

/* ---- folders ---- */

static int count(int fd)
{
	_closedir_ DIR *d = fdopendir(openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	int n = 0;

	cr_assert(d);
	while (readdir(d))
		n++;
	return n - 2;
}

Test(image_store, a_temporary_folder_is_kept_or_removed)
{
	_close_ int fd = images_dir();
	struct disk_temp t = DISK_TEMP_INIT;

	disk_temp_done(&t);
	cr_assert_eq(disk_temp(fd, &t, &err), 0);
	cr_assert_eq(count(fd), 1);
	disk_temp_done(&t);
	cr_assert_eq(count(fd), 0);
	cr_assert_eq(disk_temp(fd, &t, &err), 0);
	cr_assert_eq(disk_write(t.fd, "f", "x", 1, &err), 0);
	cr_assert_eq(disk_keep(&t, "kept", &err), 1);
	disk_temp_done(&t);
	cr_assert_eq(faccessat(fd, "kept/f", F_OK, 0), 0);
	cr_assert_eq(disk_temp(fd, &t, &err), 0);
	cr_assert_eq(disk_keep(&t, "kept", &err), 0, "there is one already");
	disk_temp_done(&t);
	cr_assert_eq(disk_remove(fd, "kept", &err), 0);
	cr_assert_eq(disk_remove(fd, "kept", &err), 0, "absent is success");
	cr_assert_eq(count(fd), 0);
}

Test(image_store, only_dead_makers_folders_are_swept)
{
	_close_ int fd = images_dir();
	struct disk_temp t = DISK_TEMP_INIT;

	cr_assert_eq(mkdirat(fd, "tmp-dead", 0700), 0);
	cr_assert_eq(mkdirat(fd, "other", 0700), 0);
	cr_assert_eq(disk_temp(fd, &t, &err), 0);
	cr_assert_eq(disk_sweep(fd, &err), 0);
	cr_assert_eq(faccessat(fd, "tmp-dead", F_OK, 0), -1);
	cr_assert_eq(faccessat(fd, t.name, F_OK, 0), 0);
	cr_assert_eq(count(fd), 2);
	disk_temp_done(&t);
}

Test(image_store, files_are_written_once_and_replaced_whole)
{
	_close_ int fd = images_dir();
	_free_ char *text = NULL;
	size_t n;

	cr_assert_eq(disk_write(fd, "f", "one", 3, &err), 0);
	cr_assert_eq(disk_write(fd, "f", "two", 3, &err), -1);
	cr_assert_eq(disk_replace(fd, "f", "three", 5, &err), 0);
	cr_assert_eq(file_read(fd, "f", 100, &text, &n, &err), 0);
	cr_assert_str_eq(text, "three");
	cr_assert_eq(count(fd), 1);
}

Test(image_store, shared_locks_go_together_and_end_with_their_fd)
{
	int a = FD_NONE, b = FD_NONE, c = FD_NONE;

	cr_assert_eq(image_store_lock(&store, IMAGE_LOCK_SHARED, &a, &err), 0);
	cr_assert_eq(image_store_lock(&store, IMAGE_LOCK_SHARED, &b, &err), 0);
	c = openat(store.fd, "images/lock", O_RDWR | O_CLOEXEC);
	cr_assert_eq(flock(c, LOCK_EX | LOCK_NB), -1);
	fd_close(a);
	fd_close(b);
	fd_close(c);
	cr_assert_eq(image_store_lock(&store, IMAGE_LOCK_EXCLUSIVE, &c, &err), 0);
	fd_close(c);
}

/* ---- layers ---- */

static void add_layer(const char *hex)
{
	char path[256];

	cr_assert(mkdirat(store.fd, "layers", 0700) == 0 || errno == EEXIST);
	snprintf(path, sizeof(path), "layers/%s", hex);
	cr_assert_eq(mkdirat(store.fd, path, 0700), 0);
}

Test(image_store, removing_takes_names_and_layers_that_nobody_needs)
{
	const char *shared[] = { ID_B };
	struct ctr_image_record r = {
		.id = ID_B, .os = "linux", .architecture = "amd64", .layers = shared, .n_layers = 1
	};
	_str_ struct str text = { 0 };
	_close_ int fd = images_dir(), at = FD_NONE;

	add_image(ID_A);
	image_record_write(&r, &text);
	cr_assert_eq(disk_open(fd, digest_hex(ID_B), DISK_MAKE, &at, &err), 0);
	cr_assert_eq(disk_write(at, "record.json", text.p, text.n, &err), 0);
	name(ID_A, "a:1");
	add_layer(digest_hex(ID_A));
	add_layer(digest_hex(ID_B));
	add_layer("empty");
	cr_assert_eq(image_find(&store, ID_A, arena, &r, &err), 0);
	cr_assert_eq(image_remove(&store, &r, &err), 0, "%s", said());
	cr_assert_eq(
		faccessat(store.fd,
			"layers/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
			F_OK, 0),
		-1);
	cr_assert_eq(
		faccessat(store.fd,
			"layers/aaaabbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
			F_OK, 0),
		0);
	cr_assert_eq(faccessat(store.fd, "layers/empty", F_OK, 0), 0);
	cr_assert_eq(image_find(&store, ID_A, arena, &r, &err), -1);
}

/* ---- contents of a tar ---- */

static int tar_fd(const struct tarball *t)
{
	int fd = openat(store.fd, "t", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	cr_assert_geq(fd, 0);
	cr_assert_eq(fd_write_all(fd, t->bytes.p, t->bytes.n), 0);
	return fd;
}

static int read_contents(const struct tarball *t, struct contents *ret)
{
	_close_ int fd = tar_fd(t);

	err = (struct err)ERR_INIT;
	cr_assert_eq(contents_is_tar(fd, &err), 1);
	return contents_read(fd, arena, ret, &err);
}

Test(image_store, files_of_a_tar_are_found_by_clean_names)
{
	_tarball_ struct tarball t = { 0 };
	struct contents c;
	char longer[300];

	memset(longer, 'n', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	tarball_file(&t, "./a/./b", "text");
	tarball_add(&t, '5', "dir/", NULL);
	tarball_add(&t, '2', "x/link", "../a/b");
	tarball_add(&t, '1', "hard", "a/b");
	tarball_add(&t, '2', "abs", "/x/link");
	tarball_add(&t, '2', "loop", "loop");
	tarball_add(&t, '2', "out", "../../../etc/passwd");
	tarball_pax(&t, 'g', "comment", "c", 1);
	tarball_pax(&t, 'x', "path", longer, sizeof(longer) - 1);
	tarball_file(&t, "short", "long");
	tarball_end(&t);
	cr_assert_eq(read_contents(&t, &c), 0, "%s", said());
	cr_assert_eq(contents_find(&c, "a/b", arena)->size, 4);
	cr_assert_eq(contents_find(&c, "a/b", arena)->offset, 512);
	for (const char *const *n =
			(const char *const[]){ "/x/../a/b", "x/link", "hard", "abs", NULL };
		*n; n++)
		cr_expect_eq(
			contents_find(&c, *n, arena), contents_find(&c, "a/b", arena), "%s", *n);
	for (const char *const *n = (const char *const[]){ "loop", "out", "dir", "none", "short",
		     "/etc/passwd", NULL };
		*n; n++)
		cr_expect_null(contents_find(&c, *n, arena), "%s", *n);
	cr_assert_eq(contents_find(&c, longer, arena)->size, 4);
}

Test(image_store, a_tar_that_is_broken_is_refused)
{
	static const struct {
		const char *why;
		struct tar_head head;
		const char *key, *value;
	} bad[] = {
		{ "it is cut off", { .type = '0', .name = "f", .size = 4096 }, NULL, NULL },
		{ "sparse files", { .type = 'S', .name = "f" }, NULL, NULL },
		{ "sparse files", { .type = '0', .name = "f" }, "GNU.sparse.major", "1" },
		{ "isn't a number", { .type = '0', .name = "f" }, "size", "12x" },
		{ "it is cut off", { .type = '0', .name = "f" }, "size", "99999" },
		{ "more than 1 MiB", { .type = 'x', .name = "f", .size = 2 << 20 }, NULL, NULL },
		{ "more than 1 MiB", { .type = 'L', .name = "f", .size = 2 << 20 }, NULL, NULL },
	};
	static const char zeros[3 << 20];

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_tarball_ struct tarball t = { 0 };
		struct contents c;

		if (bad[i].key)
			tarball_pax(&t, 'x', bad[i].key, bad[i].value, strlen(bad[i].value));
		tarball_head(&t, &bad[i].head);
		if (bad[i].head.size > 1 << 20)
			tarball_data(&t, zeros, sizeof(zeros));
		cr_expect_eq(read_contents(&t, &c), -1, "%zu", i);
		cr_expect(strstr(said(), bad[i].why), "%zu: %s", i, said());
	}
}

Test(image_store, a_tar_cut_anywhere_never_reads_beyond_its_end)
{
	_tarball_ struct tarball t = { 0 };
	struct contents c;

	tarball_pax(&t, 'x', "path", "abc", 3);
	tarball_file(&t, "f", "text");
	tarball_file(&t, "g", "text");
	for (size_t n = 512; n <= t.bytes.n; n += 37) {
		struct tarball part = { .bytes = { .p = t.bytes.p, .n = n } };
		int r = read_contents(&part, &c);

		for (size_t i = 0; r == 0 && i < c.n; i++)
			cr_expect_leq(c.entries[i].offset + c.entries[i].size, n);
	}
}

Test(image_store, two_files_of_one_name_are_refused)
{
	_tarball_ struct tarball t = { 0 };
	struct contents c;

	tarball_file(&t, "f", "1");
	tarball_file(&t, "./f", "2");
	cr_assert_eq(read_contents(&t, &c), -1);
	cr_assert(strstr(said(), "two files called /f"), "%s", said());
}

/* ---- names of files ---- */

Test(image_store, a_bare_tag_takes_the_name_of_its_file)
{
	static const struct {
		const char *path, *name;
	} rows[] = {
		{ "/x/web.tar", "docker.io/library/web:v1" },
		{ "web.tar.gz", "docker.io/library/web:v1" },
		{ "Web App_2.oci.tar.zst", "docker.io/library/web-app-2:v1" },
		{ "dir//", "docker.io/library/dir:v1" },
		{ "-x-.tgz", "docker.io/library/x:v1" },
	};
	const char *name_;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cr_expect_eq(
			load_name_of_tag(rows[i].path, "v1", arena, &name_, &err), 0, "%s", said());
		cr_expect_str_eq(name_, rows[i].name);
	}
	cr_assert_eq(load_name_of_tag("-", "v1", arena, &name_, &err), -1);
	cr_assert_eq(load_name_of_tag("/...", "v1", arena, &name_, &err), -1);
	cr_assert(strstr(err.hint, "--name"));
}

Test(image_store, what_is_compressed_is_told_by_its_bytes)
{
	cr_assert(spool_is_compressed((const unsigned char *)"\x1f\x8b", 2));
	cr_assert(spool_is_compressed((const unsigned char *)"\x28\xb5\x2f\xfd", 4));
	cr_assert(!spool_is_compressed((const unsigned char *)"\x28\xb5\x2f", 3));
	cr_assert(!spool_is_compressed((const unsigned char *)"\x1f", 1));
	cr_assert(!spool_is_compressed((const unsigned char *)"blobs/", 6));
}

Test(image_store, a_copy_ends_at_its_limit)
{
	_close_ int in = openat(store.fd, "in", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	_close_ int out = openat(store.fd, "out", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	cr_assert_eq(pwrite(in, "0123456789", 10, 0), 10);
	cr_assert_eq(spool(in, out, 10, &err), 0);
	cr_assert_eq(lseek(in, 0, SEEK_SET), 0);
	cr_assert_eq(spool(in, out, 9, &err), -1);
	cr_assert_eq(err.code, ERR_EXHAUSTED);
}
