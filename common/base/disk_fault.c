#include "config.h"

#include "common/base/disk_fault.h"

#include <stdlib.h>

struct faulty {
	struct disk *under;
	struct disk_fault *plan;
};

enum verdict { PASS, FAIL_FIRST, FAIL };

static enum verdict
judge(struct disk_fault *p, bool is_write)
{
	bool counted = is_write || !p->writes_only;
	enum verdict v = PASS;

	if (counted)
		p->count++;
	if (p->at != 0 && counted && p->count == p->at)
		v = FAIL_FIRST;
	else if (p->at != 0 && p->forever && p->count >= p->at)
		v = FAIL;
	p->failed += v != PASS;
	return v;
}

/* Whether an operation that is to fail shall take effect all the same. */
static bool
is_done(const struct disk_fault *p, enum verdict v)
{
	return v == FAIL_FIRST && p->effect == DISK_FAULT_DONE;
}

static enum err
answer(const struct disk_fault *p, enum verdict v, enum err e)
{
	return v == PASS ? e : p->err;
}

static enum err
fault_read(void *ctx, struct buf *out, const char *name, size_t max)
{
	struct faulty *f = ctx;

	if (judge(f->plan, false) != PASS)
		return f->plan->err;
	return disk_read(f->under, out, name, max);
}

static enum err
fault_replace(void *ctx, const char *name, const void *p, size_t n)
{
	struct faulty *f = ctx;
	enum verdict v = judge(f->plan, true);
	enum err e = ERR_OK;

	if (v == PASS || is_done(f->plan, v))
		e = disk_replace(f->under, name, p, n);
	return answer(f->plan, v, e);
}

static enum err
fault_append(void *ctx, const char *name, const void *p, size_t n)
{
	struct faulty *f = ctx;
	enum verdict v = judge(f->plan, true);
	enum err e = ERR_OK;

	if (v == FAIL_FIRST && f->plan->effect == DISK_FAULT_TORN && f->plan->keep > 0)
		e = disk_append(f->under, name, p, f->plan->keep < n ? f->plan->keep : n);
	else if (v == PASS || is_done(f->plan, v))
		e = disk_append(f->under, name, p, n);
	return answer(f->plan, v, e);
}

static enum err
fault_truncate(void *ctx, const char *name, size_t n)
{
	struct faulty *f = ctx;
	enum verdict v = judge(f->plan, true);
	enum err e = ERR_OK;

	if (v == PASS || is_done(f->plan, v))
		e = disk_truncate(f->under, name, n);
	return answer(f->plan, v, e);
}

static enum err
fault_remove(void *ctx, const char *name)
{
	struct faulty *f = ctx;
	enum verdict v = judge(f->plan, true);
	enum err e = ERR_OK;

	if (v == PASS || is_done(f->plan, v))
		e = disk_remove(f->under, name);
	return answer(f->plan, v, e);
}

static enum err
fault_list(void *ctx, int (*each)(void *arg, const char *name), void *arg)
{
	struct faulty *f = ctx;

	if (judge(f->plan, false) != PASS)
		return f->plan->err;
	return disk_list(f->under, each, arg);
}

struct disk *
disk_fault_new(struct disk *under, struct disk_fault *plan)
{
	static const struct disk_ops ops = {
	    .read = fault_read,
	    .replace = fault_replace,
	    .append = fault_append,
	    .truncate = fault_truncate,
	    .remove = fault_remove,
	    .list = fault_list,
	    .free = free,
	};
	struct faulty *f = malloc(sizeof(*f));

	if (f == NULL)
		return NULL;
	f->under = under;
	f->plan = plan;
	return disk_new(&ops, f);
}
