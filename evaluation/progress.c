#include "config.h"

#include "evaluation/progress.h"

void
progress_show(void *arg, double share)
{
	struct progress *p = arg;
	int percent = (int)(share * 100);

	if (percent <= p->shown)
		return;
	p->shown = percent;
	(void)fprintf(p->out, "\r%3d %%%s", percent, percent >= 100 ? "\n" : "");
	(void)fflush(p->out);
}
