#include "config.h"

#include "common/base/normal.h"

#include <assert.h>

/*
 * Tables at the quarters, and between them, at most an eighth away, Taylor's series:
 * the term of order n + 1 follows from the two before by the recurrence of the
 * derivatives, phi^(n+1)(z) = -z phi^(n)(z) - n phi^(n-1)(z). What is left out is
 * below 2^-37.
 */

#define ONE ((int64_t)NORMAL_ONE)
#define QUARTERS 25 /* the last row: 6.25 */
#define TERMS 8

static const uint32_t cdf[QUARTERS + 1] = {
	536870912, 642856022, 742452164, 830402557, 903387042, 960301243, 1002008138,
	1030728632, 1049314056, 1060615896, 1067074247, 1070542328, 1072292382, 1073122248,
	1073492040, 1073646887, 1073707817, 1073730347, 1073738176, 1073740732, 1073741516,
	1073741742, 1073741804, 1073741819, 1073741823, 1073741824,
};

static const uint32_t density[QUARTERS + 1] = {
	428361012, 415181729, 378027266, 323343856, 259814087, 196117962, 139068459, 92639566,
	57972359, 34080192, 18820869, 9764138, 4758661, 2178674, 937036, 378597, 143699, 51237,
	17162, 5400, 1596, 443, 116, 28, 7, 1,
};

/* Both are at most ONE in size. */
static int64_t
times(int64_t a, int64_t b)
{
	return a * b / ONE;
}

/* Phi(z) of 0 <= z <= 6.25, all in units of 1 / ONE. */
static int64_t
upper(int64_t z)
{
	int64_t row = (4 * z + ONE / 2) / ONE;
	int64_t d = z - row * (ONE / 4);
	int64_t zd = row * d / 4, dd = times(d, d); /* zd: at most 0.79 */
	int64_t before = 0, term = density[row], sum = cdf[row];

	for (int64_t n = 0; n < TERMS; n++) {
		int64_t next = -(times(zd, term) + times(dd, before)) / (n + 1);

		sum += times(term, d) / (n + 1);
		before = term;
		term = next;
	}
	return sum < ONE ? sum : ONE;
}

uint32_t
normal_cdf(int64_t x, int64_t mean, uint32_t deviation)
{
	int64_t far = x > mean ? x - mean : mean - x, v;

	assert(deviation > 0 && deviation <= 1000000000);
	if (far >= (int64_t)QUARTERS * deviation / 4)
		v = ONE;
	else
		v = upper(far * ONE / deviation);
	return (uint32_t)(x > mean ? v : ONE - v);
}
