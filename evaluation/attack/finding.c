#include "config.h"

#include "evaluation/attack/finding.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *
finding_value(char out[static FINDING_VALUE_BYTES], const struct attack_value *v)
{
	if (!v->known)
		(void)snprintf(out, FINDING_VALUE_BYTES, "not known");
	else if (!v->has_interval || v->low >= v->high)
		(void)snprintf(out, FINDING_VALUE_BYTES, "%.4g", v->value);
	else
		(void)snprintf(out, FINDING_VALUE_BYTES, "%.3g (%.3g to %.3g)", v->value, v->low,
		    v->high);
	return out;
}

const char *
finding_against(char out[static FINDING_VALUE_BYTES], const struct attack_value *v, double chance)
{
	const char *how = "which cannot be told from chance";

	if (!v->known || !v->has_interval)
		how = "of too few observations to set it against chance";
	else if (v->low > chance)
		how = "which is more than chance";
	else if (v->high < chance)
		how = "which is less than chance";
	(void)snprintf(out, FINDING_VALUE_BYTES, "%s (%.3g)", how, chance);
	return out;
}

const struct attack_figure *
finding_figure(const struct attack_result *r, const char *name)
{
	for (size_t i = 0; i < r->figure_count; i++)
		if (strcmp(r->figures[i].name, name) == 0)
			return &r->figures[i];
	return NULL;
}

void
finding_add(struct attack_result *r, const char *format, ...)
{
	size_t used = strlen(r->finding);
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(r->finding + used, sizeof(r->finding) - used, format, ap);
	va_end(ap);
}
