/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a fuzz target over the files of the folders that are named: the corpus as an ordinary test.
 */
#include "base/fd.h"

#include <fcntl.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { FILE_MAX = 1 << 20 };

static int replay_folder(const char *path, size_t *count, struct err *err)
{
	_closedir_ DIR *dir = opendir(path);
	struct dirent *e;

	if (!dir)
		return err_sys(err, errno, "opendir", "%s", path);
	while ((e = readdir(dir))) {
		_free_ char *text = NULL;
		size_t n;
		if (e->d_name[0] == '.')
			continue;
		if (file_read(dirfd(dir), e->d_name, FILE_MAX, &text, &n, err) < 0)
			return -1;
		/* Exactly n bytes, so that a sanitizer sees a step beyond them. */
		_free_ uint8_t *exact = malloc(n ? n : 1);
		if (!exact)
			return err_set(err, ERR_EXHAUSTED, NULL, "out of memory");
		memcpy(exact, text, n);
		LLVMFuzzerTestOneInput(exact, n);
		++*count;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct err err = ERR_INIT;
	char line[1024];
	size_t count = 0;

	printf("1..1\n");
	for (int i = 1; i < argc; i++)
		if (replay_folder(argv[i], &count, &err) < 0) {
			err_line(&err, line, sizeof(line));
			printf("not ok 1 - %s\n", line);
			return 1;
		}
	printf("%s 1 - %zu inputs\n", count ? "ok" : "not ok", count);
	return !count;
}
