/*
 * Tries to spend twice at a gateway that is killed at any moment, for spend_twice.sh:
 *
 *     spender CHARTER SEEDS MIX STATE KILLS RANDOM GATEWAY CONFIG
 *
 * SEEDS has a copy of the registrar's file `seeds`: who knows them makes any token. MIX is
 * the state directory of the only mix, whose part it plays: that is how its deposits come
 * to the exit. STATE is the gateway's. It starts GATEWAY `run --config` CONFIG again and
 * again, KILLS times, and kills it each time at a random moment of the first instants in
 * which tickets and stamps are being spent: fresh ones (each twice at once), all of the life
 * before, and some older ones. The last life is not killed: every token is tried once
 * more, and some fresh ones. Then the journal is counted.
 *
 * It prints what became of them and ends with 1 if one was accepted twice, or one that
 * nothing can have kept from it never was.
 */
#include "config.h"

#include <inttypes.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/secret.h"
#include "common/charter/path.h"
#include "common/charter/succession.h"
#include "common/charter/timing.h"
#include "common/journal/item.h"
#include "common/net/frame.h"
#include "common/net/link.h"
#include "common/net/loop_event.h"
#include "common/token/token.h"
#include "gateway/store_leveldb.h"
#include "mix/charterfile.h"
#include "mix/links.h"
#include "mix/nodekeys.h"
#include "registrar/seeds.h"

#define FRESH 5	       /* new tickets in a life, and stamps */
#define AGAIN 6	       /* older ones */
#define CONTROLS 20    /* new ones in the last life, which nothing disturbs */
#define LIFE_MS 700    /* from the first sign of life, at most */
#define QUIET_MS 4000  /* of the last life, when everything was tried */
#define PUMP_MS 15
#define AT_ONCE 12
#define RECORD_MAGIC UINT32_C(0x2e647073)

/* A ticket or a stamp, and what became of it. */
struct token {
	uint32_t epoch, hour;
	uint8_t nonce[TOKEN_NONCE_BYTES], output[VOPRF_OUTPUT_BYTES];
	unsigned shown;	   /* how often */
	unsigned accepted; /* of that */
	unsigned refused, unanswered;
	bool control; /* nothing disturbs its only life */
	bool over;    /* its hour was over when it was tried again */
};

struct tokens {
	struct token *list;
	size_t count, room, last_life; /* the first of this life, or the one before */
};

/* What is to be tried in this life, by index; one index twice is tried twice at once. */
struct plan {
	size_t *list, count, room, next;
};

struct spender;

struct visit {
	struct spender *s;
	struct link *link;
	struct item_assembler *items; /* while the sheet is not known */
	size_t index;		      /* of the ticket */
	bool busy, shown;
};

struct spender {
	struct loop *loop;
	struct timer *pump, *end;
	struct charter *charter;
	struct succession *charters;
	const struct params *params;
	struct nodekeys *mix;
	uint16_t mix_number, gateway_number;
	uint8_t mix_sk[32], mix_pk[32]; /* of its epoch keys: the same for all */
	struct seeds seeds;
	struct issuer *issuers[SEEDS_MAX];
	struct rng_seeded rng;
	struct disk *disk;
	struct workq *queue;
	struct links *links;
	struct sheet *sheet;
	struct tokens tickets, stamps;
	struct plan visits_plan, deposits_plan;
	struct visit visits[AT_ONCE];
	char **command;
	pid_t gateway;
	unsigned kills, lives;
	bool announced, alive, last, ending;
	unsigned wrong; /* answers that nothing explains */
	size_t published;
};

static void
must(bool ok, const char *what)
{
	if (ok)
		return;
	(void)fprintf(stderr, "spender: %s\n", what);
	exit(2);
}

/* ---- tokens ---- */

static uint32_t
epoch_now(const struct spender *s)
{
	return timing_epoch(s->params, loop_wall_ms(s->loop));
}

static uint32_t
hour_now(const struct spender *s)
{
	return timing_hour(s->params, loop_wall_ms(s->loop));
}

