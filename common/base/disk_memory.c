#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/disk.h"

/* A disk in memory: a list of files, because a disk of ours has few. */
struct file {
	struct file *next;
	struct buf content;
	char name[DISK_NAME_MAX + 1];
};

struct memory {
	struct file *first;
};

/* The link that points to the file, or the empty link at the end. */
static struct file **
link_of(struct memory *m, const char *name)
{
	struct file **at = &m->first;

	while (*at != NULL && strcmp((*at)->name, name) != 0)
		at = &(*at)->next;
	return at;
}

static struct file *
file_new(const char *name)
{
	struct file *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return NULL;
	buf_init(&f->content);
	memcpy(f->name, name, strlen(name));
	return f;
}

static void
unlink_file(struct file **at)
{
	struct file *f = *at;

	*at = f->next;
	buf_release(&f->content);
	free(f);
}

static enum err
memory_read(void *ctx, struct buf *out, const char *name, size_t max)
{
	const struct file *f = *link_of(ctx, name);

	if (f == NULL)
		return ERR_NOT_FOUND;
	if (f->content.len > max)
		return ERR_RANGE;
	return buf_append(out, f->content.data, f->content.len, SIZE_MAX);
}

static enum err
memory_append(void *ctx, const char *name, const void *p, size_t n)
{
	struct file **at = link_of(ctx, name);
	bool created = *at == NULL;
	enum err e;

	if (created) {
		*at = file_new(name);
		if (*at == NULL)
			return ERR_MEMORY;
	}
	e = buf_append(&(*at)->content, p, n, SIZE_MAX);
	if (e != ERR_OK && created)
		unlink_file(at);
	return e;
}

static enum err
memory_replace(void *ctx, const char *name, const void *p, size_t n)
{
	struct file **at = link_of(ctx, name);
	struct buf content;
	enum err e;

	if (*at == NULL)
		return memory_append(ctx, name, p, n);
	buf_init(&content);
	e = buf_append(&content, p, n, SIZE_MAX);
	if (e != ERR_OK)
		return e;
	buf_release(&(*at)->content);
	(*at)->content = content;
	return ERR_OK;
}

static enum err
memory_truncate(void *ctx, const char *name, size_t n)
{
	struct file *f = *link_of(ctx, name);

	if (f == NULL)
		return ERR_NOT_FOUND;
	if (n > f->content.len)
		return ERR_RANGE;
	f->content.len = n;
	return ERR_OK;
}

static enum err
memory_remove(void *ctx, const char *name)
{
	struct file **at = link_of(ctx, name);

	if (*at != NULL)
		unlink_file(at);
	return ERR_OK;
}

static enum err
memory_list(void *ctx, int (*each)(void *arg, const char *name), void *arg)
{
	const struct memory *m = ctx;

	for (const struct file *f = m->first; f != NULL; f = f->next)
		if (each(arg, f->name) != 0)
			break;
	return ERR_OK;
}

static void
memory_free(void *ctx)
{
	struct memory *m = ctx;

	while (m->first != NULL)
		unlink_file(&m->first);
	free(m);
}

struct disk *
disk_memory(void)
{
	static const struct disk_ops ops = {
	    .read = memory_read,
	    .replace = memory_replace,
	    .append = memory_append,
	    .truncate = memory_truncate,
	    .remove = memory_remove,
	    .list = memory_list,
	    .free = memory_free,
	};
	struct memory *m = calloc(1, sizeof(*m));

	return m != NULL ? disk_new(&ops, m) : NULL;
}
