#include "config.h"

#include "tests/soak/weather.h"

#include "tests/lib/test.h"
#include "tests/soak/echo.h"

#define SECOND_MS 1000
#define ECHO_USUAL 16 /* one packet in so many is repeated, always */
#define ECHO_LOUD 2

/* Whom it strikes; one of node and person. */
struct victim {
	struct fixture_node *node;
	struct person *person;
	struct world_host *host;
	struct fixture_disk *disk;
};

static const struct rng *
dice(struct weather *w)
{
	return world_rng(w->town->f.world);
}

/* From a second to most, short ones oftener: each doubling is as likely as another. */
static int64_t
some_time(struct weather *w, int64_t most_ms)
{
	int64_t ms = most_ms;

	while (ms > 2 * SECOND_MS && rng_below(dice(w), 3) != 0)
		ms /= 2;
	return rng_between(dice(w), ms / 2, ms);
}

/* ---- whom ---- */

static bool
has_ailment(const struct weather *w, const struct victim *v, enum weather_kind kind)
{
	for (size_t i = 0; i < w->count; i++)
		if (w->ailments[i].kind == kind && w->ailments[i].node == v->node &&
		    w->ailments[i].person == v->person)
			return true;
	return false;
}

static bool
spared(const struct weather *w, const struct victim *v)
{
	return has_ailment(w, v, WEATHER_SLEEP) || has_ailment(w, v, WEATHER_OUTAGE) ||
	    has_ailment(w, v, WEATHER_CLIENT_OFF);
}

/* A node that runs; false if the lot falls on one that does not. */
static bool
any_node(struct weather *w, struct victim *v)
{
	struct town *t = w->town;
	size_t i = rng_below(dice(w), (uint32_t)t->f.node_count);
	struct fixture_node *n = &t->f.nodes[i];

	*v = (struct victim){.node = n, .host = n->host, .disk = &n->disk};
	return fixture_runs(n) && !t->retired[i] && !spared(w, v);
}

static bool
any_person(struct weather *w, struct victim *v)
{
	struct town *t = w->town;
	uint32_t i = rng_below(dice(w), (uint32_t)(2 * t->pair_count));
	struct person *p = &t->pairs[i / 2].people[i % 2];

	*v = (struct victim){.person = p, .host = p->host, .disk = &p->disk};
	return person_runs(p) && !town_is_fragile(t, p) && !spared(w, v);
}

static bool
anybody(struct weather *w, struct victim *v)
{
	return rng_below(dice(w), 3) == 0 ? any_person(w, v) : any_node(w, v);
}

static unsigned
number_of(const struct victim *v)
{
	return world_host_number(v->host);
}

/* ---- ailments ---- */

/* NULL: there are too many, or the victim has this one. */
static struct ailment *
ail(struct weather *w, const struct victim *v, enum weather_kind kind, int64_t for_ms)
{
	struct ailment *a = &w->ailments[w->count];

	if (w->count == WEATHER_AILMENTS || has_ailment(w, v, kind))
		return NULL;
	*a = (struct ailment){.kind = kind, .node = v->node, .person = v->person,
	    .until_ms = town_now(w->town) + for_ms};
	w->count++;
	return a;
}

static struct world_host *
host_of(const struct ailment *a)
{
	return a->node != NULL ? a->node->host : a->person->host;
}

static void
start_node(struct fixture_node *n)
{
	if (!fixture_runs(n))
		fixture_start(n);
}

static void
put_back(struct ailment *a)
{
	fixture_kill(a->node, -1);
	fixture_restore(a->node, a->backup);
	disk_free(a->backup);
	fixture_start(a->node);
}

static void
cure(struct weather *w, struct ailment *a)
{
	static const struct world_line out = {.delay_us = 5000, .spread_us = 20000},
	    in = {.delay_us = 5000};

	switch (a->kind) {
	case WEATHER_OUTAGE:
		start_node(a->node);
		break;
	case WEATHER_CLIENT_OFF:
		if (!person_runs(a->person))
			person_start(a->person);
		break;
	case WEATHER_DISK_FULL:
		fixture_disk_fill(a->node != NULL ? &a->node->disk : &a->person->disk, false);
		break;
	case WEATHER_CUT:
		world_join(host_of(a), a->other);
		break;
	case WEATHER_REFUSE:
		world_refuse(host_of(a), false);
		break;
	case WEATHER_BAD_LINE:
		world_set_lines(host_of(a), &out, &in);
		break;
	case WEATHER_SKEW:
	case WEATHER_JUMP:
		world_set_clock(host_of(a), -a->delta_ms);
		break;
	case WEATHER_OLD_DISK:
		put_back(a);
		break;
	case WEATHER_ECHO:
		echo_rate(ECHO_USUAL);
		break;
	case WEATHER_SLEEP: /* wakes by itself */
	case WEATHER_KILL:
	case WEATHER_KILL_WRITE:
	case WEATHER_UNPLUG:
	case WEATHER_CLIENT_KILL:
	case WEATHER_CLIENT_KILL_WRITE:
	case WEATHER_BREAK:
	case WEATHER_CHARTER:
	case WEATHER_NEWCOMERS:
		break;
	}
	diary_note(w->town->diary, town_now(w->town), "over: %s", weather_name(a->kind));
}

