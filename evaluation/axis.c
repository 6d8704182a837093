#include "config.h"

#include "evaluation/axis.h"

#include <math.h>
#include <stddef.h>

void
axis_widen(struct axis *a, double v)
{
	a->low = !a->any || v < a->low ? v : a->low;
	a->high = !a->any || v > a->high ? v : a->high;
	a->any = true;
}

static double
nice_step(double wanted)
{
	static const double steps[] = { 1, 2, 5, 10 };
	double unit = pow(10, floor(log10(wanted)));
	size_t i = 0;

	while (i < 3 && steps[i] * unit < wanted)
		i++;
	return steps[i] * unit;
}

void
axis_round(struct axis *a, unsigned ticks)
{
	if (a->high - a->low < 1e-9 * (1 + fabs(a->high))) {
		a->low -= 0.5;
		a->high += 0.5;
	}
	a->step = nice_step((a->high - a->low) / ticks);
	if (a->log && a->step < 1)
		a->step = 1;
	a->low = floor(a->low / a->step + 1e-9) * a->step;
	a->high = ceil(a->high / a->step - 1e-9) * a->step;
}