static struct token *
new_token(struct spender *s, struct tokens *all, enum token_kind kind)
{
	uint32_t first = timing_hour(s->params, timing_epoch_start(s->params, epoch_now(s)));
	struct token *t;

	if (all->count == all->room) {
		all->room = all->room == 0 ? 256 : 2 * all->room;
		all->list = realloc(all->list, all->room * sizeof(all->list[0]));
		must(all->list != NULL, "no memory");
	}
	t = &all->list[all->count++];
	*t = (struct token){ .epoch = epoch_now(s), .hour = hour_now(s), .control = s->last };
	rng_bytes(&s->rng.rng, t->nonce, sizeof(t->nonce));
	for (size_t i = 0; i < s->seeds.count; i++) {
		const struct issuer *k = s->issuers[i];

		if (issuer_keys(k)->epoch != t->epoch)
			continue;
		must(voprf_output(t->output, kind == TOKEN_TICKET ? issuer_ticket_key(k,
		    t->hour - first) : issuer_stamp_key(k), t->nonce, sizeof(t->nonce)) == ERR_OK,
		    "no token was made");
		return t;
	}
	must(false, "the registrar has no seed for this epoch");
	return NULL;
}

static void
plan_add(struct plan *p, size_t index)
{
	if (p->count == p->room) {
		p->room = p->room == 0 ? 256 : 2 * p->room;
		p->list = realloc(p->list, p->room * sizeof(p->list[0]));
		must(p->list != NULL, "no memory");
	}
	p->list[p->count++] = index;
}

/* Fresh ones twice at once, then those of the life before, then older ones; at last all. */
static void
make_plan(struct spender *s, struct plan *p, struct tokens *all, enum token_kind kind)
{
	size_t before = all->count, from = all->last_life;

	p->count = p->next = 0;
	for (unsigned i = 0; i < (s->last ? CONTROLS : FRESH); i++) {
		(void)new_token(s, all, kind);
		plan_add(p, all->count - 1);
		plan_add(p, all->count - 1);
	}
	for (size_t i = s->last ? 0 : from; i < before; i++)
		plan_add(p, i);
	for (unsigned i = 0; i < AGAIN && before > 0 && !s->last; i++)
		plan_add(p, rng_below(&s->rng.rng, (uint32_t)before));
	all->last_life = before;
}

/* ---- tickets: sessions ---- */

static void
leave(struct visit *v)
{
	struct token *t = &v->s->tickets.list[v->index];

	t->unanswered += v->shown;
	link_free(v->link);
	item_assembler_free(v->items);
	*v = (struct visit){ .s = v->s };
}

static enum err
on_item(void *arg, enum item_kind kind, const uint8_t *p, size_t n)
{
	struct visit *v = arg;
	struct spender *s = v->s;
	struct sheet *found;

	if (kind != ITEM_SHEET || s->sheet != NULL || n < SHEET_SIGNATURE_BYTES ||
	    sheet_read(&found, p, n - SHEET_SIGNATURE_BYTES, s->charters, NULL) != ERR_OK)
		return ERR_OK;
	if (found->epoch == epoch_now(s))
		s->sheet = found;
	else
		sheet_free(found);
	return ERR_OK;
}

/* Called once by the first frame of a session, which says what became of its ticket. */
static void
judge(struct visit *v, const struct frame_down *f)
{
	struct token *t = &v->s->tickets.list[v->index];

	v->shown = false;
	if (f->type == FRAME_DOWN_STREAM) {
		t->accepted++;
	} else if (f->error == FRAME_ERROR_TICKET) {
		t->refused++;
	} else if (f->error == FRAME_ERROR_HOUR) {
		t->over = true;
		t->unanswered++;
	} else {
		(void)printf("ticket %zu: error %d\n", v->index, (int)f->error);
		t->unanswered++;
		v->s->wrong++;
	}
}

static void
on_frame(void *arg, uint8_t *plain, size_t n)
{
	struct visit *v = arg;
	struct frame_down f;

	(void)n;
	must(frame_down_decode(&f, v->s->params, plain) == ERR_OK, "a frame makes no sense");
	if (v->shown)
		judge(v, &f);
	if (f.type == FRAME_DOWN_STREAM && v->items != NULL)
		must(item_feed(v->items, f.stream, f.fill) == ERR_OK, "the stream makes no sense");
	if (f.type == FRAME_DOWN_ERROR || v->items == NULL || v->s->sheet != NULL)
		leave(v);
}