void
weather_pass(struct weather *w)
{
	for (size_t i = 0; i < w->count;) {
		struct ailment a = w->ailments[i];

		if (a.until_ms > town_now(w->town)) {
			i++;
			continue;
		}
		w->ailments[i] = w->ailments[--w->count];
		cure(w, &a);
	}
}

/* ---- deaths ---- */

static bool
strike_kill(struct weather *w, struct victim *v)
{
	if (!any_node(w, v))
		return false;
	fixture_kill(v->node, some_time(w, 5 * MINUTE_MS));
	return true;
}

static bool
strike_kill_write(struct weather *w, struct victim *v)
{
	if (!any_node(w, v) || v->disk->full)
		return false;
	fixture_kill_in_write(v->node, 1 + rng_below(dice(w), 12), some_time(w, 2 * MINUTE_MS));
	return true;
}

static bool
strike_unplug(struct weather *w, struct victim *v)
{
	if (!any_node(w, v))
		return false;
	fixture_unplug(v->node, some_time(w, 10 * MINUTE_MS));
	return true;
}

static bool
strike_outage(struct weather *w, struct victim *v)
{
	if (!any_node(w, v) || ail(w, v, WEATHER_OUTAGE, some_time(w, 3 * HOUR_MS)) == NULL)
		return false;
	fixture_kill(v->node, -1);
	return true;
}

static bool
strike_client_kill(struct weather *w, struct victim *v)
{
	if (!any_person(w, v))
		return false;
	person_kill(v->person, some_time(w, 5 * MINUTE_MS));
	return true;
}

static bool
strike_client_kill_write(struct weather *w, struct victim *v)
{
	if (!any_person(w, v) || v->disk->full)
		return false;
	/* what it has just promised must be on the disk, whichever write is the last */
	if (rng_below(dice(w), 2) == 0)
		town_say_now(w->town, v->person);
	person_kill_in_write(v->person, 1 + rng_below(dice(w), 8), some_time(w, 2 * MINUTE_MS));
	return true;
}

static bool
strike_client_off(struct weather *w, struct victim *v)
{
	if (!any_person(w, v) || ail(w, v, WEATHER_CLIENT_OFF, some_time(w, 6 * HOUR_MS)) == NULL)
		return false;
	v->person->down_ms = -1;
	person_stop(v->person);
	return true;
}

/* ---- disks ---- */

static bool
strike_disk_full(struct weather *w, struct victim *v)
{
	if (!anybody(w, v) || v->disk->fault.at != 0 ||
	    ail(w, v, WEATHER_DISK_FULL, some_time(w, 20 * MINUTE_MS)) == NULL)
		return false;
	fixture_disk_fill(v->disk, true);
	return true;
}

static bool
strike_old_disk(struct weather *w, struct victim *v)
{
	struct ailment *a;

	if (!any_node(w, v) || v->node->mix == NULL ||
	    (a = ail(w, v, WEATHER_OLD_DISK, some_time(w, 40 * MINUTE_MS))) == NULL)
		return false;
	a->backup = fixture_backup(v->node);
	return true;
}

/* ---- lines ---- */

static bool
strike_cut(struct weather *w, struct victim *v)
{
	struct victim other;
	struct ailment *a;

	if (!anybody(w, v) || !any_node(w, &other) || other.host == v->host ||
	    (a = ail(w, v, WEATHER_CUT, some_time(w, 40 * MINUTE_MS))) == NULL)
		return false;
	a->other = other.host;
	assert_err_ok(world_cut(v->host, other.host));
	return true;
}

static bool
strike_break(struct weather *w, struct victim *v)
{
	if (!anybody(w, v))
		return false;
	world_break(v->host, NULL);
	return true;
}

static bool
strike_refuse(struct weather *w, struct victim *v)
{
	if (!any_node(w, v) || ail(w, v, WEATHER_REFUSE, some_time(w, 20 * MINUTE_MS)) == NULL)
		return false;
	world_refuse(v->host, true);
	return true;
}

static bool
strike_bad_line(struct weather *w, struct victim *v)
{
	static const struct world_line bad = {.delay_us = 400000, .spread_us = 300000,
	    .bytes_per_s = 4000};

	if (!anybody(w, v) || ail(w, v, WEATHER_BAD_LINE, some_time(w, HOUR_MS)) == NULL)
		return false;
	world_set_lines(v->host, &bad, &bad);
	return true;
}

static bool
strike_echo(struct weather *w, struct victim *v)
{
	*v = (struct victim){0};
	if (ail(w, v, WEATHER_ECHO, some_time(w, HOUR_MS)) == NULL)
		return false;
	echo_rate(ECHO_LOUD);
	return true;
}

/* ---- clocks ---- */

