/*
 * The half of a crooked gateway that talks to clients, for liar.sh and the like: it has the
 * gateway's own keys, ends the sessions that come to its socket, and passes them on to
 * the honest half. To whom it lies is who is told to enter here: a real attacker picks a
 * session at random, the test has to know whose it is.
 *
 *     crooked_entrance STATE CHARTER LISTEN ENTRANCE LIES [ONE-IN]
 *
 * STATE has the gateway's `nodekeys`. LIES is a file that may come and go: a line of the
 * words sheets, journal and drops. It lies about the first epoch of which nothing can have
 * been shown when the file came, and says which that is. It drops at once.
 */
#include "config.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/rng.h"
#include "common/charter/timing.h"
#include "common/net/loop_event.h"
#include "mix/charterfile.h"
#include "mix/nodekeys.h"
#include "tests/scenario/liar.h"

#define LOOK_MS 50
#define ANNOUNCED_MS ((int64_t)60 * 60 * 1000) /* before an epoch ends, of the next one */

struct crooked {
	struct loop *loop;
	struct timer *timer;
	struct liar *liar;
	const struct params *params;
	const char *lies_path;
	unsigned lies;
	uint32_t from_epoch;
};

static unsigned
read_lies(const char *path)
{
	char text[64] = "";
	unsigned lies = 0;
	FILE *f = fopen(path, "r");

	if (f == NULL)
		return 0;
	if (fgets(text, sizeof(text), f) == NULL)
		text[0] = '\0';
	(void)fclose(f);
	if (strstr(text, "sheets") != NULL)
		lies |= LIAR_SHEETS;
	if (strstr(text, "journal") != NULL)
		lies |= LIAR_JOURNAL;
	if (strstr(text, "drops") != NULL)
		lies |= LIAR_DROPS;
	return lies;
}

static void
on_look(void *arg)
{
	struct crooked *k = arg;
	unsigned lies = read_lies(k->lies_path);

	if (lies != k->lies) {
		int64_t now = loop_wall_ms(k->loop);

		k->lies = lies;
		k->from_epoch =
		    timing_epoch(k->params, now + params_scaled(k->params, ANNOUNCED_MS)) + 1;
		liar_turn(k->liar, lies, k->from_epoch);
		(void)printf("lies %u from epoch %u\n", lies, k->from_epoch);
		(void)fflush(stdout);
	}
	timer_after(k->timer, LOOK_MS);
}

static int
fail(const struct diag *d)
{
	(void)fprintf(stderr, "crooked_entrance: %s\n", d->text);
	return 1;
}

int
main(int argc, char **argv)
{
	struct crooked k = {.lies = 0};
	struct liar_config cfg = {.one_in = 1, .keys = rng_system()};
	struct charter *charter = NULL;
	struct succession *charters = NULL;
	struct nodekeys *keys = NULL;
	struct disk *disk = NULL;
	struct diag d = {"usage: STATE CHARTER LISTEN ENTRANCE LIES [ONE-IN]"};

	if (argc < 6 || sodium_init() < 0)
		return fail(&d);
	if (disk_open(&disk, argv[1], &d) != ERR_OK || nodekeys_load(&keys, disk, &d) != ERR_OK ||
	    charterfile_load(&charter, argv[2], &d) != ERR_OK ||
	    succession_new(&charters, charter) != ERR_OK ||
	    loop_event_new(&k.loop, NULL) != ERR_OK)
		return fail(&d);
	if (argc > 6)
		cfg.one_in = (unsigned)strtoul(argv[6], NULL, 10);
	cfg.loop = k.loop;
	cfg.charters = charters;
	cfg.identity_sk = keys->identity_sk;
	cfg.link_sk = keys->link_sk;
	cfg.listen = argv[3];
	cfg.entrance = argv[4];
	k.params = &charter->params;
	k.lies_path = argv[5];
	k.liar = liar_new(&cfg);
	k.timer = timer_new(k.loop, on_look, &k);
	if (k.timer == NULL)
		return fail(&d);
	timer_after(k.timer, 0);
	loop_event_run(k.loop); /* until it is ended by a signal */
	return 0;
}