static void
on_up(void *arg)
{
	struct visit *v = arg;
	struct spender *s = v->s;
	struct token *t = &s->tickets.list[v->index];
	struct frame_up f = { .type = FRAME_UP_OPEN,
		.open = { .version = FRAME_OPEN_VERSION, .hour = t->hour } };
	uint8_t *frame = calloc(1, params_up_frame_bytes(s->params));

	must(frame != NULL, "no memory");
	if (!s->alive && !s->last)
		timer_after(s->end, rng_between(&s->rng.rng, 0, LIFE_MS));
	s->alive = true;
	memcpy(f.open.ticket_nonce, t->nonce, sizeof(t->nonce));
	token_ticket_proof(f.open.ticket_proof, t->output, link_hash(v->link));
	frame_up_encode(frame, s->params, &f);
	if (link_send(v->link, frame) == ERR_OK) {
		t->shown++;
		v->shown = true;
	}
	free(frame);
}

static void
on_down(void *arg, enum err why)
{
	struct visit *v = arg;

	(void)why;
	if (v->shown || v->s->alive) {
		leave(v);
		return;
	}
	link_free(v->link); /* it does not listen yet: dialled again */
	v->link = NULL;
}

static void
dial(struct visit *v)
{
	static const struct link_events events = { .up = on_up, .frame = on_frame,
		.down = on_down };
	const struct spender *s = v->s;
	const struct charter_node *gateway = charter_gateway(s->charter);
	struct link_config cfg = { .pattern = NOISE_NK,
		.initiator = true,
		.peer_pk = gateway->link,
		.send_bytes = params_up_frame_bytes(s->params),
		.receive_bytes = params_down_frame_bytes(s->params),
		.out_frames_max = 2,
		.handshake_ms = 60000,
		.keys = rng_system() };

	memcpy(cfg.network_id, s->charter->network_id, sizeof(cfg.network_id));
	must(link_dial(&v->link, s->loop, gateway->entrance, &cfg, &events, v) == ERR_OK,
	    "no link");
}

static bool
visit_more(struct spender *s)
{
	bool busy = false;

	for (size_t i = 0; i < AT_ONCE; i++) {
		struct visit *v = &s->visits[i];

		if (!v->busy && s->visits_plan.next < s->visits_plan.count) {
			v->busy = true;
			v->index = s->visits_plan.list[s->visits_plan.next++];
			if (s->sheet == NULL)
				v->items = item_assembler_new(on_item, v);
		}
		if (v->busy && v->link == NULL)
			dial(v);
		busy = busy || v->busy;
	}
	return busy;
}

/* ---- stamps: deposits, as the mix delivers them ---- */

static void
announce(struct spender *s, uint32_t epoch)
{
	struct announcement a = { .node = s->mix_number, .epoch = epoch,
		.suite = ONION_SUITE_X25519 };
	uint8_t bytes[ANNOUNCEMENT_BYTES];

	memcpy(a.pk, s->mix_pk, 32);
	announcement_sign(&a, s->charter->network_id, s->mix->identity_sk);
	announcement_encode(bytes, &a);
	must(links_send_announcement(s->links, s->gateway_number, bytes) == ERR_OK,
	    "nothing was announced");
}

/* The record says whose it is, and is another one each time. */
static void
make_deposit(struct spender *s, struct onion_command *c, uint8_t *record, size_t index)
{
	struct token *t = &s->stamps.list[index];

	rng_bytes(&s->rng.rng, record, s->params->record_size);
	store_u32(record, RECORD_MAGIC);
	store_u32(record + 4, (uint32_t)index);
	*c = (struct onion_command){ .kind = ONION_DEPOSIT, .body = record };
	memcpy(c->stamp, t->nonce, TOKEN_NONCE_BYTES);
	token_stamp_proof(c->stamp + TOKEN_NONCE_BYTES, t->output, record,
	    s->params->record_size);
	t->shown++;
}

