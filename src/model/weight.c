/* SPDX-License-Identifier: Apache-2.0 */
#include "model/weight.h"

#define LN_2  0.693147180559945309417
#define LN_10 2.302585092994045684018

/* log2 of v >= 1 and 10 to the power of x in 0..5, to some 1e-14. libm has both, but would be one
 * more library to load at each start of ctrctl, for a single number. */
static double log2_of(uint64_t v)
{
	int whole = 63 - __builtin_clzll(v);
	double m = (double)v / (double)(UINT64_C(1) << whole), t = (m - 1) / (m + 1), sum = 0,
	       power = t;

	for (int k = 1; k < 40; k += 2, power *= t * t)
		sum += power / k;
	return whole + 2 * sum / LN_2;
}

static double exp10_of(double x)
{
	double y = x * LN_10, term = 1, sum = 1;
	int whole = (int)(y / LN_2);

	y -= whole * LN_2;
	for (int k = 1; k < 24; k++) {
		term *= y / k;
		sum += term;
	}
	return sum * (double)(UINT64_C(1) << whole);
}

uint64_t cpu_weight(uint64_t shares)
{
	if (shares == 0)
		return 0;
	if (shares <= 2)
		return 1;
	if (shares >= 262144)
		return 10000;
	/* A quadratic in log2 through (2, 1), (1024, 100), (262144, 10000), rounded up. */
	double l = log2_of(shares), w = exp10_of((l * l + 125 * l) / 612 - 7.0 / 34);
	uint64_t down = (uint64_t)w;
	return w - (double)down > 1e-9 ? down + 1 : down;
}
