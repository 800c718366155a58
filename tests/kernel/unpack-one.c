/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One layer into one folder, for tests.
 *
 * usage: unpack-one [-m] [-d DIGEST] [-i DIFFID] [-s SIZE] [-b BYTES] [-e ENTRIES] [-p] BLOB FOLDER
 *
 *   -m  in this process, without confinement or digests
 *   -p  prints progress: "DIGEST DONE TOTAL"
 *
 * Prints the unpacked bytes and exits with 0, or the error's code and line, and 1.
 */
#include "base/fd.h"
#include "image/unpack.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static void print_progress(void *arg, const char *digest, uint64_t done, uint64_t total)
{
	printf("%s %llu %llu\n", digest, (unsigned long long)done, (unsigned long long)total);
}

static const struct ctr_progress progress = { .fn = print_progress };

static int usage(void)
{
	fprintf(stderr, "unpack-one: see its source\n");
	return 2;
}

static int from_memory(const struct unpack_job *job, struct err *err)
{
	_free_ char *text = NULL;
	size_t n;

	if (fd_read_all(job->blob_fd, SIZE_MAX / 2, &text, &n) < 0)
		return err_sys(err, errno, "read", "the blob");
	return unpack_memory(text, n, job->root_fd, job->limits, err);
}

int main(int argc, char **argv)
{
	struct unpack_limits limits = { 0 };
	struct unpack_job job = { .size = UINT64_MAX, .diff_id = "sha256:", .limits = &limits };
	bool memory = false;
	uint64_t bytes = 0;
	struct err err = ERR_INIT;
	char line[2048];
	int c;

	while ((c = getopt(argc, argv, "md:i:s:b:e:p")) != -1) {
		if (c == 'm')
			memory = true;
		else if (c == 'd')
			job.digest = optarg;
		else if (c == 'i')
			job.diff_id = optarg;
		else if (c == 'p')
			job.progress = &progress;
		else if (!strchr("sbe", c) || parse_u64(optarg, UINT64_MAX,
						      c == 's'   ? &job.size
						      : c == 'b' ? &limits.bytes
								 : &limits.entries) < 0)
			return usage();
	}
	if (argc - optind != 2)
		return usage();
	job.blob_fd = open(argv[optind], O_RDONLY | O_CLOEXEC);
	job.root_fd = open(argv[optind + 1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (job.blob_fd < 0 || job.root_fd < 0)
		return usage();
	if ((memory ? from_memory(&job, &err) : unpack_layer(&job, &bytes, &err)) == 0) {
		printf("%llu\n", (unsigned long long)bytes);
		return 0;
	}
	err_line(&err, line, sizeof(line));
	printf("%s: %s\n", err_code_name(err.code), line);
	if (*err.hint)
		printf("hint: %s\n", err.hint);
	return 1;
}