static void
deposit(struct spender *s, size_t index)
{
	const struct onion_geometry g = params_geometry(s->params);
	const struct path path = { .hops = 2, .node = { s->mix_number, s->gateway_number } };
	struct onion_node_key key = { .epoch = s->sheet->epoch, .sk = s->mix_sk };
	uint8_t *whole = calloc(1, ONION_PACKET_MAX), *record = calloc(1, s->params->record_size);
	struct onion_job job = { .packet = whole };
	struct onion_command c;

	must(whole != NULL && record != NULL, "no memory");
	make_deposit(s, &c, record, index);
	must(path_packet(whole, &path, s->sheet, s->params, &c, &s->rng.rng, rng_system()) ==
	    ERR_OK, "no packet was made");
	memcpy(key.pk, s->mix_pk, 32);
	memcpy(key.sheet_hash, s->sheet->hash, 32);
	onion_derive(&job, 1, &g, &key);
	onion_open(&job, 1, &g, &key);
	must(job.verdict == ONION_OPENED, "a packet does not open");
	must(links_send_packet(s->links, s->gateway_number, s->sheet->epoch, job.inner) == ERR_OK,
	    "a packet did not leave");
	free(whole);
	free(record);
}

/* Some at a time: one round's deposits are spent together, and more rounds are better. */
static bool
deposit_more(struct spender *s)
{
	struct plan *p = &s->deposits_plan;

	if (s->sheet != NULL && s->sheet->epoch != epoch_now(s)) {
		sheet_free(s->sheet);
		s->sheet = NULL;
	}
	if (!links_is_up(s->links, s->gateway_number))
		return true;
	if (!s->announced) {
		announce(s, epoch_now(s));
		announce(s, epoch_now(s) + 1);
		s->announced = true;
	}
	for (int i = 0; i < 2 && s->sheet != NULL && p->next < p->count; i++)
		deposit(s, p->list[p->next++]);
	return p->next < p->count || links_unsent(s->links) > 0;
}

/* ---- lives ---- */

static void
start_gateway(struct spender *s)
{
	s->gateway = fork();
	must(s->gateway >= 0, "no process");
	if (s->gateway > 0)
		return;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)dup2(STDERR_FILENO, STDOUT_FILENO);
	execl(s->command[0], s->command[0], "run", "--config", s->command[1], (char *)NULL);
	_exit(127);
}

static void
open_links(struct spender *s)
{
	static const struct links_events events = { .packet = NULL };
	struct links_config cfg = { .loop = s->loop,
		.charters = s->charters,
		.own = s->mix_number,
		.link_sk = s->mix->link_sk,
		.disk = s->disk,
		.rng = &s->rng.rng,
		.keys = rng_system(),
		.queue_max = 100000 };
	struct diag d = { "" };

	s->queue = workq_new(s->loop, 1);
	cfg.queue = s->queue;
	must(s->queue != NULL && links_open(&s->links, &cfg, &events, s, &d) == ERR_OK, d.text);
	must(links_start(s->links, &d) == ERR_OK, d.text);
	s->announced = false;
}

static void
close_life(struct spender *s)
{
	for (size_t i = 0; i < AT_ONCE; i++)
		if (s->visits[i].busy)
			leave(&s->visits[i]);
	workq_free(s->queue);
	links_free(s->links);
	s->queue = NULL;
	s->links = NULL;
}

static void
begin_life(struct spender *s)
{
	s->last = s->lives == s->kills;
	s->alive = s->ending = false;
	make_plan(s, &s->visits_plan, &s->tickets, TOKEN_TICKET);
	make_plan(s, &s->deposits_plan, &s->stamps, TOKEN_STAMP);
	start_gateway(s);
	open_links(s);
	s->lives++;
	timer_after(s->pump, 0);
}

static void
end_gateway(struct spender *s, int signal)
{
	int status = 0;

	must(kill(s->gateway, signal) == 0 && waitpid(s->gateway, &status, 0) == s->gateway,
	    "the gateway cannot be ended");
	if (signal == SIGKILL ? !WIFSIGNALED(status) : !WIFEXITED(status) || WEXITSTATUS(status) != 0)
		must(false, "the gateway had ended by itself");
}

static void
on_end(void *arg)
{
	struct spender *s = arg;

	end_gateway(s, s->last ? SIGTERM : SIGKILL);
	close_life(s);
	timer_cancel(s->pump);
	if (s->last)
		loop_event_stop(s->loop);
	else
		begin_life(s);
}

