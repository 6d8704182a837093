#include "config.h"

#include "gateway/store.h"

enum err
store_put(struct store *s, const struct store_round *r, store_done_cb *done, void *arg)
{
	return s->ops->put(s, r, done, arg);
}

enum err
store_read(struct store *s, uint32_t day, uint32_t index, uint16_t mailbox, size_t max_bytes,
    store_read_cb *done, void *arg)
{
	return s->ops->read(s, day, index, mailbox, max_bytes, done, arg);
}

enum err
store_find(struct store *s, uint32_t day, uint64_t round, store_find_cb *done, void *arg)
{
	return s->ops->find(s, day, round, done, arg);
}

enum err
store_expire(struct store *s, uint32_t day, store_done_cb *done, void *arg)
{
	return s->ops->expire(s, day, done, arg);
}

size_t
store_days(const struct store *s, uint32_t *out, size_t max)
{
	return s->ops->days(s, out, max);
}

uint32_t
store_count(const struct store *s, uint32_t day)
{
	return s->ops->count(s, day);
}

void
store_state(const struct store *s, const uint8_t **out, size_t *len)
{
	s->ops->state(s, out, len);
}

size_t
store_epoch_count(const struct store *s)
{
	return s->ops->epoch_count(s);
}

void
store_epoch(const struct store *s, size_t i, const uint8_t **out, size_t *len)
{
	s->ops->epoch(s, i, out, len);
}

void
store_free(struct store *s)
{
	if (s != NULL)
		s->ops->free(s);
}
