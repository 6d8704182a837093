/*
 * What makes an attacker of a gateway, for alone.sh: it lets one member's packets through
 * and no others. A real attacker knows by the session which they are; this one is told by
 * that member's client (alone_client.c). Both are the shipped programs but for one call
 * each that is wrapped.
 *
 * RESTANTE_ALONE names a directory. While there is a file `attack` in it, what is not in
 * its file `known` is dropped: eight bytes of each packet of the victim's.
 */
#include "config.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mix/links.h"

#define HEAD 8

enum err __real_links_send_packet(struct links *k, uint16_t to, uint32_t epoch,
    const uint8_t *packet);
enum err __wrap_links_send_packet(struct links *k, uint16_t to, uint32_t epoch,
    const uint8_t *packet);

static bool
is_attacking(const char *dir)
{
	char path[1024];

	(void)snprintf(path, sizeof(path), "%s/attack", dir);
	return access(path, F_OK) == 0;
}

static bool
is_known(const char *dir, const uint8_t *packet)
{
	char path[1024];
	uint8_t head[HEAD];
	bool found = false;
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/known", dir);
	f = fopen(path, "rb");
	if (f == NULL)
		return false;
	while (!found && fread(head, 1, HEAD, f) == HEAD)
		found = memcmp(head, packet, HEAD) == 0; /* public */
	(void)fclose(f);
	return found;
}

enum err
__wrap_links_send_packet(struct links *k, uint16_t to, uint32_t epoch, const uint8_t *packet)
{
	const char *dir = getenv("RESTANTE_ALONE");

	if (dir != NULL && is_attacking(dir) && !is_known(dir, packet))
		return ERR_OK; /* it is gone */
	return __real_links_send_packet(k, to, epoch, packet);
}