/* Without the first sheet nothing can be deposited: until it is there nobody is killed. */
static void
want_sheet(struct spender *s)
{
	if (s->sheet != NULL || s->visits_plan.next < s->visits_plan.count)
		return;
	for (size_t i = 0; i < AT_ONCE; i++)
		if (s->visits[i].busy)
			return;
	(void)new_token(s, &s->tickets, TOKEN_TICKET);
	plan_add(&s->visits_plan, s->tickets.count - 1);
}

static void
on_pump(void *arg)
{
	struct spender *s = arg;
	bool busy = visit_more(s);

	busy = deposit_more(s) || busy;
	if (s->last || s->lives == 1)
		want_sheet(s);
	if (s->lives == 1 && s->sheet == NULL)
		timer_cancel(s->end);
	else if (s->lives == 1 && !timer_armed(s->end))
		timer_after(s->end, LIFE_MS);
	if (s->last && !busy && !s->ending) {
		s->ending = true;
		timer_after(s->end, QUIET_MS);
	}
	timer_after(s->pump, PUMP_MS);
}

/* ---- what the journal has ---- */

struct reading {
	struct spender *s;
	struct store *store;
	uint32_t day, index, count;
};

static void
count_records(struct spender *s, const struct store_block *b)
{
	size_t size = s->params->record_size;

	for (size_t at = 0; at + size <= b->records_len; at += size) {
		const uint8_t *record = b->records + at;
		uint32_t index = load_u32(record + 4);

		must(load_u32(record) == RECORD_MAGIC && index < s->stamps.count,
		    "the journal has a record of somebody else");
		s->stamps.list[index].accepted++;
		s->published++;
	}
}

static void
on_blocks(void *arg, enum err e, const struct store_block *blocks, size_t n)
{
	struct reading *r = arg;

	must(e == ERR_OK && n > 0, "the journal cannot be read");
	for (size_t i = 0; i < n; i++)
		count_records(r->s, &blocks[i]);
	r->index += (uint32_t)n;
	if (r->index >= r->count) {
		loop_event_stop(r->s->loop);
		return;
	}
	must(store_read(r->store, r->day, r->index, 0, 1 << 20, on_blocks, r) == ERR_OK,
	    "the journal cannot be read");
}

static void
read_journal(struct spender *s, const char *state)
{
	struct reading r = { .s = s };
	char path[4096];
	struct diag d = { "" };
	struct disk *disk;
	uint32_t days[STORE_DAYS_MAX];
	size_t n;
	struct store_leveldb_config cfg = { .loop = s->loop, .path = path, .keys = rng_system() };

	(void)snprintf(path, sizeof(path), "%s/journal", state);
	must(disk_open(&disk, path, &d) == ERR_OK, d.text);
	cfg.disk = disk;
	must(store_leveldb_open(&r.store, &cfg, &d) == ERR_OK, d.text);
	n = store_days(r.store, days, STORE_DAYS_MAX);
	for (size_t i = 0; i < n; i++) {
		r.day = days[i];
		r.index = 0;
		r.count = store_count(r.store, r.day);
		if (r.count == 0)
			continue;
		must(store_read(r.store, r.day, 0, 0, 1 << 20, on_blocks, &r) == ERR_OK,
		    "the journal cannot be read");
		loop_event_run(s->loop);
	}
	store_free(r.store);
	disk_free(disk);
}

/* ---- the verdict ---- */

/* A token that was never accepted must have been on its way when the gateway died. */
static bool
sum_up(const char *kind, const struct tokens *all)
{
	size_t once = 0, twice = 0, lost = 0, over = 0, shown = 0, broken = 0;

	for (size_t i = 0; i < all->count; i++) {
		const struct token *t = &all->list[i];

		shown += t->shown;
		once += t->accepted == 1;
		twice += t->accepted > 1;
		lost += t->accepted == 0 && t->shown > 0;
		over += t->over;
		broken += t->control && !t->over && t->accepted != 1;
		if (t->accepted > 1 || (t->control && !t->over && t->accepted != 1))
			(void)printf("%s %zu: accepted %u, refused %u, unanswered %u of %u\n",
			    kind, i, t->accepted, t->refused, t->unanswered, t->shown);
	}
	(void)printf("%ss: %zu, tried %zu times; accepted once %zu, twice %zu, never %zu "
	    "(the gateway died on them); %zu outlived their hour\n", kind, all->count, shown, once,
	    twice, lost, over);
	return twice == 0 && broken == 0 && once > 0;
}

