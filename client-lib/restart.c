#include "config.h"

#include "client-lib/restart.h"

#include <sodium.h>

#include "client-lib/founding.h"
#include "common/crypto/stream.h"

void
restart_put(struct writer *w, const struct restart *r)
{
	writer_u8(w, r->able);
	writer_copy(w, r->secret, sizeof(r->secret));
	writer_u8(w, r->under_way);
	writer_u8(w, r->flags);
	writer_u32(w, r->generation);
	writer_copy(w, r->seed, sizeof(r->seed));
	writer_copy(w, r->answers, sizeof(r->answers));
	writer_copy(w, r->lost_seed, sizeof(r->lost_seed));
	writer_u64(w, (uint64_t)r->from_ms);
	outbox_sealing_put(w, &r->sealing);
	writer_u32(w, r->peer_generation);
	writer_u32(w, r->peer_attempt);
	writer_u8(w, r->peer_flags);
	writer_u64(w, (uint64_t)r->peer_ms);
	writer_u64(w, r->lost_texts);
	writer_u64(w, r->lost_files);
	writer_u8(w, r->proofs);
	writer_u8(w, r->contested);
	writer_u8(w, r->stranded);
	writer_u8(w, r->doubtful);
}

void
restart_get(struct reader *in, struct restart *r)
{
	r->able = reader_u8(in) != 0;
	reader_copy(in, r->secret, sizeof(r->secret));
	r->under_way = reader_u8(in) != 0;
	r->flags = reader_u8(in);
	r->generation = reader_u32(in);
	reader_copy(in, r->seed, sizeof(r->seed));
	reader_copy(in, r->answers, sizeof(r->answers));
	reader_copy(in, r->lost_seed, sizeof(r->lost_seed));
	r->from_ms = (int64_t)reader_u64(in);
	outbox_sealing_get(in, &r->sealing);
	r->peer_generation = reader_u32(in);
	r->peer_attempt = reader_u32(in);
	r->peer_flags = reader_u8(in);
	r->peer_ms = (int64_t)reader_u64(in);
	r->lost_texts = reader_u64(in);
	r->lost_files = reader_u64(in);
	r->proofs = reader_u8(in);
	r->contested = reader_u8(in) != 0;
	r->stranded = reader_u8(in) != 0;
	r->doubtful = reader_u8(in) != 0;
	if (r->generation > STREAM_GENERATION_MAX || r->peer_generation > STREAM_GENERATION_MAX ||
	    (r->flags & ~(FOUNDING_LOST | FOUNDING_RESTORED)) != 0 ||
	    (r->under_way && !r->able))
		reader_fail(in, ERR_MALFORMED);
}

void
restart_forget(struct restart *r)
{
	r->under_way = false;
	r->flags = 0;
	r->generation = 0;
	sodium_memzero(r->seed, sizeof(r->seed));
	sodium_memzero(r->answers, sizeof(r->answers));
	sodium_memzero(r->lost_seed, sizeof(r->lost_seed));
	sodium_memzero(&r->sealing, sizeof(r->sealing));
	r->from_ms = 0;
}
