#include "config.h"

#include "tests/unit/mix/mix_test.h"

#include "tests/lib/test.h"

#define FILE_MAX (1u << 24)

void
stand_up(struct stand *s, int64_t wall_ms)
{
	const struct world_config cfg = { .seed = test_seed(), .wall_ms = wall_ms };

	*s = (struct stand){ 0 };
	assert_err_ok(world_new(&s->world, &cfg));
	assert_err_ok(world_host_new(&s->host, s->world));
	s->loop = world_loop(s->host);
	s->under = disk_memory();
	assert_non_null(s->under);
	stand_again(s);
}

void
stand_down(struct stand *s)
{
	stand_crash(s);
	disk_free(s->under);
	world_free(s->world);
}

void
stand_run(struct stand *s, int64_t ms)
{
	assert_err_ok(world_run_for(s->world, ms));
}

void
stand_crash(struct stand *s)
{
	if (s->queue != NULL)
		workq_free(s->queue);
	s->queue = NULL;
	disk_free(s->disk);
	s->disk = NULL;
}

void
stand_again(struct stand *s)
{
	s->plan = (struct disk_fault){ 0 };
	s->disk = disk_fault_new(s->under, &s->plan);
	s->queue = workq_new(s->loop, 1);
	assert_non_null(s->disk);
	assert_non_null(s->queue);
}

void
stand_read(struct stand *s, struct buf *out, const char *name)
{
	buf_init(out);
	assert_err_ok(disk_read(s->under, out, name, FILE_MAX));
}

void
stand_write(struct stand *s, const char *name, const void *p, size_t n)
{
	assert_err_ok(disk_replace(s->under, name, p, n));
}

bool
stand_has(struct stand *s, const char *name)
{
	struct buf b;
	enum err e;

	buf_init(&b);
	e = disk_read(s->under, &b, name, FILE_MAX);
	buf_release(&b);
	return e == ERR_OK;
}

void
outcome_done(void *arg, enum err e)
{
	struct outcome *o = arg;

	o->calls++;
	o->err = e;
}
