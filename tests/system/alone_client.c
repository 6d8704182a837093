/* The victim of alone_gateway.c: a client that writes down the heads of its packets. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/charter/path.h"

#define HEAD 8

enum err __real_path_packet(uint8_t *out, const struct path *p, const struct sheet *s,
    const struct params *params, const struct onion_command *command, const struct rng *r,
    const struct rng *keys);
enum err __wrap_path_packet(uint8_t *out, const struct path *p, const struct sheet *s,
    const struct params *params, const struct onion_command *command, const struct rng *r,
    const struct rng *keys);

static void
write_down(const uint8_t *packet)
{
	const char *dir = getenv("RESTANTE_ALONE");
	char path[1024];
	FILE *f;

	if (dir == NULL)
		return;
	(void)snprintf(path, sizeof(path), "%s/known", dir);
	f = fopen(path, "ab");
	if (f == NULL)
		return;
	(void)fwrite(packet, 1, HEAD, f);
	(void)fclose(f);
}

enum err
__wrap_path_packet(uint8_t *out, const struct path *p, const struct sheet *s,
    const struct params *params, const struct onion_command *command, const struct rng *r,
    const struct rng *keys)
{
	enum err e = __real_path_packet(out, p, s, params, command, r, keys);

	if (e == ERR_OK)
		write_down(out);
	return e;
}
