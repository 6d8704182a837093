/*
 * What members, registrar and gateway show each other about tickets and stamps: what is
 * decoded is encoded to the same bytes. The first byte says what the rest is.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/secret.h"
#include "common/token/issuance.h"
#include "common/token/notice.h"
#include "tests/lib/network.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	if (secret_setup() != ERR_OK)
		abort();
	return 0;
}

static void
try_request(const uint8_t *data)
{
	static struct issuance_request q;
	uint8_t again[ISSUANCE_REQUEST_BYTES], hash[32];
	struct params p;

	if (issuance_request_decode(&q, data) != ERR_OK)
		return;
	issuance_request_encode(again, &q);
	if (memcmp(again, data, sizeof(again)) != 0) /* public */
		abort();
	params_default(&p);
	issuance_hash(hash, &q);
	if (issuance_check(&q, &p) == ISSUANCE_OK && allotment_count(&p, q.kind, q.batch) == 0)
		abort();
}

/* An answer to nobody's question: nobody takes it. */
static void
try_answer(const uint8_t *data)
{
	static struct issuance_answer a;
	static struct issuance_request q;
	static struct issuance_batch batch;
	static const struct issuer_keys keys = { .hours = 6 };
	uint8_t again[ISSUANCE_ANSWER_BYTES], seed[32] = { 0 };
	struct params p;

	if (issuance_answer_decode(&a, data) != ERR_OK)
		return;
	issuance_answer_encode(again, &a);
	if (memcmp(again, data, sizeof(again)) != 0) /* public */
		abort();
	params_default(&p);
	if (issuance_take(&batch, &q, &a, &keys, &p, seed) == ERR_OK)
		abort();
}

static void
try_notice(const uint8_t *data, size_t size)
{
	static struct network *n;
	struct network_config cfg = { .seed = 2, .registrar = true };
	struct notice out;

	if (n == NULL)
		n = network_new(&cfg);
	if (notice_decode(&out, data, size, n->charter) == ERR_OK &&
	    size != notice_bytes(&n->charter->params))
		abort();
}

static void
try_code(const uint8_t *data, size_t size)
{
	uint8_t secret[ENROLMENT_SECRET_BYTES], network[32] = { 0 };
	char text[ENROLMENT_TEXT_BYTES], *given = malloc(size + 1);
	struct diag d = { "" };

	if (given == NULL)
		abort();
	memcpy(given, data, size);
	given[size] = '\0';
	if (enrolment_decode(secret, given, network, &d) == ERR_OK) {
		enrolment_encode(text, secret, network);
		if (strncmp(text, "restante-code:", 14) != 0)
			abort();
	} else if (d.text[0] == '\0') {
		abort(); /* every refusal says why */
	}
	free(given);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	if (data[0] == 'q' && size == 1 + ISSUANCE_REQUEST_BYTES)
		try_request(data + 1);
	else if (data[0] == 'a' && size == 1 + ISSUANCE_ANSWER_BYTES)
		try_answer(data + 1);
	else if (data[0] == 'n')
		try_notice(data + 1, size - 1);
	else if (data[0] == 'c')
		try_code(data + 1, size - 1);
	return 0;
}