/* A ticket that was refused each time, and that no death can have cost. */
static size_t
refused_for_nothing(const struct tokens *tickets)
{
	size_t n = 0;

	for (size_t i = 0; i < tickets->count; i++) {
		const struct token *t = &tickets->list[i];

		if (t->shown > 0 && t->accepted == 0 && t->unanswered == 0)
			n++;
	}
	return n;
}

static bool
verdict(struct spender *s)
{
	bool good = sum_up("ticket", &s->tickets);
	size_t nothing = refused_for_nothing(&s->tickets);

	good = sum_up("stamp", &s->stamps) && good;
	(void)printf("gateway killed %u times; %zu records in the journal; %zu tickets refused "
	    "for nothing, %u strange answers\n", s->kills, s->published, nothing, s->wrong);
	return good && nothing == 0 && s->wrong == 0;
}

/* ---- life ---- */

static void
load(struct spender *s, char **argv)
{
	struct diag d = { "" };
	struct disk *disk, *mix;
	const struct charter_node *own;

	must(charterfile_load(&s->charter, argv[1], &d) == ERR_OK, d.text);
	must(succession_new(&s->charters, s->charter) == ERR_OK, "no memory");
	s->params = &s->charter->params;
	must(s->params->layers == 1, "it plays the only mix");
	must(disk_open(&disk, argv[2], &d) == ERR_OK, d.text);
	must(seeds_load(&s->seeds, disk, &d) == ERR_OK && s->seeds.count > 0, "no seeds");
	must(disk_open(&mix, argv[3], &d) == ERR_OK, d.text);
	must(nodekeys_load(&s->mix, mix, &d) == ERR_OK, d.text);
	must(nodekeys_find(&own, s->mix, s->charter, CHARTER_MIX, &d) == ERR_OK, d.text);
	s->mix_number = own->number;
	s->gateway_number = charter_gateway(s->charter)->number;
	for (size_t i = 0; i < s->seeds.count; i++)
		must(issuer_new(&s->issuers[i], s->params, s->seeds.list[i].epoch,
		    s->seeds.list[i].bytes) == ERR_OK, "no keys");
	disk_free(disk);
	disk_free(mix);
}

int
main(int argc, char **argv)
{
	static struct spender s;
	bool good;

	must(argc == 9, "CHARTER SEEDS MIX STATE KILLS RANDOM GATEWAY CONFIG");
	must(secret_setup() == ERR_OK && loop_event_new(&s.loop, NULL) == ERR_OK, "no loop");
	load(&s, argv);
	s.kills = (unsigned)strtoul(argv[5], NULL, 10);
	rng_seeded_init(&s.rng, strtoull(argv[6], NULL, 10));
	s.command = argv + 7;
	s.disk = disk_memory();
	s.pump = timer_new(s.loop, on_pump, &s);
	s.end = timer_new(s.loop, on_end, &s);
	must(s.disk != NULL && s.pump != NULL && s.end != NULL, "no memory");
	rng_bytes(&s.rng.rng, s.mix_sk, 32);
	must(crypto_scalarmult_base(s.mix_pk, s.mix_sk) == 0, "no key");
	for (size_t i = 0; i < AT_ONCE; i++)
		s.visits[i].s = &s;
	begin_life(&s);
	loop_event_run(s.loop);
	timer_free(s.pump);
	timer_free(s.end);
	read_journal(&s, argv[4]);
	good = verdict(&s);
	sheet_free(s.sheet);
	for (size_t i = 0; i < s.seeds.count; i++)
		issuer_free(s.issuers[i]);
	nodekeys_free(s.mix);
	disk_free(s.disk);
	free(s.tickets.list);
	free(s.stamps.list);
	free(s.visits_plan.list);
	free(s.deposits_plan.list);
	loop_event_free(s.loop);
	succession_free(s.charters);
	return good ? 0 : 1;
}
