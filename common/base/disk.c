#include "config.h"

#include "common/base/disk.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct disk {
	struct disk_ops ops;
	void *ctx;
};

struct disk *
disk_new(const struct disk_ops *ops, void *ctx)
{
	struct disk *k = malloc(sizeof(*k));

	if (k == NULL) {
		ops->free(ctx);
		return NULL;
	}
	k->ops = *ops;
	k->ctx = ctx;
	return k;
}

void
disk_free(struct disk *k)
{
	if (k == NULL)
		return;
	k->ops.free(k->ctx);
	free(k);
}

static bool
name_ok(const char *name)
{
	size_t n = strnlen(name, DISK_NAME_MAX + 1);

	return n > 0 && n <= DISK_NAME_MAX && name[0] != '.' && strchr(name, '/') == NULL &&
	       strcmp(name, "lock") != 0;
}

enum err
disk_read(struct disk *k, struct buf *out, const char *name, size_t max)
{
	return name_ok(name) ? k->ops.read(k->ctx, out, name, max) : ERR_USAGE;
}

enum err
disk_replace(struct disk *k, const char *name, const void *p, size_t n)
{
	return name_ok(name) ? k->ops.replace(k->ctx, name, p, n) : ERR_USAGE;
}

enum err
disk_append(struct disk *k, const char *name, const void *p, size_t n)
{
	return name_ok(name) ? k->ops.append(k->ctx, name, p, n) : ERR_USAGE;
}

enum err
disk_truncate(struct disk *k, const char *name, size_t n)
{
	return name_ok(name) ? k->ops.truncate(k->ctx, name, n) : ERR_USAGE;
}

enum err
disk_remove(struct disk *k, const char *name)
{
	return name_ok(name) ? k->ops.remove(k->ctx, name) : ERR_USAGE;
}

enum err
disk_list(struct disk *k, int (*each)(void *arg, const char *name), void *arg)
{
	return k->ops.list(k->ctx, each, arg);
}
