/* SPDX-License-Identifier: Apache-2.0 */
#include "base/proc.h"

#include "base/fd.h"

#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int proc_stat_parse(const char *text, struct proc_stat *ret)
{
	/* The name in field 2 may hold anything, ") R 1" included: the last ")" ends it. */
	const char *p = strrchr(text, ')');
	uint64_t value;
	int field = 3;
	struct proc_stat st = { 0 };

	if (!p || p[1] != ' ' || !p[2] || p[3] != ' ')
		return -1;
	const char *name = strchr(text, '(');
	size_t n_name = name && name < p ? MIN((size_t)(p - name - 1), sizeof(st.comm) - 1) : 0;
	memcpy(st.comm, name ? name + 1 : "", n_name);
	st.state = p[2];
	p += 3;
	for (field = 4; field <= 22; field++) {
		char word[24];
		size_t n = strcspn(++p, " \n");
		if (n == 0 || n >= sizeof(word))
			return -1;
		memcpy(word, p, n);
		word[n] = 0;
		if ((field == 4 || field == 22) && parse_u64(word, UINT64_MAX, &value) < 0)
			return -1;
		if (field == 4)
			st.parent = (pid_t)value;
		if (field == 22)
			st.start_time = value;
		p += n;
		if (*p != ' ' && field != 22)
			return -1;
	}
	*ret = st;
	return 0;
}

int proc_stat(pid_t pid, struct proc_stat *ret, struct err *err)
{
	char path[32], text[1024];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
	_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(err, errno, "open", "%s", path);
	n = read(fd, text, sizeof(text) - 1);
	if (n < 0)
		return errno == ESRCH ? 0 : err_sys(err, errno, "read", "%s", path);
	text[n] = 0;
	if (proc_stat_parse(text, ret) < 0)
		return err_set(err, ERR_INTERNAL, path, "isn't in the form that proc(5) gives");
	return 1;
}

int proc_is_alive(pid_t pid, uint64_t start_time, struct err *err)
{
	struct proc_stat st;
	int r = pid > 0 ? proc_stat(pid, &st, err) : 0;

	if (r <= 0)
		return r;
	return st.start_time == start_time && st.state != 'Z' && st.state != 'X' && st.state != 'x';
}

/* A process lives in one boot: read once. */
int proc_boot_id(char buf[PROC_BOOT_ID_MAX], struct err *err)
{
	static const char path[] = "/proc/sys/kernel/random/boot_id";
	static char known[PROC_BOOT_ID_MAX];

	if (*known) {
		memcpy(buf, known, sizeof(known));
		return 0;
	}
	_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return err_sys(err, errno, "open", "%s", path);
	n = read(fd, buf, PROC_BOOT_ID_MAX - 1);
	if (n < 0)
		return err_sys(err, errno, "read", "%s", path);
	buf[n] = 0;
	buf[strcspn(buf, "\n")] = 0;
	snprintf(known, sizeof(known), "%s", buf);
	return 0;
}

/*
 * Not by gmtime_r, which reads /etc/localtime. Days are counted from the first of March of year 0,
 * so that a leap day is the last of its year and of its 400 years.
 */
const char *proc_time(uint64_t sec, uint32_t nsec, char buf[PROC_TIME_MAX])
{
	const uint64_t in_400 = 146097, in_100 = 36524, in_4 = 1461;
	uint64_t day = sec / 86400 + 719468, year, month;
	unsigned second = sec % 86400;

	year = day / in_400 * 400;
	day %= in_400;
	uint64_t centuries = MIN(day / in_100, UINT64_C(3));
	day -= centuries * in_100;
	year += centuries * 100 + day / in_4 * 4;
	day %= in_4;
	uint64_t years = MIN(day / 365, UINT64_C(3));
	day -= years * 365;
	year += years;
	month = (5 * day + 2) / 153; /* from March: 31, 30, 31, 30, 31 days, and again */
	day -= (153 * month + 2) / 5;
	month = month < 10 ? month + 3 : month - 9;
	snprintf(buf, PROC_TIME_MAX, "%04llu-%02u-%02uT%02u:%02u:%02u.%09uZ",
		(unsigned long long)(year + (month <= 2)), (unsigned)month, (unsigned)day + 1,
		second / 3600, second / 60 % 60, second % 60, nsec % 1000000000U);
	return buf;
}

const char *proc_now(char buf[PROC_TIME_MAX])
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return proc_time((uint64_t)now.tv_sec, (uint32_t)now.tv_nsec, buf);
}