static bool
set_clock(struct weather *w, struct victim *v, enum weather_kind kind, int64_t most_ms)
{
	struct ailment *a;

	if (!anybody(w, v) || (a = ail(w, v, kind, some_time(w, HOUR_MS))) == NULL)
		return false;
	a->delta_ms = some_time(w, most_ms);
	if (rng_below(dice(w), 2) == 0)
		a->delta_ms = -a->delta_ms;
	world_set_clock(v->host, a->delta_ms);
	return true;
}

static bool
strike_skew(struct weather *w, struct victim *v)
{
	return set_clock(w, v, WEATHER_SKEW, 30 * SECOND_MS);
}

static bool
strike_jump(struct weather *w, struct victim *v)
{
	return set_clock(w, v, WEATHER_JUMP, 2 * HOUR_MS);
}

static bool
strike_sleep(struct weather *w, struct victim *v)
{
	int64_t ms = some_time(w, 30 * MINUTE_MS);

	if (!anybody(w, v) || ail(w, v, WEATHER_SLEEP, ms + SECOND_MS) == NULL)
		return false;
	assert_err_ok(world_sleep(v->host, ms));
	return true;
}

/* ---- changes ---- */

static bool
strike_charter(struct weather *w, struct victim *v)
{
	*v = (struct victim){0};
	return town_change_charter(w->town);
}

static bool
strike_newcomers(struct weather *w, struct victim *v)
{
	*v = (struct victim){0};
	return town_arrive(w->town);
}

/* ---- what happens ---- */

static const struct {
	const char *name;
	unsigned weight;
	bool (*strike)(struct weather *w, struct victim *v);
} kinds[] = {
    [WEATHER_KILL] = {"node killed", 10, strike_kill},
    [WEATHER_KILL_WRITE] = {"node killed in a write", 14, strike_kill_write},
    [WEATHER_UNPLUG] = {"node unplugged", 4, strike_unplug},
    [WEATHER_OUTAGE] = {"node down for long", 2, strike_outage},
    [WEATHER_CLIENT_KILL] = {"client killed", 10, strike_client_kill},
    [WEATHER_CLIENT_KILL_WRITE] = {"client killed in a write", 14, strike_client_kill_write},
    [WEATHER_CLIENT_OFF] = {"client closed", 6, strike_client_off},
    [WEATHER_DISK_FULL] = {"disk full", 6, strike_disk_full},
    [WEATHER_CUT] = {"two hosts cut off", 6, strike_cut},
    [WEATHER_BREAK] = {"connections broken", 8, strike_break},
    [WEATHER_REFUSE] = {"connections refused", 4, strike_refuse},
    [WEATHER_BAD_LINE] = {"bad line", 4, strike_bad_line},
    [WEATHER_SKEW] = {"clock off by seconds", 5, strike_skew},
    [WEATHER_JUMP] = {"clock jump", 5, strike_jump},
    [WEATHER_SLEEP] = {"host asleep", 4, strike_sleep},
    [WEATHER_OLD_DISK] = {"mix with an old disk", 2, strike_old_disk},
    [WEATHER_ECHO] = {"packets repeated", 4, strike_echo},
    [WEATHER_CHARTER] = {"charter changed", 4, strike_charter},
    [WEATHER_NEWCOMERS] = {"newcomers", 2, strike_newcomers},
};

const char *
weather_name(enum weather_kind k)
{
	return kinds[k].name;
}

static enum weather_kind
draw(struct weather *w)
{
	uint32_t sum = 0, at;
	size_t k = 0;

	for (size_t i = 0; i < WEATHER_KINDS; i++)
		sum += kinds[i].weight;
	at = rng_below(dice(w), sum);
	while (at >= kinds[k].weight)
		at -= kinds[k++].weight;
	return (enum weather_kind)k;
}

void
weather_strike(struct weather *w)
{
	enum weather_kind k = draw(w);
	struct victim v;

	if (!kinds[k].strike(w, &v))
		return;
	w->struck[k]++;
	if (v.host != NULL)
		diary_note(w->town->diary, town_now(w->town), "%s: host %u", kinds[k].name,
		    number_of(&v));
	else
		diary_note(w->town->diary, town_now(w->town), "%s", kinds[k].name);
}

void
weather_begin(struct weather *w, struct town *t)
{
	w->town = t;
	w->count = 0;
	echo_rate(ECHO_USUAL);
}

/* A death that was planned for a write does not come any more. */
static void
spare(struct fixture_disk *k)
{
	if (!k->dead)
		fixture_disk_fill(k, false);
}

void
weather_calm(struct weather *w)
{
	struct town *t = w->town;

	for (size_t i = 0; i < w->count; i++)
		w->ailments[i].until_ms = town_now(t);
	weather_pass(w);
	for (size_t i = 0; i < t->f.node_count; i++)
		spare(&t->f.nodes[i].disk);
	for (size_t i = 0; i < t->pair_count; i++)
		for (size_t k = 0; k < 2; k++)
			spare(&t->pairs[i].people[k].disk);
}

void
weather_end(struct weather *w)
{
	for (size_t i = 0; i < w->count; i++)
		disk_free(w->ailments[i].backup);
	w->count = 0;
}
